"""Blended encoders, and students that learn photos from them."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from tests.train.fitting import PHOTOS, export_fp32
from train.__main__ import main
from train.config import FitConfig
from train.data import batches
from train.data.dataset import load_dataset
from train.data.sources import Sources
from train.mixing import mix
from train.networks.backbones import build_backbone
from train.networks.build import build_network
from train.runs import Run, load_run, save_best
from train.teacher import Teachers
from train.trainer import Trainer

SETTINGS = (
    "--embedding-size 16 --sketch-batch 12 --photo-batch 9 --classes all --validation 0.5 "
    "--eval-every 5 --steps 5 --lr 0.002"
)


@pytest.fixture(scope="module")
def tuned(sketchy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run at 48 pixels that started from ImageNet weights."""
    folder = tmp_path_factory.mktemp("tuned")
    options = f"{SETTINGS} --backbone efficientnet_lite0 --pretrained --no-amp --input-size 48"
    common = ["--sketchy", str(sketchy), "--run", str(folder), "--cache", str(folder / "cache")]
    assert main(["fit", *common, *options.split(), "--no-standardise"]) == 0
    return folder


def blended(sketchy: Path, tuned: Path, out: Path, *more: str) -> int:
    common = ["--sketchy", str(sketchy), "--cache", str(tuned / "cache")]
    return main(["blend", "--run", str(tuned), "--out", str(out), *common, *more])


