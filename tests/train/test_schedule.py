import math

import pytest
import torch

from train.config import FitConfig
from train.schedule import image_size, learning_rate_share, moving_average


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


def test_the_average_forgets_its_beginning_and_counts_batches_as_they_are() -> None:
    kept = [torch.tensor([0.0]), torch.tensor(3)]
    update = moving_average(0.9)
    expected = 0.0
    for count in range(1, 200):
        update(kept, [torch.tensor([1.0]), torch.tensor(count)], count)
        share = min(0.9, (1 + count) / (10 + count))
        expected = share * expected + (1 - share)
    assert kept[0].item() == pytest.approx(expected, abs=1e-6)
    assert kept[1].item() == 199
    plain = [torch.tensor([5.0])]
    moving_average(0.0)(plain, [torch.tensor([1.0])], 1)
    assert plain[0].item() == 1.0
