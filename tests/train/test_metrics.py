import numpy as np
import pytest

from train.metrics import evaluate_embeddings


def on_circle(degrees: list[float]) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_metrics_of_a_ranking_worked_out_by_hand() -> None:
    """One sketch at 0 degrees; photos of its class are ranked 1, 3 and 14 of 15."""
    labels = ["a" if rank in (1, 3, 14) else "b" for rank in range(1, 16)]
    order = np.random.default_rng(0).permutation(15)
    photos = on_circle([5.0 * rank for rank in range(1, 16)])[order]
    metrics = evaluate_embeddings(
        on_circle([0.0]), photos, np.array(["a"]), np.array(labels)[order]
    )
    assert metrics.precision_at_12 == pytest.approx(2 / 12)
    assert metrics.precision_at_1 == 1
    assert metrics.map == pytest.approx((1 / 1 + 2 / 3 + 3 / 14) / 3)
    assert (metrics.photos, metrics.sketches, metrics.classes) == (15, 1, 1)


def test_metrics_are_means_over_sketches() -> None:
    photos = on_circle([0.0] * 12 + [90.0] * 12)
    photo_labels = np.array(["a"] * 12 + ["b"] * 12)
    sketches = on_circle([1.0, 2.0, 88.0, 3.0])
    metrics = evaluate_embeddings(sketches, photos, np.array(["a", "a", "b", "b"]), photo_labels)
    assert metrics.precision_at_12 == pytest.approx(3 / 4)
    assert metrics.precision_at_1 == pytest.approx(3 / 4)
    last = np.mean([k / (12 + k) for k in range(1, 13)])
    assert metrics.map == pytest.approx((3 + last) / 4)


def test_a_sketch_of_a_class_without_photos_counts_as_not_found() -> None:
    photos = on_circle([0.0] * 12)
    metrics = evaluate_embeddings(
        on_circle([0.0, 0.0]), photos, np.array(["a", "missing"]), np.array(["a"] * 12)
    )
    assert metrics.precision_at_12 == 0.5
    assert metrics.map == 0.5
