"""What changes in the course of a training."""

import math

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
