"""Frames as tensors on the training device. They are kept there if they fit."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import trange

from train import distributed
from train.console import say
from train.data.frames import Frames, Indices

SHARE = 0.5
"""Share of the GPU's free memory that frames may fill. The network needs the rest."""

CHUNK = 512
"""Frames that are copied to the device at once."""


class Feed(Protocol):
    """Frames by row, on the training device."""

    def take(self, rows: Indices) -> torch.Tensor:
        """`(n, size, size)` for sketches, `(n, size, size, 3)` for photos; uint8."""


class HostFrames:
    """Frames that stay in the computer's memory or in the cache file.

    They are copied to a GPU through pinned memory, so that the program need not wait.
    """

    def __init__(self, frames: Frames, device: torch.device) -> None:
        self._frames, self._device = frames, device

    def take(self, rows: Indices) -> torch.Tensor:
        """The frames of these rows."""
        return send(self._frames.take(rows), self._device)


class DeviceFrames:
    """Frames that were copied to the GPU once."""

    def __init__(self, frames: Frames, device: torch.device, name: str) -> None:
        self._device = device
        count = len(frames.pictures)
        one = frames.take(np.zeros(1, np.int64))
        self._frames = torch.empty((count, *one.shape[1:]), dtype=torch.uint8, device=device)
        bar = f"copying {name} to the GPU"
        for start in trange(0, count, CHUNK, desc=bar, disable=distributed.rank() > 0):
            rows = np.arange(start, min(start + CHUNK, count))
            self._frames[start : start + len(rows)] = torch.from_numpy(frames.take(rows))

    def take(self, rows: Indices) -> torch.Tensor:
        """The frames of these rows."""
        return self._frames[send(rows, self._device)]


def place(frames: Mapping[str, Frames], device: torch.device) -> dict[str, Feed]:
    """Copies frames to a GPU as long as they fit, and says which. On a CPU, they stay.

    Args:
        frames: by name; the first ones are copied first.
        device: for training.
    """
    if device.type != "cuda":
        return {name: HostFrames(of, device) for name, of in frames.items()}
    free, _ = torch.cuda.mem_get_info(device)
    room = round(SHARE * free)
    placed: dict[str, Feed] = {}
    for name, of in frames.items():
        needed = len(of.pictures) * of.take(np.zeros(1, np.int64)).nbytes
        if needed <= room:
            room -= needed
            placed[name] = DeviceFrames(of, device, name)
            where = "are on the GPU"
        else:
            placed[name] = HostFrames(of, device)
            where = (
                "stay in the computer's memory: the GPU has only "
                f"{room / 1e9:.2f} GB left for frames"
            )
        say(f"{name}: {len(of.pictures)} frames, {needed / 1e9:.2f} GB, {where}")
    return placed


def send(values: NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """An array as a tensor on a device; the program does not wait for the copy to a GPU."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
