import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from model.encoder.explain import explain
from model.pictures.framing import frame_sketch
from tests.harness.pictures import fish
from train.networks.encoder import encoder_of
from train.networks.inputs import to_input
from train.networks.siamese import SiameseNetwork


def network(backbone: str, prototypes: int = 5, **options: bool) -> SiameseNetwork:
    torch.manual_seed(1)
    made = SiameseNetwork(backbone, 16, prototypes, **options)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training, not 0 and 1
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.2, 0.2)
    return made


def photo() -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize(
    ("backbone", "size", "side"),
    [("resnet18", 64, 2), ("vgg11", 64, 2), ("googlenet", 64, 2), ("plain_cnn", 100, 1)],
)
def test_contributions_add_up_to_the_dot_product(backbone: str, size: int, side: int) -> None:
    encoder = encoder_of(network(backbone), size)
    frame = frame_sketch(fish(), size)
    found = explain(encoder, frame, photo())
    expected = float(encoder.embed_frame(frame) @ encoder.embed_photos([photo()])[0])
    assert found.similarity == pytest.approx(expected, abs=1e-5)
    assert found.sketch.shape == found.photo.shape == (side, side)
    assert found.sketch.sum() == pytest.approx(expected, abs=1e-4)
    assert found.photo.sum() == pytest.approx(expected, abs=1e-4)
    assert found.photo.std() > 0 or side == 1


@pytest.mark.parametrize("normalise", [True, False])
def test_contributions_add_up_without_prototypes_too(normalise: bool) -> None:
    encoder = encoder_of(network("resnet18", 0, normalise=normalise), 64)
    frame = frame_sketch(fish(), 64)
    found = explain(encoder, frame, photo())
    expected = float(encoder.embed_frame(frame) @ encoder.embed_photos([photo()])[0])
    assert found.sketch.sum() == pytest.approx(expected, rel=1e-4)
    assert found.photo.sum() == pytest.approx(expected, rel=1e-4)


def test_an_explanation_does_not_disturb_searches_in_other_threads() -> None:
    encoder = encoder_of(network("resnet18"), 64)
    frame, others = frame_sketch(fish(), 64), frame_sketch(fish().rotate(90), 64)
    alone, theirs = explain(encoder, frame, photo()), encoder.embed_frame(others)
    over = threading.Event()

    def search() -> int:
        count = 0
        while not over.is_set():
            np.testing.assert_allclose(encoder.embed_frame(others), theirs, atol=1e-5)
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        searches = pool.submit(search)
        try:
            for _ in range(10):
                found = explain(encoder, frame, photo())
                np.testing.assert_allclose(found.sketch, alone.sketch, atol=1e-5)
                np.testing.assert_allclose(found.photo, alone.photo, atol=1e-5)
        finally:
            over.set()
        assert searches.result() > 0


@pytest.mark.parametrize("classes", [0, 3])
def test_without_biases_the_parts_are_the_class_activation_map(classes: int) -> None:
    """On the last feature map, the contributions have a closed form."""
    made = network("resnet18", classes).eval()
    made.projection.bias.data.zero_()
    frame = frame_sketch(fish(), 256)
    with torch.no_grad():
        batch = to_input(frame[None])
        maps = made.backbone(torch.cat([batch, batch.flip(3)]))
        points = made.projection(maps.mean(dim=(2, 3)))
        units = points / points.norm(dim=1, keepdim=True)
        sketch = functional.normalize(units.sum(dim=0), dim=0)
        # All classes resemble the sketch, so that none of the contributions is shared evenly.
        prototypes = functional.normalize(sketch + 0.1 * torch.randn(classes, 16), dim=1)
        made.prototypes.copy_(prototypes)
        encoder = encoder_of(made, 256)  # its last maps are 8 x 8
        found = explain(encoder, frame, photo())
        embedded = torch.from_numpy(encoder.embed_photos([photo()])[0])
        direction = embedded[:16]
        if classes:
            sharp = torch.softmax(2 * 16 * prototypes @ sketch, dim=0)
            agreed = sharp.sqrt() * embedded[16:] * 2**0.5
            towards = agreed @ prototypes
            assert 0.1 < agreed.min() / agreed.max() < 0.9, "the test needs several classes"
            direction = direction / 2**0.5 + agreed.sum() / 2 * towards / (towards @ sketch)
        by_place = torch.einsum("nchw,dc,d->nhw", maps, made.projection.weight, direction) / 64
        own, turned = by_place / points.norm(dim=1).view(2, 1, 1)
    expected = ((own + turned.flip(1)) / units.sum(dim=0).norm()).numpy()
    assert found.sketch == pytest.approx(expected, abs=1e-5)


def test_the_photo_encoder_is_explained_where_there_is_one() -> None:
    other = encoder_of(network("vgg11"), 128)
    encoder = encoder_of(network("resnet18"), 64, other)
    frame = frame_sketch(fish(), 64)
    found = explain(encoder, frame, photo())
    expected = float(encoder.embed_frame(frame) @ other.embed_photos([photo()])[0])
    assert found.photo.sum() == pytest.approx(expected, abs=1e-4)
    assert found.photo.shape == (4, 4)
