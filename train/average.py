"""The moving average of a network's weights, which is evaluated and kept."""

from copy import deepcopy

import torch
from torch import nn


class MovingAverage(nn.Module):
    """Exponential moving average of weights and buffers that forgets its random start.

    The first update copies the network. The n-th one after it keeps the share
    `min(decay, (1 + n) / (10 + n))` of the average. Integer buffers are copied. Unlike PyTorch's
    `AveragedModel`, whose state it can load, it never waits for the GPU to count the updates.

    Args:
        network: on its device, with its final parameters.
        decay: 0 to 1; with 0, the average is the network.
    """

    n_averaged: torch.Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.register_buffer("n_averaged", torch.tensor(0))  # on the CPU, wherever the network is
        pairs = list(zip(_state(self.module), _state(network), strict=True))
        self._means = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Adds the network's present weights to the average."""
        count = int(self.n_averaged)
        share = min(self.decay, (1 + count) / (10 + count)) if count else 0.0
        kept, new = zip(*self._means, strict=True)
        torch._foreach_lerp_(kept, new, 1 - share)
        if self._counts:
            kept, new = zip(*self._counts, strict=True)
            torch._foreach_copy_(kept, new)
        self.n_averaged += 1


def _state(network: nn.Module) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]
