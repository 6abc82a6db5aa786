"""Runs that are killed, that fill the disk, or that diverge."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.train.conftest import full_disk
from train.__main__ import main
from train.config import FitConfig
from train.data.dataset import load_dataset
from train.data.sources import Sources
from train.errors import DataError
from train.objective import Batch
from train.run_files import save_last
from train.trainer import Trainer

SETTINGS = [
    *("--backbone", "resnet18", "--embedding-size", "8", "--input-size", "32", "--classes", "all"),
    *("--sketch-batch", "6", "--photo-batch", "6", "--validation", "0.5", "--device", "cpu"),
    *("--steps", "24", "--eval-every", "4", "--loss", "contrastive", "--no-normalise"),
]


def command(sketchy: Path, run: Path, *more: str) -> list[str]:
    folders = ["--sketchy", str(sketchy), "--run", str(run), "--cache", str(run.parent / "cache")]
    return ["fit", *folders, *SETTINGS, *more]


def read_log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_killed_run_goes_on_as_if_nothing_had_happened(sketchy: Path, tmp_path: Path) -> None:
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    assert main(command(sketchy, unbroken)) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *command(sketchy, killed)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
    )
    while not (killed / "step-00000008.pt").exists():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped = torch.load(killed / "last.pt", weights_only=True)["step"]
    assert 8 <= stopped < 24
    assert main(command(sketchy, killed, "--resume")) == 0
    expected, found = read_log(unbroken), read_log(killed)
    assert [line["step"] for line in found] == [4, 8, 12, 16, 20, 24]
    for one, other in zip(expected, found, strict=True):
        for key in ("contrastive", "precision_at_12", "map"):
            assert other[key] == pytest.approx(one[key], rel=1e-5), (one["step"], key)
    weights = [
        torch.load(run / "last.pt", weights_only=True)["average"] for run in (unbroken, killed)
    ]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=1e-4, atol=1e-5, msg=key)


def test_a_full_disk_is_reported_and_the_last_checkpoint_survives(tmp_path: Path) -> None:
    save_last({"step": 1, "weights": torch.zeros(10)}, tmp_path, keep=2)
    before = (tmp_path / "last.pt").read_bytes()
    said = r"last\.pt could not be written.*it is unchanged"
    with full_disk(100_000), pytest.raises(DataError, match=said):
        save_last({"step": 2, "weights": torch.zeros(1_000_000)}, tmp_path, keep=2)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_a_training_goes_on_when_a_checkpoint_cannot_be_written(
    sketchy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from tests.train.conftest import full_disk; "
            "from train.__main__ import main\n"
            "with full_disk(5_000_000): sys.exit(main(sys.argv[1:]))",
            *command(sketchy, run, "--steps", "6"),
        ],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    assert "last.pt could not be written" in process.stderr + process.stdout
    assert [line["step"] for line in read_log(run)] == [4, 6]
    assert not list(run.glob("*.tmp"))


TINY = FitConfig(
    backbone="resnet18",
    classes="all",
    embedding_size=8,
    input_size=32,
    sketch_batch=6,
    photo_batch=6,
    validation=0.5,
    eval_every=2,
)


class Losing(Trainer):
    """Deletes all photos but one of each class after the first step."""

    def draw(self) -> Batch:
        if self.step == 1:
            photos = self.dataset.photos.frames.pictures
            kept = {photo.label: photo for photo in photos}.values()
            for photo in photos:
                if photo not in kept:
                    photo.path.unlink()
        return super().draw()


def test_pictures_that_go_away_while_it_trains_do_not_end_the_training(
    sketchy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With frames that do not fit on the disk, so that they are decoded each time."""
    full = SimpleNamespace(total=10**6, used=10**6 - 9000, free=9000)
    monkeypatch.setattr("train.data.frames.shutil.disk_usage", lambda _: full)
    data = tmp_path / "data"
    shutil.copytree(sketchy, data)
    config = replace(TINY, steps=3)
    sources = Sources(data, cache=tmp_path / "cache")
    dataset = load_dataset(config, sources)
    trainer = Losing(config, dataset, tmp_path / "run", torch.device("cpu"), sources)
    trainer.train()
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == 3
    assert "left out: " in "".join(capfd.readouterr())


class Poisoned(Trainer):
    """A pixel of the batch of step 3 is not a number."""

    def draw(self) -> Batch:
        batch = super().draw()
        if self.step == 3:
            batch.images[0, 0, 0, 0] = float("nan")
        return batch


def test_a_loss_that_is_not_a_number_stops_the_run_and_says_at_which_step(
    sketchy: Path, tmp_path: Path
) -> None:
    config = replace(TINY, steps=5)
    sources = Sources(sketchy, cache=tmp_path / "cache")
    dataset = load_dataset(config, sources)
    trainer = Poisoned(config, dataset, tmp_path / "run", torch.device("cpu"), sources)
    with pytest.raises(DataError, match=r"not finite at step 3: cosface nan.*The last good state"):
        trainer.train()
    last = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert last["step"] == 2
    assert all(bool(torch.isfinite(v).all()) for v in last["network"].values())


def test_a_damaged_checkpoint_names_the_one_to_take_instead(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(command(sketchy, run, "--steps", "8")) == 0
    (run / "last.pt").write_bytes((run / "last.pt").read_bytes()[:1000])
    assert main(command(sketchy, run, "--steps", "8", "--resume")) == 1
    error = capsys.readouterr().err
    assert "last.pt is damaged. Put step-00000004.pt in its place" in error


def test_a_gpu_that_is_not_there_is_named(sketchy: Path, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "train", *command(sketchy, tmp_path / "run"), "--device", "cuda"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert "sees no GPU. Use --device cpu" in process.stderr
    assert "Traceback" not in process.stderr
