"""A checkpoint with a second network that embeds photos into the same space."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.checkpoint.files import PHOTO_ENCODER
from model.checkpoint.records import PhotoEncoderInfo
from model.errors import CheckpointError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.photos import photos_in
from model.search.search import SketchSearch
from tests.harness.pictures import fish
from train.checkpoints import save_checkpoint
from train.networks.encoder import encoder_of
from train.networks.siamese import SiameseNetwork


@pytest.fixture
def networks() -> tuple[SiameseNetwork, SiameseNetwork]:
    torch.manual_seed(0)
    sketch, photo = SiameseNetwork("resnet18", 8, 3), SiameseNetwork("vgg11", 8, 3)
    photo.prototypes.data.copy_(sketch.prototypes.data)
    return sketch.eval(), photo.eval()


@pytest.fixture
def checkpoint(networks: tuple[SiameseNetwork, SiameseNetwork], tmp_path: Path) -> Checkpoint:
    return save_checkpoint(
        tmp_path / "checkpoint",
        networks[0],
        name="two networks",
        backbone="resnet18",
        input_size=32,
        classes=["a", "b", "c"],
        training={},
        metrics={},
        photo_network=networks[1],
        photo_encoder=PhotoEncoderInfo("vgg11", 48),
    )


def test_photos_go_through_their_own_network_unless_the_shared_one_is_asked_for(
    networks: tuple[SiameseNetwork, SiameseNetwork], checkpoint: Checkpoint, photo_folder: Path
) -> None:
    photos = [Image.open(photo.path) for photo in photos_in(photo_folder)][:3]
    encoder = checkpoint.encoder()
    own, shared = encoder_of(networks[1], 48), encoder_of(networks[0], 32)
    for found, expected in (
        (encoder.embed_photos(photos), own.embed_photos(photos)),
        (encoder.embed_photos(photos, shared=True), shared.embed_photos(photos)),
        (encoder.embed_sketches([fish()]), shared.embed_sketches([fish()])),
    ):
        assert np.abs(found - expected).max() < 1e-5
    apart = np.abs(own.embed_photos(photos) - shared.embed_photos(photos)).max()
    assert apart > 0.05, "the test needs networks that differ"


def test_a_query_never_loads_the_network_for_photos(
    checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos = photos_in(photo_folder)
    built = build_gallery(checkpoint, photos, tmp_path / "gallery").checkpoint
    assert gallery_is_current(built.folder, checkpoint, photos)
    search = SketchSearch.load(built.folder)
    (built.folder / PHOTO_ENCODER).unlink()
    found = search.query(fish(), k=2)
    own = checkpoint.encoder().embed_photos([Image.open(found[0].photo)])[0]
    query = search.encoder.embed_sketches([fish()])[0]
    assert found[0].distance == pytest.approx(float(np.linalg.norm(own - query)), abs=1e-3)


def test_a_missing_network_for_photos_is_named(checkpoint: Checkpoint) -> None:
    (checkpoint.folder / PHOTO_ENCODER).unlink()
    with pytest.raises(CheckpointError, match=f"{PHOTO_ENCODER} is missing"):
        Checkpoint.open(checkpoint.folder)


def test_mirror_images_are_seen_by_the_network_of_the_animal_only() -> None:
    photos = Checkpoint.open(SHIPPED).encoder().photo_encoder
    shape = (8, photos.input_size, photos.input_size, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    turned = np.ascontiguousarray(frames[:, :, ::-1])
    maps, mirrored = photos.maps(frames), photos.maps(turned)
    of_animal = mirrored[:, : mirrored.shape[1] // 2]
    np.testing.assert_array_equal(photos.mirrored_maps(frames), of_animal)
    expected = photos.head.embed(maps, mirrored, sketches=False)
    np.testing.assert_allclose(photos.embed_photo_frames(list(frames)), expected, atol=1e-6)
