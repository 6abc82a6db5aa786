"""Frames as tensors for a network."""

from functools import cache

import numpy as np
import torch

from model.pictures.framing import MEAN, STD, Pixels


def to_input(pixels: Pixels) -> torch.Tensor:
    """A batch of frames to a network's input, on the CPU.

    Args:
        pixels: `(n, h, w)` grey sketches or `(n, h, w, 3)` photos, 0 to 255.

    Returns:
        `(n, 3, h, w)` float32 in channels_last order, normalised by the mean and standard
        deviation of ImageNet, as torchvision's weights expect.
    """
    return as_input(torch.from_numpy(np.array(pixels, order="C")))


def as_input(frames: torch.Tensor) -> torch.Tensor:
    """What `to_input` returns, made on the device of the frames.

    Args:
        frames: `(n, h, w)` sketches or `(n, h, w, 3)` photos; uint8.
    """
    if frames.ndim == 3:
        frames = frames.unsqueeze(3).expand(-1, -1, -1, 3)
    batch = frames.permute(0, 3, 1, 2).float().div_(255)
    return imagenet_normalised(batch).contiguous(memory_format=torch.channels_last)


def imagenet_normalised(batch: torch.Tensor) -> torch.Tensor:
    """`(n, 3, h, w)` in 0 to 1 to zero mean and unit variance on ImageNet."""
    mean, deviation = _imagenet(batch.device)
    return (batch - mean) / deviation


@cache
def _imagenet(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of ImageNet's channels, copied to each device once."""
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return mean.to(device), deviation.to(device)
