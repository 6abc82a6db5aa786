import numpy as np
import torch
from PIL import Image
from torchvision import models

from model.checkpoint.checkpoint import Checkpoint
from model.pictures.framing import frame_photo, frame_sketch
from tests.harness.pictures import fish
from train.networks.encoder import encoder_of
from train.networks.inputs import to_input
from train.networks.siamese import SiameseNetwork


def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def test_embeddings_are_unit_rows_and_the_same_every_time(tiny_checkpoint: Checkpoint) -> None:
    encoder = tiny_checkpoint.encoder()
    drawings = [fish(), fish(100).convert("RGBA"), fish(width=9)]
    rows = encoder.embed_sketches(drawings)
    assert rows.shape == (3, 11)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.array_equal(rows, tiny_checkpoint.encoder().embed_sketches(drawings))
    assert encoder.embed_sketches([]).shape == (0, 11)


def test_an_embedding_does_not_depend_on_its_batch(tiny_checkpoint: Checkpoint) -> None:
    encoder = tiny_checkpoint.encoder()
    together = encoder.embed_photos([photo()] * 40)
    np.testing.assert_allclose(together[37], encoder.embed_photos([photo()])[0], atol=1e-5)


def test_a_photo_and_its_mirror_image_have_the_same_embedding(tiny_checkpoint: Checkpoint) -> None:
    encoder = tiny_checkpoint.encoder()
    mirrored = photo().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    a, b = encoder.embed_photos([photo(), mirrored])
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_the_network_is_torchvisions_resnet_with_the_documented_head() -> None:
    torch.manual_seed(1)
    ours = SiameseNetwork("resnet34", 6, 4, scale=10.0).eval()
    theirs = models.resnet34(weights=None)
    theirs.fc = torch.nn.Identity()
    names = [n for n, _ in theirs.named_children() if n not in ("avgpool", "fc")]
    for place, name in enumerate(names):
        getattr(theirs, name).load_state_dict(ours.backbone[place].state_dict())  # type: ignore[index]
    theirs.eval()
    batch = to_input(frame_sketch(fish(), 64)[None])
    with torch.no_grad():
        pooled = theirs(torch.cat([batch, batch.flip(3)])).double().numpy()
    weight, bias = (p.detach().double().numpy() for p in ours.projection.parameters())
    points = pooled @ weight.T + bias
    projected = (points / np.linalg.norm(points, axis=1, keepdims=True)).sum(axis=0)
    projected /= np.linalg.norm(projected)
    prototypes = ours.prototypes.detach().double().numpy()
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    for sketches, scale in ((False, 10.0), (True, 20.0)):
        odds = np.exp(scale * prototypes @ projected)
        expected = np.concatenate([projected, np.sqrt(odds / odds.sum())]) / np.sqrt(2)
        found = ours.embed(batch, sketches=sketches)[0].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_class_of_sketches_is_sharper_than_that_of_photos() -> None:
    """As PyTorch embeds them, too."""
    torch.manual_seed(1)
    network = SiameseNetwork("resnet18", 6, 4, scale=3.0).eval()
    encoder = encoder_of(network, 64)
    found = encoder.embed_sketches([fish()]), encoder.embed_photos([photo()])
    frames = frame_sketch(fish(), 64)[None], frame_photo(photo(), 64)[None]
    for rows, frame, sketches in zip(found, frames, (True, False), strict=True):
        expected = network.embed(to_input(frame), sketches=sketches).numpy()
        other = network.embed(to_input(frame), sketches=not sketches).numpy()
        np.testing.assert_allclose(rows, expected, atol=1e-5)
        assert np.abs(rows - other).max() > 0.01
