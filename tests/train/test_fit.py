"""The way from a data folder to a checkpoint, through the command line."""

import dataclasses
import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.search.search import SketchSearch
from train.__main__ import main
from train.checkpoints import trained_network
from train.config import FitConfig
from train.networks.build import build_network
from train.objective import Batch, loss_terms
from train.precision import autocast, bf16_is_fast
from train.runs import load_run, save_best

TINY = [
    *("--backbone", "resnet18", "--embedding-size", "16", "--input-size", "32"),
    *("--sketch-batch", "12", "--photo-batch", "9", "--lr", "0.002", "--ema", "0.8"),
    *("--classes", "all", "--validation", "0.5", "--eval-every", "20"),
]


def run_fit(sketchy: Path, run: Path, *more: str) -> int:
    folders = ["--sketchy", str(sketchy), "--run", str(run), "--cache", str(run / "cache")]
    return main(["fit", *folders, *TINY, *more])


@pytest.fixture(scope="module")
def run(sketchy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert run_fit(sketchy, folder, "--steps", "60") == 0
    return folder


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


def test_curves_are_there_for_tensorboard(run: Path) -> None:
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    logged = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    curve = events.Scalars("validation/precision_at_12")
    assert [point.step for point in curve] == [20, 40, 60]
    assert curve[-1].value == pytest.approx(logged["precision_at_12"], abs=1e-6)
    assert events.Scalars("train/cosface")[-1].step == 60


def test_bf16_is_left_to_devices_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")

    def computed_in(wanted: bool, **able: bool) -> torch.dtype:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
        with autocast(cpu, amp=wanted):
            return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    assert computed_in(True, avx2=True, avx512_bf16=False) is torch.float32
    assert computed_in(True, avx2=True, avx512_bf16=True) is torch.bfloat16
    assert computed_in(True, amx_bf16=True) is torch.bfloat16
    assert computed_in(False, amx_bf16=True) is torch.float32

    # A GPU that can compute in bf16 by emulation alone, as a T4 does.
    def emulates(including_emulation: bool = True) -> bool:
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", emulates)
    assert not bf16_is_fast(torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert bf16_is_fast(torch.device("cuda"))


def test_losses_are_computed_in_full_precision_whatever_the_network_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    config = FitConfig(backbone="resnet18", embedding_size=8, amp=True)
    torch.manual_seed(0)
    network = build_network(config, 3, pretrained=False)
    labels = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 2, 1])
    targets = torch.nn.functional.normalize(torch.randn(8, 8), dim=1)
    batch = Batch(torch.randn(8, 3, 32, 32), (4, 4, 0), *labels, targets)
    terms = loss_terms(config, network, batch)
    assert set(terms) == {"cosface", "supcon", "distil"}
    assert all(term.dtype == torch.float32 for term in terms.values())
    precise = loss_terms(dataclasses.replace(config, amp=False), network, batch)
    assert any(terms[name] != precise[name] for name in terms), "bf16 rounds in the network"


