import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torchmetrics.retrieval import RetrievalMAP, RetrievalPrecision

from train.metrics import DEPTHS, evaluate_embeddings, rank_photos


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


def test_balanced_precision_counts_photos_of_small_classes_as_if_there_were_twelve() -> None:
    """Photos of a count 6 times, those of b once, and those of c 4 times."""
    order = ["b"] * 5 + ["a"] + ["c", "b", "a", "c", "c"] + ["b"] * 9
    photos = on_circle([4.0 * rank for rank in range(len(order))])
    sketches = on_circle([0.0] * 3)
    ranking = rank_photos(sketches, photos, np.array(["a", "b", "c"]), np.array(order))
    # 5 of b, 6 of a, and 1 of the 4 of c are the first 12.
    assert ranking.balanced == pytest.approx([6 / 12, 5 / 12, 1 / 12])
    assert ranking.precision_at(12) == pytest.approx([2 / 12, 7 / 12, 3 / 12])


def test_balanced_precision_is_that_of_a_gallery_with_each_photo_copied() -> None:
    random = np.random.default_rng(5)
    photo_labels = np.repeat(np.arange(6), [1, 2, 3, 4, 6, 12])
    photos = random.normal(size=(28, 8)).astype(np.float32)
    sketches = random.normal(size=(50, 8)).astype(np.float32)
    labels = random.integers(6, size=50)
    copies = np.repeat(12 // np.array([1, 2, 3, 4, 6, 12]), [1, 2, 3, 4, 6, 12])
    copied = rank_photos(
        sketches, photos.repeat(copies, axis=0), labels, photo_labels.repeat(copies)
    )
    ranking = rank_photos(sketches, photos, labels, photo_labels)
    assert ranking.balanced == pytest.approx(copied.precision_at(12))


def test_a_sketch_of_a_class_without_photos_counts_as_not_found() -> None:
    photos = on_circle([0.0] * 12)
    metrics = evaluate_embeddings(
        on_circle([0.0, 0.0]), photos, np.array(["a", "missing"]), np.array(["a"] * 12)
    )
    assert metrics.precision_at_12 == 0.5
    assert metrics.map == 0.5


def test_distances_are_euclidean_where_embeddings_have_any_length() -> None:
    """By dot product the far photos would come first."""
    photos = np.array([[1.0, 0.0]] + [[9.0, 0.0]] * 11, np.float32)
    labels = np.array(["near"] + ["far"] * 11)
    sketch = np.array([[1.5, 0.0]], np.float32)
    assert rank_photos(sketch, photos, np.array(["near"]), labels).first[0, 0] == 0


def test_precision_and_map_agree_with_independent_implementations() -> None:
    random = np.random.default_rng(3)
    sketches = random.normal(size=(40, 6)).astype(np.float32)
    photos = random.normal(size=(130, 6)).astype(np.float32)
    sketch_labels, photo_labels = random.integers(5, size=40), random.integers(5, size=130)
    ranking = rank_photos(sketches, photos, sketch_labels, photo_labels)
    scores = 20 - np.linalg.norm(sketches[:, None] - photos[None], axis=2)
    relevant = sketch_labels[:, None] == photo_labels[None]
    given = (
        torch.from_numpy(scores).flatten(),
        torch.from_numpy(relevant).flatten(),
        torch.arange(40).repeat_interleave(130),
    )
    assert ranking.depths == DEPTHS
    for k in DEPTHS:
        expected = RetrievalPrecision(top_k=k)(given[0], given[1], indexes=given[2]).item()
        assert ranking.precision_at(k).mean() == pytest.approx(expected, abs=1e-6)
    expected = RetrievalMAP()(given[0], given[1], indexes=given[2]).item()
    assert ranking.average_precision.mean() == pytest.approx(expected, abs=1e-6)
    for row in range(40):
        assert ranking.average_precision[row] == pytest.approx(
            average_precision_score(relevant[row], scores[row]), abs=1e-6
        )


def test_recall_counts_the_very_photo_and_leaves_out_sketches_without_one() -> None:
    photos = on_circle([10.0 * i for i in range(12)])
    ids = np.array([f"p{i}" for i in range(12)])
    sketches = on_circle([0.0, 0.0, 0.0, 0.0])
    ranking = rank_photos(
        sketches,
        photos,
        np.array(["a"] * 4),
        np.array(["a"] * 12),
        np.array(["p0", "p3", "p6", "elsewhere"]),
        ids,
    )
    assert ranking.own_rank.tolist() == [1, 4, 7, 0]
    assert [ranking.recall_at(k) for k in (1, 5, 10)] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_recall_in_class_counts_photos_of_the_sketchs_class_alone() -> None:
    photos = on_circle([10.0 * i for i in range(12)])
    labels = np.array(["a", "b"] * 6)
    ids = np.array([f"p{i}" for i in range(12)])
    sketches = on_circle([0.0, 0.0, 0.0])
    own, drawn = np.array(["p0", "p4", "p5"]), np.array(["a", "a", "b"])
    ranking = rank_photos(sketches, photos, drawn, labels, own, ids)
    assert ranking.own_rank.tolist() == [1, 5, 6]
    assert ranking.own_rank_in_class.tolist() == [1, 3, 3]
    assert ranking.recall_at(1, in_class=True) == pytest.approx(1 / 3)
    nobody = rank_photos(sketches, photos, drawn, labels)
    assert nobody.recall_at(1, in_class=True) is None
