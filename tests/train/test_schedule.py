import math

import pytest

from train.config import FitConfig
from train.schedule import image_size, learning_rate_share


def test_the_learning_rate_warms_up_and_follows_a_cosine() -> None:
    assert learning_rate_share(0.0) == 0.01
    assert learning_rate_share(0.015) == pytest.approx(0.5)
    assert learning_rate_share(0.03) == pytest.approx(1.0)
    middle = 0.03 + 0.97 / 4
    assert learning_rate_share(middle) == pytest.approx(
        0.01 + 0.99 * (1 + math.cos(math.pi / 4)) / 2
    )
    assert learning_rate_share(1.0) == pytest.approx(0.01)


def test_images_grow_in_steps_of_16_over_the_first_half() -> None:
    config = FitConfig(input_size=128, grow_from=64)
    sizes = {done: image_size(config, done) for done in (0, 0.12, 0.13, 0.25, 0.4, 0.49, 0.5, 1)}
    assert sizes == {0: 64, 0.12: 64, 0.13: 80, 0.25: 96, 0.4: 112, 0.49: 112, 0.5: 128, 1: 128}
    assert image_size(FitConfig(input_size=96), 0.1) == 96
