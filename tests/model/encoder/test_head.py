"""Heads, compared with PyTorch and with numbers worked out by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from model.encoder.head import Head, PoseHead, cell_shares, unit


def maps_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("cells", "height", "width"), [(1, 3, 5), (2, 4, 4), (3, 4, 7), (4, 2, 9)])
def test_cells_are_those_of_adaptive_average_pooling(cells: int, height: int, width: int) -> None:
    maps = maps_of(2, 6, height, width)
    expected = functional.adaptive_avg_pool2d(torch.from_numpy(maps), cells).flatten(2).numpy()
    found = maps.reshape(2, 6, -1) @ cell_shares(cells, height, width).T
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_pose_is_the_cells_one_after_the_other_at_length_1() -> None:
    """The map has one channel of 2 x 2, one location per cell; the layer doubles it and adds 1."""
    head = PoseHead(np.array([[2.0]], np.float32), np.array([1.0], np.float32), 2, 0.5)
    found = head(np.array([[[[0, 1], [2, 3]]]], np.float32))
    np.testing.assert_allclose(found[0], np.array([1, 3, 5, 7]) / np.sqrt(84), atol=1e-6)
    assert head.numbers == 4


def test_the_dot_product_is_the_weighted_mean_of_both_cosines() -> None:
    random = np.random.default_rng(1)
    matrix, bias = random.normal(size=(5, 6)).astype(np.float32), np.zeros(5, np.float32)
    pose = PoseHead(random.normal(size=(3, 6)).astype(np.float32), np.ones(3, np.float32), 2, 0.5)
    prototypes = unit(random.normal(size=(4, 5)).astype(np.float32))
    plain, both = (
        Head(matrix, bias, prototypes, 8.0),
        Head(matrix, bias, prototypes, 8.0, pose=pose),
    )
    maps = maps_of(2, 6, 4, 4)
    without, embedded, poses = (
        plain.embed(maps, maps, sketches=False),
        both.embed(maps, maps, sketches=False),
        pose(maps),
    )
    assert embedded.shape == (2, 5 + 4 + 12) and both.size == 21
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-6)
    expected = (without[0] @ without[1] + 0.5 * poses[0] @ poses[1]) / 1.5
    assert embedded[0] @ embedded[1] == pytest.approx(expected, abs=1e-6)


def test_a_mirror_image_changes_the_projection_but_not_the_pose() -> None:
    random = np.random.default_rng(2)
    pose = PoseHead(random.normal(size=(3, 6)).astype(np.float32), np.ones(3, np.float32), 2, 1.0)
    matrix = random.normal(size=(5, 6)).astype(np.float32)
    head = Head(matrix, np.zeros(5, np.float32), np.zeros((0, 5), np.float32), 8.0, pose=pose)
    maps, mirrored = maps_of(1, 6, 4, 4), maps_of(2, 6, 4, 4)[1:]
    alone, both = (head.embed(maps, other, sketches=True)[0] for other in (maps, mirrored))
    one, other = (unit(m.mean(axis=(2, 3)) @ matrix.T)[0] for m in (maps, mirrored))
    expected = (one + other) / np.linalg.norm(one + other) / np.sqrt(2)
    np.testing.assert_allclose(both[:5], expected, atol=1e-6)
    np.testing.assert_array_equal(both[5:], alone[5:])
