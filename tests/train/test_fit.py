"""From a data folder to a checkpoint, through the command line."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.search.search import SketchSearch
from tests.train.fitting import PHOTOS, SKETCHES, export_fp32, run_fit
from train.__main__ import main
from train.running_losses import RunningLosses


def test_training_learns_to_find_the_class(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert max(line["map"] for line in lines) > 0.6
    assert lines[0]["photos"] == 15
    assert lines[0]["sketches"] == 45


def test_a_run_in_the_way_is_not_overwritten(
    sketchy: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "last.pt").read_bytes()
    assert run_fit(sketchy, run, "--steps", "5") == 1
    assert "Add --resume to go on with it" in capsys.readouterr().err
    assert (run / "last.pt").read_bytes() == before


def test_a_run_goes_on_where_it_stopped(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = tmp_path / "longer"
    shutil.copytree(run, longer)
    assert run_fit(sketchy, longer, "--resume", "--steps", "62") == 0
    assert "going on from step 60" in "".join(capsys.readouterr())
    assert torch.load(longer / "last.pt", weights_only=True)["step"] == 62
    assert torch.load(longer / "step-00000060.pt", weights_only=True)["step"] == 60
    assert sorted(p.name for p in longer.glob("step-*.pt")) == ["step-00000060.pt"]


def test_a_run_stops_after_its_minutes_passes_or_patience(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def last_step(name: str, *more: str) -> int:
        assert run_fit(sketchy, tmp_path / name, *more) == 0
        return int(torch.load(tmp_path / name / "last.pt", weights_only=True)["step"])

    assert last_step("epochs", "--epochs", "2") == 2 * math.ceil(45 / 12)
    assert 1 <= last_step("minutes", "--minutes", "0.01") < 30
    frozen = ["--lr", "1e-12", "--ema", "0", "--steps", "60", "--eval-every", "2"]
    assert last_step("patience", *frozen, "--patience", "2") < 20
    assert "P@12 has not risen for 2 times" in "".join(capsys.readouterr())


def test_a_run_whose_time_ends_while_it_waits_for_the_gpu_is_evaluated_and_saved(
    sketchy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that moves only while losses are read stands for the GPU."""
    seconds = [0.0]

    def read(losses: RunningLosses) -> None:
        seconds[0] += 100
        real_read(losses)

    real_read = RunningLosses.read
    monkeypatch.setattr("train.trainer.time", SimpleNamespace(monotonic=lambda: seconds[0]))
    monkeypatch.setattr(RunningLosses, "read", read)
    options = ["--minutes", "1", "--steps", "1000", "--eval-every", "1000"]
    assert run_fit(sketchy, tmp_path / "run", *options) == 0
    evaluated = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").open()]
    assert [line["step"] for line in evaluated] == [20]
    for name in ("last.pt", "best.pt"):
        assert torch.load(tmp_path / "run" / name, weights_only=True)["step"] == 20