@pytest.fixture(scope="module")
def half(sketchy: Path, tuned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("half")
    assert blended(sketchy, tuned, out, "--input-size", "64") == 0
    return out


def test_the_backbone_is_the_mean_of_before_and_after(tuned: Path, half: Path) -> None:
    before = build_backbone("efficientnet_lite0", pretrained=True)[0].state_dict()
    after = load_run(tuned).network.backbone.state_dict()
    found = load_run(half).network.backbone.state_dict()
    moved = 0
    for name, value in found.items():
        if value.is_floating_point():
            expected = (before[name].double() + after[name].double()) / 2
            assert torch.allclose(value.double(), expected, atol=1e-6), name
            moved += int(not torch.equal(before[name], after[name]))
    assert moved > 100, "the run has to have learned something, for this to mean anything"


def test_the_projection_is_fitted_and_the_space_stays(tuned: Path, half: Path) -> None:
    old, new = load_run(tuned), load_run(half)
    assert torch.equal(old.network.prototypes, new.network.prototypes)
    assert not torch.equal(old.network.projection.weight, new.network.projection.weight)
    assert (new.config.input_size, new.classes) == (64, old.classes)
    assert (half / "split.json").read_bytes() == (tuned / "split.json").read_bytes()


def test_photos_are_told_apart_and_how_well_is_said(
    sketchy: Path, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert blended(sketchy, tuned, tmp_path / "out", "--share", "0.3") == 0
    told = capsys.readouterr().out
    before, after = (float(told.split(word)[0].split()[-1]) for word in (" before", " now"))
    assert 0 <= before <= 1
    assert after > 0.8, "three shapes in one colour are easy to tell apart"


@pytest.fixture(scope="module")
def unfit(tuned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs that cannot be blended: `other` has random weights, `posed` a pose."""
    root = tmp_path_factory.mktemp("unfit")
    other = load_run(tuned)
    with torch.no_grad():
        for kernel in other.network.backbone.parameters():
            kernel.normal_()
    config = replace(other.config, pose=4, pose_pairs=16, sketch_batch=16, photo_batch=16)
    posed = build_network(config, len(other.classes), pretrained=False)
    for name, network in (("other", other.network), ("posed", posed)):
        (root / name).mkdir()
        used = config if network is posed else other.config
        save_best(replace(other, folder=root / name, network=network, config=used))
    return root


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share", "1.5"], "--share must be 0 to 1"),
        (["--out", "{tuned}"], "holds a run already"),
        (["--run", "{tmp}"], "best.pt is missing"),
        (["--input-size", "8"], "at least 32 pixels"),
        (["--run", "{other}"], "did not start from ImageNet weights"),
        (["--run", "{posed}"], "has a pose, which would not fit the blended backbone"),
    ],
)
def test_what_cannot_be_blended_is_named(
    sketchy: Path,
    tuned: Path,
    unfit: Path,
    tmp_path: Path,
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = {"{tuned}": str(tuned), "{tmp}": str(tmp_path)}
    named |= {f"{{{name}}}": str(unfit / name) for name in ("other", "posed")}
    given = [named.get(option, option) for option in options]
    assert blended(sketchy, tuned, tmp_path / "out", *given) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_backbone_without_imagenet_weights_is_named(
    sketchy: Path, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--sketchy", str(sketchy), "--run", str(tmp_path / "plain")]
    options = f"{SETTINGS} --backbone plain_cnn --input-size 100 --steps 1".split()
    cache = ["--cache", str(tuned / "cache")]
    assert main(["fit", *common, *options, *cache]) == 0
    capsys.readouterr()
    assert blended(sketchy, tmp_path / "plain", tmp_path / "out") == 1
    assert "There are no ImageNet weights of plain_cnn" in capsys.readouterr().err


def test_a_blend_is_neither_compared_nor_trained_on(
    sketchy: Path, tuned: Path, half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(tuned), str(half)]) == 1
    assert "was blended, and never evaluated" in capsys.readouterr().err
    before = (half / "best.pt").read_bytes()
    for more in ([], ["--resume"]):
        assert student(sketchy, tuned, half, *more) == 1
        assert "holds a blend" in capsys.readouterr().err
    assert (half / "best.pt").read_bytes() == before


def student(sketchy: Path, tuned: Path, run: Path, *more: str) -> int:
    photos = str(sketchy / PHOTOS)
    common = ["--sketchy", str(sketchy), "--run", str(run), "--cache", str(tuned / "cache")]
    options = f"{SETTINGS} --backbone resnet18 --input-size 32 --unlabelled-batch 6".split()
    teachers = ["--teacher", str(tuned), "--unlabelled-photos", photos]
    return main(["fit", *common, *options, *teachers, *more])


def test_a_student_of_both_indexes_photos_with_the_second(
    sketchy: Path, tuned: Path, half: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ONNX files: test_export checks them."""
    monkeypatch.setattr("train.checkpoints.write_backbone", lambda *given: given[2].touch())
    run, out = tmp_path / "run", tmp_path / "checkpoint"
    assert (
        student(sketchy, tuned, run, "--photo-teacher", str(half), "--mix", "--mixed-sketches", "3")
        == 0
    )
    assert json.loads((run / "log.jsonl").read_text().splitlines()[-1])["distil"] > 0
    assert export_fp32(run, out, "--photo-encoder", half) == 0
    photos = Checkpoint.open(out).manifest.photo_encoder
    assert photos is not None
    assert (photos.backbone, photos.input_size) == ("efficientnet_lite0", 64)


def test_teachers_of_different_spaces_are_refused(
    sketchy: Path, tuned: Path, half: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = load_run(half)
    with torch.no_grad():
        other.network.prototypes.mul_(-1)
    save_best(replace(other, folder=tmp_path))
    (tmp_path / "split.json").write_bytes((half / "split.json").read_bytes())
    assert student(sketchy, tuned, tmp_path / "run", "--photo-teacher", str(tmp_path)) == 1
    assert "embed into different spaces" in capsys.readouterr().err
    assert student(sketchy, tuned, tmp_path / "run", "--mix", "--unlabelled-batch", "0") == 1
    assert "add --unlabelled-batch" in capsys.readouterr().err
    assert student(sketchy, tuned, tmp_path / "run", "--mix", "--input-size", "96") == 1
    assert "takes images of 48 pixels, fewer than this run" in capsys.readouterr().err


def test_a_teacher_without_prototypes_is_refused(
    sketchy: Path, half: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = load_run(half)
    config = replace(found.config, loss="contrastive")
    network = build_network(config, len(found.classes), pretrained=False)
    save_best(replace(found, folder=tmp_path, network=network, config=config))
    (tmp_path / "split.json").write_bytes((half / "split.json").read_bytes())
    assert student(sketchy, tmp_path, tmp_path / "run") == 1
    assert "has other prototypes" in capsys.readouterr().err


MIXED = FitConfig(
    backbone="resnet18",
    embedding_size=16,
    input_size=32,
    classes="all",
    validation=0.5,
    sketch_batch=4,
    photo_batch=4,
    unlabelled_batch=6,
    mix=True,
    mixed_sketches=3,
)
"""A run with both kinds of mixtures."""


def check_mixture(mixed: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> None:
    """A mixture lies between its two pictures, in one share for the whole picture."""
    between, one, two = (picture.flatten().double() for picture in (mixed, first, second))
    apart = two - one
    share = float((between - two) @ -apart / (apart @ apart))
    assert 0 <= share <= 1
    assert torch.allclose(between, share * one + (1 - share) * two, atol=1e-4)


@torch.no_grad()
def mean_projections(taught_by: Sequence[Run], images: torch.Tensor) -> torch.Tensor:
    """The mean of what each teacher says of images, at its own size."""
    total = torch.zeros(len(images), 16)
    for run in taught_by:
        network, side = load_run(run.folder).network, run.config.input_size
        said = network(torch.nn.functional.adaptive_avg_pool2d(images, side))
        total += said / said.norm(dim=1, keepdim=True)
    mean: torch.Tensor = total / total.norm(dim=1, keepdim=True)
    return mean


def test_the_teachers_see_the_same_mixtures(
    sketchy: Path, tuned: Path, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sketchy / PHOTOS
    split, cache = tuned / "split.json", tuned / "cache"
    sources = Sources(
        sketchy,
        unlabelled=(folder,),
        split=split,
        teachers=(tuned, half),
        photo_teacher=half,
        cache=cache,
    )
    teachers = Teachers.load(MIXED, sources)
    assert teachers.mixed_sizes == {"unlabelled": 64, "sketches": 64}
    dataset = load_dataset(MIXED, sources, teachers.mixed_sizes)
    assert dataset.photos.frames.take(dataset.photos.labels[:1] * 0).shape[1:3] == (80, 80)

    trainer = Trainer(MIXED, dataset, half, torch.device("cpu"), sources, teachers)
    seen = []

    def recorded(
        taught_by: Sequence[Run],
        views: torch.Tensor,
        others: torch.Tensor,
        generator: torch.Generator,
    ) -> object:
        mixed, said = mix(taught_by, views, others, generator)
        seen.append((taught_by, views, others, mixed, said))
        return mixed, said

    monkeypatch.setattr(batches, "mix", recorded)
    batch = trainer.draw()
    found = [([run.folder for run in taught_by], len(views)) for taught_by, views, *_ in seen]
    assert found == [([half], 6), ([tuned, half], 3)]
    for taught_by, views, others, mixed, said in seen:
        for i in range(len(views)):
            check_mixture(mixed[i], views[i], others[i % len(others)])
        assert torch.allclose(said, mean_projections(taught_by, mixed), atol=2e-3)
    # A sketch is mixed with another one.
    (_, drawn, partners, _, _) = seen[1]
    assert all(torch.equal(partners[i], drawn[i - 1]) for i in range(3))
    assert len({float(view.sum()) for view in drawn}) == 3
    # The student sees the same mixtures, each 2 x 2 pixels of the teachers' as one.
    assert batch.images.shape == (4 + 4 + 6 + 3, 3, 32, 32)
    assert batch.counts == (4, 4, 9)
    mixed_of_all = torch.cat([mixed for *_, mixed, _ in seen])
    smaller = mixed_of_all.reshape(9, 3, 32, 2, 32, 2).mean(dim=(3, 5))
    assert torch.allclose(batch.images[8:], smaller, atol=1e-5)
    assert batch.targets is not None
    assert torch.equal(batch.targets[8:], torch.cat([said for *_, said in seen]))
    assert math.isclose(float(batch.targets.norm(dim=1).mean()), 1, abs_tol=1e-4)
