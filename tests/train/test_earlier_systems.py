"""tools/earlier-systems trains the encoders that the earlier systems compared."""

import os
import subprocess
from pathlib import Path

import pytest

from train.__main__ import main
from train.config import FitConfig

SCRIPT = Path(__file__).parents[2] / "tools" / "earlier-systems"


def test_each_of_its_commands_is_a_run_that_the_earlier_systems_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program called python records its commands instead of running them."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@" >>"$RECORD"\n')
    python.chmod(0o755)
    record = tmp_path / "commands"
    paths = f"{tmp_path}:{os.environ['PATH']}"
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(
        [str(SCRIPT), "sketchy", str(out), "--input-size", "64"],
        env={"PATH": paths, "RECORD": str(record), "MINUTES": "3"},
        check=True,
    )
    *fits, comparison = record.read_text().splitlines()
    configs: list[FitConfig] = []

    class Best:
        precision_at_12 = 0.5

    def fit(config: FitConfig, *_: object, **__: object) -> Best:
        configs.append(config)
        return Best()

    monkeypatch.setattr("train.fit.fit", fit)
    for command in fits:
        assert command.startswith("-m train fit")
        assert main(command.split()[2:]) == 0
    ran = [(c.loss, c.backbone, c.embedding_size, c.normalise) for c in configs]
    expected = [
        (loss, backbone, embedding, loss == "triplet")
        for loss, backbones in (
            ("contrastive", ("resnet18", "resnet34", "resnet50", "resnet101")),
            ("triplet", ("resnet18", "resnet34")),
        )
        for backbone in backbones
        for embedding in (2, 16, 32)
    ]
    assert sorted(ran) == sorted(expected)
    for config in configs:
        assert (config.minutes, config.classes, config.input_size) == (3, "animals", 64)
    compared = comparison.split()
    assert compared[:3] == ["-m", "train", "compare"]
    runs = [command.split()[command.split().index("--run") + 1] for command in fits]
    assert compared[3:-2] == runs
    assert len(set(runs)) == 18
