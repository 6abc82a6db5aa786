"""Learning rate and image size over the course of a training."""

import math

from train.config import FitConfig

WARM_UP = 0.03
"""Share of the training over which the learning rate rises."""

LEAST_RATE = 0.01
"""First and last learning rate, as shares of the peak."""

GROWTH = 0.5
"""Share of the training over which images grow."""

SIZE_STEP = 16
"""Images grow in steps of this many pixels."""


def learning_rate_share(done: float) -> float:
    """Learning rate as a share of its peak: a linear warm-up, then a cosine.

    Args:
        done: share of the training that is over.
    """
    if done < WARM_UP:
        return max(done / WARM_UP, LEAST_RATE)
    cosine = math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP)))
    return LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + cosine)


def image_size(config: FitConfig, done: float) -> int:
    """Side of the images in pixels, which may grow over the first half of the training.

    Args:
        config: of the run.
        done: share of the training that is over.
    """
    if not config.grow_from or done >= GROWTH:
        return config.input_size
    grown = (config.input_size - config.grow_from) * done / GROWTH
    return config.grow_from + int(grown) // SIZE_STEP * SIZE_STEP


def most_sizes(config: FitConfig) -> int:
    """How many values `image_size` has over a training, at most."""
    if not config.grow_from:
        return 1
    return (config.input_size - config.grow_from) // SIZE_STEP + 2
