"""What changes in the course of a training."""

import math
from collections.abc import Callable, Sequence

import torch

from train.config import FitConfig


def learning_rate_share(done: float) -> float:
    """Linear warm-up over the first 3 % of the training, then a cosine down to 1 %."""
    if done < 0.03:
        return max(done / 0.03, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.03) / 0.97)))


def image_size(config: FitConfig, done: float) -> int:
    """Side of the images in pixels: grows in steps of 16 over the first half of the training."""
    if not config.grow_from:
        return config.input_size
    grown = (config.input_size - config.grow_from) * min(1.0, done / 0.5)
    if done >= 0.5:
        return config.input_size
    return config.grow_from + int(grown) // 16 * 16


Average = Callable[[Sequence[torch.Tensor], Sequence[torch.Tensor], torch.Tensor | int], None]


def moving_average(decay: float) -> Average:
    """Exponential moving average of weights that forgets its random beginning.

    The n-th update keeps the share `min(decay, (1 + n) / (10 + n))` of the average.
    """

    @torch.no_grad()
    def update(
        average: Sequence[torch.Tensor],
        current: Sequence[torch.Tensor],
        count: torch.Tensor | int,
    ) -> None:
        share = min(decay, float(1 + count) / float(10 + count))
        for kept, new in zip(average, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new.to(kept.dtype), 1 - share)
            else:
                kept.copy_(new)

    return update