def test_a_run_does_not_go_on_without_its_teacher(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student, teacher = tmp_path / "student", tmp_path / "teacher"
    shutil.copytree(run, teacher)
    taught = ["--teacher", str(teacher)]
    assert run_fit(sketchy, student, "--steps", "2", *taught) == 0
    assert run_fit(sketchy, student, "--steps", "4", "--resume") == 1
    assert "the teacher was" in capsys.readouterr().err
    assert run_fit(sketchy, student, "--steps", "4", "--resume", *taught) == 0
    os.utime(teacher / "best.pt", (1, 1))  # as another run in its place would have
    assert run_fit(sketchy, student, "--steps", "6", "--resume", *taught) == 1
    assert "the teacher was" in capsys.readouterr().err


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
        (["--mixed-sketches", "1"], "--mixed-sketches is at least 2 here"),
        (["--mixed-sketches", "2"], "add --teacher RUN"),
        (["--labels", "0"], "there is nothing to learn from"),
        (["--labels", "0", "--distil", "0", "--teacher", "{run}"], "there is nothing to learn"),
        (["--input-size", "1000000"], "--input-size must be at most 1024"),
        (["--seed", "99999999999999999999999"], "--seed must be below 2^63"),
        (["--margin", "nan"], "--margin is a number"),
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


def test_a_teacher_with_another_split_is_refused(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fit(sketchy, tmp_path / "s", "--teacher", str(run), "--seed", "1") == 1
    assert "another split" in capsys.readouterr().err


def test_a_student_learns_its_teachers_projection(sketchy: Path, run: Path, tmp_path: Path) -> None:
    teacher = ["--teacher", str(run), "--unlabelled-photos"]
    photos = str(sketchy / "256x256" / "photo" / "tx_000000000000")
    student = tmp_path / "student"
    assert (
        run_fit(sketchy, student, *teacher, photos, "--unlabelled-batch", "6", "--steps", "20") == 0
    )
    prototypes = [
        torch.load(folder / "best.pt", weights_only=True)["network"]["prototypes"]
        for folder in (run, student)
    ]
    assert torch.equal(*prototypes)
    assert json.loads((student / "log.jsonl").read_text().splitlines()[-1])["distil"] > 0


def test_a_run_that_goes_on_from_a_checkpoint_stays_in_its_space(
    sketchy: Path, run: Path, tmp_path: Path
) -> None:
    start, further = tmp_path / "start", tmp_path / "further"
    assert main(["export", "--precision", "fp32", "--run", str(run), "--out", str(start)]) == 0
    split = ["--split", str(run / "split.json")]
    assert run_fit(sketchy, further, "--start", str(start), *split, "--steps", "10") == 0
    before, after = trained_network(start), load_run(further).network
    assert torch.equal(after.prototypes, before.prototypes)
    assert not torch.equal(after.projection.weight, before.projection.weight)


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
    command = [
        "export",
        "--precision",
        "fp32",
        "--run",
        str(stopped),
        "--last",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 1
    assert "last.pt is missing" in capsys.readouterr().err


def test_a_start_and_a_teacher_of_different_spaces_are_refused(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, start = tmp_path / "other", tmp_path / "start"
    split = ["--split", str(run / "split.json")]
    assert run_fit(sketchy, other, *split, "--steps", "2", "--seed", "5") == 0
    assert main(["export", "--precision", "fp32", "--run", str(run), "--out", str(start)]) == 0
    both = ["--start", str(start), *split, "--steps", "2"]
    assert run_fit(sketchy, tmp_path / "r", *both, "--teacher", str(other)) == 1
    assert "embeds into another space than the teacher" in capsys.readouterr().err
    assert run_fit(sketchy, tmp_path / "r", *both, "--teacher", str(run)) == 0


def test_a_checkpoint_with_photos_is_exported_again_and_gone_on_from(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, mean = tmp_path / "out", tmp_path / "mean"
    photos = sketchy / "256x256" / "photo" / "tx_000000000000"
    command = [
        "export",
        "--precision",
        "fp32",
        "--run",
        str(run),
        "--out",
        str(out),
        "--photos",
        str(photos),
    ]
    for _ in range(2):
        assert main(command) == 0
        assert len(SketchSearch.load(out).photos) == 30
    export = [
        "export",
        "--precision",
        "fp32",
        "--run",
        str(run),
        "--mean-with",
        str(out),
        "--out",
        str(mean),
    ]
    assert main(export) == 0
    split = ["--split", str(run / "split.json")]
    assert run_fit(sketchy, tmp_path / "on", "--start", str(out), *split, "--steps", "2") == 0
    (out / "split.json").unlink()
    assert main(command) == 1
    assert "holds other files than a checkpoint" in capsys.readouterr().err
    assert len(SketchSearch.load(out).photos) == 30


def test_the_mean_of_a_run_and_where_it_started_is_exported(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, start, out = tmp_path / "begun", tmp_path / "start", tmp_path / "out"
    begun.mkdir()
    (begun / "split.json").write_bytes((run / "split.json").read_bytes())
    trained = load_run(run)
    before = trained.network.projection.weight.detach().clone()

    def export_start(*, prototypes: float) -> None:
        other = load_run(run)
        with torch.no_grad():
            other.network.projection.weight.mul_(3)
            other.network.prototypes.mul_(prototypes)
        save_best(dataclasses.replace(other, folder=begun))
        assert (
            main(["export", "--precision", "fp32", "--run", str(begun), "--out", str(start)]) == 0
        )

    export_start(prototypes=1)
    command = [
        "export",
        "--precision",
        "fp32",
        "--run",
        str(run),
        "--mean-with",
        str(start),
        "--out",
        str(out),
    ]
    assert main(command) == 0
    mean = trained_network(out)
    assert torch.allclose(mean.projection.weight, 2 * before, rtol=2e-3, atol=1e-5)
    assert main([*command[:7], str(start), *command[7:]]) == 0  # once more, a third each
    mean_of_three = trained_network(out).projection.weight
    assert torch.allclose(mean_of_three, (1 + 3 + 3) / 3 * before, rtol=2e-3, atol=1e-5)
    for name, value in trained.network.backbone.state_dict().items():
        assert torch.allclose(mean.backbone.state_dict()[name], value, rtol=2e-3, atol=1e-4), name
    export_start(prototypes=-1)
    assert main(command) == 1
    assert "embeds into another space" in capsys.readouterr().err


def test_export_and_evaluate(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "checkpoint"
    photos = sketchy / "256x256" / "photo" / "tx_000000000000"
    command = [
        "export",
        "--precision",
        "fp32",
        "--run",
        str(run),
        "--out",
        str(out),
        "--photos",
        str(photos),
    ]
    assert main(command) == 0
    search = SketchSearch.load(out)
    assert len(search.photos) == 30
    assert search.manifest.classes == ["bat", "cow", "eel"]
    figures = tmp_path / "figures.json"
    evaluate = [
        *("evaluate", "--checkpoint", str(out), "--json", str(figures)),
        *("--photos", str(photos), "--split", str(out / "split.json")),
        *("--sketches", str(sketchy / "256x256" / "sketch" / "tx_000000000000")),
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
