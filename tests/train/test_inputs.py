import numpy as np
import torch

from model.pictures.framing import frame_sketch
from tests.harness.pictures import fish
from train.networks.inputs import to_input


def test_to_input_normalises_as_torchvision_documents() -> None:
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[..., 0], frames[..., 1], frames[..., 2] = 255, 128, 0
    batch = to_input(frames)
    expected = [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, -0.406 / 0.225]
    assert batch.shape == (2, 3, 4, 4)
    torch.testing.assert_close(batch[1, :, 2, 3], torch.tensor(expected), rtol=1e-6, atol=1e-6)


def test_a_grey_sketch_has_three_equal_channels_before_normalising() -> None:
    grey = frame_sketch(fish(), 32)
    colour = np.repeat(grey[..., None], 3, axis=2)
    assert torch.equal(to_input(grey[None]), to_input(colour[None]))