def test_curves_are_there_for_tensorboard(run: Path) -> None:
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    logged = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    curve = events.Scalars("validation/precision_at_12")
    assert [point.step for point in curve] == [20, 40, 60]
    assert curve[-1].value == pytest.approx(logged["precision_at_12"], abs=1e-6)
    assert events.Scalars("train/cosface")[-1].step == 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--classes", "cow", "--loss", "triplet", "--validation-photos", "12"],
            "two classes or more",
        ),
        (["--validation", "0.2"], "holds out 6 photos; P@12 needs 12"),
        (["--validation", "0.96"], "leaves no training sketches of bat, cow, eel"),
        (["--unlabelled-batch", "4"], "--unlabelled-photos and --unlabelled-batch need each other"),
        (["--mixed-sketches", "1"], "--mixed-sketches must be at least 2 here"),
        (["--mixed-sketches", "2"], "add --teacher RUN"),
        (["--labels", "0"], "there is nothing to learn from"),
        (["--labels", "0", "--distil", "0", "--teacher", "{run}"], "there is nothing to learn"),
        (["--input-size", "1000000"], "--input-size must be at most 1024"),
        (["--seed", "99999999999999999999999"], "--seed must be below 2^63"),
        (["--margin", "nan"], "--margin must be a finite number"),
        (["--classes", "cow,dodo"], "no photos with sketches of dodo"),
        (["--start", "{tmp}"], "is no checkpoint"),
    ],
)
def test_what_cannot_be_trained_on_is_named(
    sketchy: Path,
    run: Path,
    tmp_path: Path,
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = {"{tmp}": str(tmp_path), "{run}": str(run)}
    given = [named.get(option, option) for option in options]
    assert run_fit(sketchy, tmp_path / "run", "--steps", "2", *given) == 1
    assert said in capsys.readouterr().err


def test_a_class_without_sketches_is_left_out_and_named(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sketchy, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "256x256" / "sketch" / "tx_000000000000" / "eel")
    given = ["--steps", "1", "--validation-photos", "9", "--validation", "0.6"]
    assert run_fit(tmp_path / "data", tmp_path / "run", *given) == 0
    said = "".join(capsys.readouterr())
    assert "class eel has no sketches. Add some, or remove its folder" in said
    assert "2 classes" in said


def test_a_run_does_not_go_on_with_other_settings(
    sketchy: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "split.json").read_text()
    for change, said in (
        (["--seed", "1"], "seed was 0 and is 1"),
        (["--embedding-size", "8"], "embedding_size was 16 and is 8"),
        (["--validation", "0.4"], "the held-out pictures differ"),
    ):
        assert run_fit(sketchy, run, "--resume", "--steps", "70", *change) == 1
        assert said in capsys.readouterr().err
    assert (run / "split.json").read_text() == before


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_anew(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    for name in ("best.pt", "split.json"):
        shutil.copyfile(run / name, stopped / name)
    assert run_fit(sketchy, stopped, "--steps", "2") == 1
    assert "Add --resume" in capsys.readouterr().err
    assert run_fit(sketchy, stopped, "--steps", "2", "--resume") == 0
    assert "last.pt is not there yet: this run starts anew" in "".join(capsys.readouterr())
    assert torch.load(stopped / "last.pt", weights_only=True)["step"] == 2
    (stopped / "last.pt").unlink()
    assert export_fp32(stopped, tmp_path / "out", "--last") == 1
    assert "last.pt is missing" in capsys.readouterr().err


def test_export_and_evaluate(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "checkpoint"
    photos = sketchy / PHOTOS
    assert export_fp32(run, out, "--photos", photos) == 0
    search = SketchSearch.load(out)
    assert len(search.photos) == 30
    assert search.manifest.classes == ["bat", "cow", "eel"]
    figures = tmp_path / "figures.json"
    evaluate = [
        *("evaluate", "--checkpoint", str(out), "--json", str(figures)),
        *("--photos", str(photos), "--split", str(out / "split.json")),
        *("--sketches", str(sketchy / SKETCHES)),
    ]
    assert main(evaluate) == 0
    written = json.loads(figures.read_text())
    assert set(written) >= {
        *("precision_at_12", "precision_at_1", "map", "photos", "sketches", "classes")
    }
    assert (written["photos"], written["sketches"], written["classes"]) == (15, 45, 3)
    trained = search.manifest.metrics
    for name in ("precision_at_12", "precision_at_1", "map"):
        assert written[name] == pytest.approx(trained[name], abs=0.06)
    assert written["map"] > 0.6
    assert "holds out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["fit", "--sketchy", "{tmp}", "--run", "{tmp}/r"], "does not look like the Sketchy"),
        (
            ["export", "--precision", "fp32", "--run", "{tmp}", "--out", "{tmp}/o"],
            "has not been evaluated yet",
        ),
        (["evaluate", "--photos", "{tmp}", "--sketches", "{tmp}"], "no pictures"),
        (
            ["evaluate", "--photos", "{tmp}", "--sketches", "{tmp}", "--checkpoint", "{tmp}"],
            "is no checkpoint",
        ),
    ],
)
def test_bad_input_ends_with_one_clear_line(
    command: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.replace("{tmp}", str(tmp_path)) for part in command]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
