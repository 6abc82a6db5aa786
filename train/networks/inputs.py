"""Frames as tensors for a network."""

import numpy as np
import torch

from model.preprocess import MEAN, STD, Pixels


def to_input(pixels: Pixels) -> torch.Tensor:
    """A batch of frames to a network's input.

    Args:
        pixels: `(n, h, w)` grey sketches or `(n, h, w, 3)` photos, 0 to 255.

    Returns:
        `(n, 3, h, w)` float32 in channels_last order, normalised by the mean and standard
        deviation of ImageNet, as torchvision's weights expect.
    """
    if pixels.ndim == 3:
        pixels = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
    batch = torch.from_numpy(np.array(pixels, order="C")).permute(0, 3, 1, 2)
    return normalise(batch.float().div_(255))


def normalise(batch: torch.Tensor) -> torch.Tensor:
    """`(n, 3, h, w)` in 0 to 1 to zero mean and unit variance on ImageNet."""
    mean = torch.tensor(MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=batch.device).view(1, 3, 1, 1)
    return (batch - mean) / std
