"""tools/recipe trains an encoder like the shipped one."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from train.__main__ import main
from train.config import FitConfig
from train.export import Export

SCRIPT = Path(__file__).parents[2] / "tools" / "recipe"


def commands(tmp_path: Path, **variables: str) -> list[list[str]]:
    """The commands of the script, which a program called python records."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@" >>"$RECORD"\n')
    python.chmod(0o755)
    record = tmp_path / "commands"
    record.unlink(missing_ok=True)
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(record)}
    subprocess.run(
        [str(SCRIPT), "sketchy", "out", "photos"], env={**paths, **variables}, check=True
    )
    return [line.split() for line in record.read_text().splitlines()]


@pytest.mark.parametrize("start", ["", "checkpoint"])
def test_its_commands_are_three_trainings_that_build_on_each_other(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = commands(tmp_path, START=start, MINUTES="20")
    assert [command[2] for command in found] == ["fit"] * 3 + ["export", "calibrate", "evaluate"]
    fitted: list[tuple[FitConfig, Any]] = []
    exported: list[Export] = []

    class Done(Exception):
        pass

    def fit(config: FitConfig, sources: Any, *_: object, **__: object) -> None:
        fitted.append((config, sources))
        raise Done

    def export(wanted: Export) -> None:
        exported.append(wanted)
        raise Done

    monkeypatch.setattr("train.fit.fit", fit)
    monkeypatch.setattr("train.export.export", export)
    for command in found[:4]:
        with pytest.raises(Done):
            main(command[2:])
    (animal, first), (pose, second), (student, third) = fitted
    assert [config.backbone for config, _ in fitted] == ["efficientnet_lite2"] * 2 + ["resnet34"]
    assert [config.minutes for config, _ in fitted] == [20, 10, 30]
    assert (animal.pose, pose.pose, student.pose) == (0, 50, 50)
    assert animal.pretrained is not bool(start)
    assert first.start == (Path(start) if start else None)
    assert second.start == Path("out/animal")
    assert third.teachers == (Path("out/animal"),)
    assert third.pose_teacher == exported[0].pose_encoder == Path("out/pose")
    assert exported[0].photo_encoder == Path("out/animal")
    assert list(exported[0].mean_with) == ([Path(start)] if start else [])
    assert second.split == third.split == Path("out/animal/split.json")
    assert exported[0].photo_mean_with == exported[0].mean_with


@pytest.mark.parametrize("minutes", ["0", "1", "0.5", "ten"])
def test_minutes_that_cannot_be_divided_are_refused(minutes: str) -> None:
    command = [str(SCRIPT), "sketchy", "out", "photos"]
    environment = {**os.environ, "MINUTES": minutes}
    ran = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == f"MINUTES is a whole number, 2 or more; it is {minutes}\n"
