import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import EMBEDDINGS, ENCODER, HEADS, LAYOUT, MANIFEST, WEIGHTS
from model.errors import CheckpointError
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from model.search.search import SketchSearch
from tests.harness.checkpoints import make_checkpoint
from train.checkpoints import trained_network
from train.networks.siamese import SiameseNetwork


@pytest.fixture
def gallery(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> Path:
    photos = photos_in(photo_folder)
    return build_gallery(tiny_checkpoint, photos, tmp_path / "gallery").checkpoint.folder


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def trainable(tmp_path: Path) -> Path:
    """A checkpoint whose weights are of the network that its manifest names."""
    return make_checkpoint(tmp_path / "trainable", real_backbones=True).folder


def test_weights_come_back_as_fp16_rounds_them(trainable: Path) -> None:
    torch.manual_seed(0)
    original = SiameseNetwork("resnet18", 8, 3)
    loaded = trained_network(trainable)
    for name, value in original.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value.half().to(value.dtype))


@pytest.mark.parametrize("name", [ENCODER, HEADS, EMBEDDINGS, LAYOUT, MANIFEST])
def test_a_missing_file_is_named(gallery: Path, name: str) -> None:
    (gallery / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}.* is missing"):
        SketchSearch.load(gallery)


@pytest.mark.parametrize("name", [ENCODER, HEADS, EMBEDDINGS, LAYOUT, MANIFEST])
def test_a_truncated_file_is_named(gallery: Path, name: str) -> None:
    data = (gallery / name).read_bytes()
    (gallery / name).unlink()
    (gallery / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=name):
        SketchSearch.load(gallery)


def test_swapped_files_are_named(gallery: Path, tmp_path: Path) -> None:
    index = (gallery / EMBEDDINGS).read_bytes()
    (gallery / EMBEDDINGS).write_bytes(index[:-1] + bytes([index[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=f"{EMBEDDINGS} is not the file"):
        SketchSearch.load(gallery)
    (gallery / EMBEDDINGS).write_bytes(index)
    SketchSearch.load(gallery)
    (gallery / ENCODER).unlink()
    shutil.copyfile(gallery / EMBEDDINGS, gallery / ENCODER)
    with pytest.raises(CheckpointError, match=f"{ENCODER} is not the file"):
        SketchSearch.load(gallery)


def test_a_manifest_that_does_not_fit_is_refused(gallery: Path) -> None:
    manifest = json.loads((gallery / MANIFEST).read_text())
    for changes, said in [
        ({"photos": manifest["photos"][:-1]}, "lists 5 photos for an index over 6"),
        ({"embedding_size": 13}, "embedding size of 13, but 8 . 3 classes"),
        ({"sha256": None}, "missing, unknown or invalid field"),
        ({"input_size": "large"}, "missing, unknown or invalid field"),
        ({"preprocessing": {**manifest["preprocessing"], "margin": 0.5}}, "preprocessing .margin"),
        ({"format": 99}, "format 99; this version reads format 2"),
        ({"standardise": 1}, "missing, unknown or invalid field"),
        ({"normalise": False}, "index by angular distance for an encoder that needs euclidean"),
        ({"photo_encoder": {"backbone": "vgg11"}}, "missing, unknown or invalid field"),
        ({"surprise": 1}, "missing, unknown or invalid field"),
    ]:
        change_manifest(gallery, **{**manifest, **changes})
        with pytest.raises(CheckpointError, match=said):
            SketchSearch.load(gallery)
        (gallery / MANIFEST).write_text(json.dumps(manifest))
    SketchSearch.load(gallery)


def test_weights_that_are_not_of_the_network_in_the_manifest_are_refused(trainable: Path) -> None:
    manifest = json.loads((trainable / MANIFEST).read_text())
    cases: list[tuple[dict[str, object], str]] = [
        ({"backbone": "resnet34"}, "does not fit the resnet34"),
        ({"backbone": "resnet9"}, "does not fit"),
        ({"sha256": {**manifest["sha256"], WEIGHTS: "0"}}, "does not fit"),
    ]
    for changes, said in cases:
        change_manifest(trainable, **{**manifest, **changes})
        with pytest.raises(CheckpointError, match=said):
            trained_network(trainable)
    (trainable / WEIGHTS).unlink()
    with pytest.raises(
        CheckpointError, match=f"{WEIGHTS} is missing: the weights to train further"
    ):
        trained_network(trainable)
    assert Checkpoint.open(trainable).encoder().size == 11, "the app does without them"


def test_an_older_checkpoint_says_how_to_convert_it(gallery: Path) -> None:
    photos = json.loads((gallery / MANIFEST).read_text())["photos"]
    for listed, command in ((photos, "train index --photos DIR"), ([], "train export --run")):
        change_manifest(gallery, format=1, photos=listed)
        with pytest.raises(CheckpointError, match=f"older version.*{command}"):
            Checkpoint.open(gallery)


def test_a_checkpoint_without_photos_embeds_but_does_not_search(
    tiny_checkpoint: Checkpoint,
) -> None:
    search = SketchSearch.load(tiny_checkpoint.folder)
    assert search.photos == []
    with pytest.raises(Exception, match="No photos are indexed"):
        search.nearest(np.ones(11, np.float32))
