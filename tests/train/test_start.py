"""Runs that start from checkpoints or learn from teachers, and means of their weights."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from model.search.search import SketchSearch
from tests.train.fitting import PHOTOS, export_fp32, run_fit
from train.checkpoints import trained_network
from train.runs import load_run, save_best


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


def test_a_checkpoint_teaches_and_the_run_goes_on_with_it(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    assert export_fp32(run, teacher) == 0
    taught = ["--teacher", str(teacher), "--split", str(run / "split.json")]
    assert run_fit(sketchy, student, *taught, "--steps", "1") == 0
    assert run_fit(sketchy, student, *taught, "--steps", "2", "--resume") == 0
    os.utime(teacher / "manifest.json", (1, 1))  # as another checkpoint in its place would have
    assert run_fit(sketchy, student, *taught, "--steps", "3", "--resume") == 1
    assert "the teacher was" in capsys.readouterr().err


def test_a_teacher_with_another_split_is_refused(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fit(sketchy, tmp_path / "s", "--teacher", str(run), "--seed", "1") == 1
    assert "another split" in capsys.readouterr().err


def test_a_student_learns_its_teachers_projection(sketchy: Path, run: Path, tmp_path: Path) -> None:
    teacher = ["--teacher", str(run), "--unlabelled-photos"]
    photos = str(sketchy / PHOTOS)
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
    assert export_fp32(run, start) == 0
    split = ["--split", str(run / "split.json")]
    assert run_fit(sketchy, further, "--start", str(start), *split, "--steps", "10") == 0
    before, after = trained_network(start), load_run(further).network
    assert torch.equal(after.prototypes, before.prototypes)
    assert not torch.equal(after.projection.weight, before.projection.weight)


def test_a_start_of_another_loss_or_size_is_named(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs"
    split = ["--split", str(run / "split.json"), "--steps", "1"]
    assert run_fit(sketchy, pairs, *split, "--loss", "contrastive") == 0
    assert run_fit(sketchy, tmp_path / "r", *split, "--start", str(pairs)) == 1
    said = capsys.readouterr().err
    assert "was trained with --loss contrastive, and this run has --loss cosface" in said
    own = [*split, "--start", str(run)]
    assert run_fit(sketchy, tmp_path / "r", *own, "--loss", "contrastive") == 1
    said = capsys.readouterr().err
    assert "was trained with --loss cosface, and this run has --loss contrastive" in said
    assert run_fit(sketchy, tmp_path / "r", *own, "--embedding-size", "8") == 1
    assert "has --embedding-size 16; give this run the same" in capsys.readouterr().err


def test_a_start_and_a_teacher_of_different_spaces_are_refused(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, start = tmp_path / "other", tmp_path / "start"
    split = ["--split", str(run / "split.json")]
    assert run_fit(sketchy, other, *split, "--steps", "2", "--seed", "5") == 0
    assert export_fp32(run, start) == 0
    both = ["--start", str(start), *split, "--steps", "2"]
    assert run_fit(sketchy, tmp_path / "r", *both, "--teacher", str(other)) == 1
    assert "embeds into another space than the teacher" in capsys.readouterr().err
    assert run_fit(sketchy, tmp_path / "r", *both, "--teacher", str(run)) == 0


def test_a_checkpoint_with_photos_is_exported_again_and_gone_on_from(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, mean = tmp_path / "out", tmp_path / "mean"
    photos = sketchy / PHOTOS
    command = run, out, "--photos", photos
    for _ in range(2):
        assert export_fp32(*command) == 0
        assert len(SketchSearch.load(out).photos) == 30
    assert export_fp32(run, mean, "--mean-with", out) == 0
    split = ["--split", str(run / "split.json")]
    assert run_fit(sketchy, tmp_path / "on", "--start", str(out), *split, "--steps", "2") == 0
    (out / "split.json").unlink()
    assert export_fp32(*command) == 1
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
        assert export_fp32(begun, start) == 0

    export_start(prototypes=1)
    assert export_fp32(run, out, "--mean-with", start) == 0
    mean = trained_network(out)
    assert torch.allclose(mean.projection.weight, 2 * before, rtol=2e-3, atol=1e-5)
    assert export_fp32(run, out, "--mean-with", start, start) == 0  # a third each
    mean_of_three = trained_network(out).projection.weight
    assert torch.allclose(mean_of_three, (1 + 3 + 3) / 3 * before, rtol=2e-3, atol=1e-5)
    for name, value in trained.network.backbone.state_dict().items():
        assert torch.allclose(mean.backbone.state_dict()[name], value, rtol=2e-3, atol=1e-4), name
    export_start(prototypes=-1)
    assert export_fp32(run, out, "--mean-with", start) == 1
    assert "embeds into another space" in capsys.readouterr().err
