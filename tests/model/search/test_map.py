import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from model.encoder.head import Embeddings
from model.search.map import lay_out, place


def clusters(count: int, spread: float = 0.25, groups: int = 8) -> Embeddings:
    """Points on the unit sphere in 16 dimensions, around one centre per group."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(groups, 16))
    points = centres[np.arange(count) % groups] + spread * random.normal(size=(count, 16))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("most", [3000, 120])
def test_neighbours_stay_neighbours_also_of_photos_beyond_the_sample(most: int) -> None:
    embeddings = clusters(240)
    positions = lay_out(embeddings, "angular", most)
    kept = trustworthiness(embeddings, positions, n_neighbors=8, metric="cosine")
    assert kept > 0.9
    by_chance = np.random.default_rng(0).permutation(positions)
    assert trustworthiness(embeddings, by_chance, n_neighbors=8, metric="cosine") < 0.7


def test_embeddings_anywhere_are_laid_out_by_their_distance() -> None:
    embeddings = clusters(100) * np.linspace(1, 9, 100, dtype=np.float32)[:, None]
    for most in (3000, 60):
        positions = lay_out(embeddings, "euclidean", most)
        assert trustworthiness(embeddings, positions, n_neighbors=8) > 0.85


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 40])
def test_the_map_fills_the_unit_square_the_longer_way(count: int) -> None:
    positions = lay_out(clusters(count), "angular")
    assert positions.shape == (count, 2)
    assert positions.dtype == np.float32
    low, high = positions.min(axis=0), positions.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, 0.5, atol=1e-6)
    assert (high - low).max() == pytest.approx(0 if count == 1 else 1, abs=1e-6)


def test_three_photos_keep_their_distances() -> None:
    embeddings = clusters(3)
    positions = lay_out(embeddings, "angular")
    pairs = [(0, 1), (1, 2), (0, 2)]
    near = [float(np.linalg.norm(embeddings[a] - embeddings[b])) for a, b in pairs]
    drawn = [float(np.linalg.norm(positions[a] - positions[b])) for a, b in pairs]
    ratios = np.array(drawn) / near
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)


@pytest.mark.parametrize("count", [2, 4, 9, 50])
def test_photos_that_are_all_the_same_lie_in_the_middle(count: int) -> None:
    positions = lay_out(np.tile(clusters(1), (count, 1)), "angular")
    np.testing.assert_array_equal(positions, np.full((count, 2), 0.5, np.float32))


@pytest.mark.parametrize("different", [1, 2, 30])
def test_a_few_photos_among_copies_of_one_get_a_place_of_their_own(different: int) -> None:
    embeddings = np.concatenate([np.tile(clusters(1), (60, 1)), clusters(31)[1 : different + 1]])
    positions = lay_out(embeddings, "angular")
    assert np.isfinite(positions).all()
    copies, others = positions[:60], positions[60:]
    apart = np.linalg.norm(others - copies.mean(axis=0), axis=1)
    assert apart.max() > 2 * np.linalg.norm(copies - copies.mean(axis=0), axis=1).mean()


@pytest.mark.parametrize("most", [3000, 40])
def test_the_same_photos_give_the_same_map(most: int) -> None:
    embeddings = clusters(90)
    np.testing.assert_array_equal(
        lay_out(embeddings, "angular", most), lay_out(embeddings, "angular", most)
    )


def test_a_place_is_between_its_neighbours_and_nearest_to_the_most_similar() -> None:
    corners = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    x, y = place(corners, np.array([0.4, 0.4, 0.4], np.float32))
    assert (x, y) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    # A similarity that is higher by one temperature weighs e times as much: e, 1, 1.
    x, y = place(corners, np.array([0.35, 0.4, 0.35], np.float32))
    assert x == pytest.approx(np.e / (np.e + 2), rel=1e-4)
    assert y == pytest.approx(1 / (np.e + 2), rel=1e-4)
    random = np.random.default_rng(1)
    for _ in range(50):
        x, y = place(corners, random.uniform(-1, 1, 3).astype(np.float32))
        assert x >= 0
        assert y >= 0
        assert x + y <= 1 + 1e-6


def test_a_position_moves_smoothly_with_the_similarities() -> None:
    positions = np.random.default_rng(2).random((12, 2)).astype(np.float32)
    similarities = np.linspace(0.6, 0.3, 12, dtype=np.float32)
    moved = similarities + np.float32(0.001) * np.resize([1, -1], 12).astype(np.float32)
    step = np.linalg.norm(place(positions, similarities) - place(positions, moved))
    assert 0 < step < 0.03
