from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from train.data.dataset import photo_weights
from train.data.pictures import Picture
from train.data.sampling import BalancedSampler, BatchRows, PairSampler, Sampler, TripletSampler

SKETCHES = np.repeat([0, 1, 2], [40, 30, 20])
PHOTOS = np.repeat([0, 1, 2], [10, 4, 2])
WEIGHTS = 1 / np.bincount(PHOTOS)[PHOTOS] ** 0.5


def test_half_of_the_pairs_are_of_one_class() -> None:
    sampler = PairSampler(SKETCHES, PHOTOS, WEIGHTS, batch=100, seed=1)
    same = [
        float((SKETCHES[rows.sketches] == PHOTOS[rows.photos]).mean())
        for rows in map(sampler.batch, range(50))
    ]
    assert np.mean(same) == pytest.approx(0.5, abs=0.03)


def test_triplets_have_a_positive_and_a_negative() -> None:
    sampler = TripletSampler(SKETCHES, PHOTOS, WEIGHTS, batch=30, seed=1)
    for step in range(10):
        rows = sampler.batch(step)
        anchors, photos = SKETCHES[rows.sketches], PHOTOS[rows.photos]
        assert (photos[0::2] == anchors).all()
        assert (photos[1::2] != anchors).all()


def test_a_pass_takes_every_sketch_once() -> None:
    sampler = PairSampler(SKETCHES, PHOTOS, WEIGHTS, batch=20, seed=1)
    rows = np.concatenate([sampler.batch(step).sketches for step in range(9)])
    assert sorted(Counter(rows.tolist()).items()) == [(row, 2) for row in range(90)]
    assert not np.array_equal(rows[:90], rows[90:])


def test_balanced_batches_weigh_classes_and_give_sketches_photos_of_their_class() -> None:
    sampler = BalancedSampler(
        SKETCHES, PHOTOS, WEIGHTS, batch=40, photos=30, unlabelled=(7, 5), seed=1
    )
    drawn: Counter[int] = Counter()
    matched = []
    for step in range(100):
        rows = sampler.batch(step)
        assert (len(rows.sketches), len(rows.photos), len(rows.unlabelled)) == (40, 30, 5)
        assert rows.unlabelled.max() < 7
        drawn.update(PHOTOS[rows.photos].tolist())
        matched.append(np.isin(SKETCHES[rows.sketches], PHOTOS[rows.photos]).mean())
    expected = np.sqrt([10, 4, 2]) / np.sqrt([10, 4, 2]).sum()
    shares = [drawn[c] / drawn.total() for c in range(3)]
    assert shares == pytest.approx(expected.tolist(), abs=0.03)
    assert np.mean(matched) > 0.9


def test_a_balanced_batch_takes_half_of_its_sketches_in_passes() -> None:
    sampler = BalancedSampler(SKETCHES, PHOTOS, WEIGHTS, batch=40, photos=30, seed=1)
    drawn = Counter(row for step in range(9) for row in sampler.batch(step).sketches.tolist())
    assert len(drawn) == 90
    assert min(drawn.values()) >= 2  # 9 times 20 are two passes
    odd = BalancedSampler(SKETCHES, PHOTOS, WEIGHTS, batch=7, photos=3, seed=1)
    assert len(odd.batch(5).sketches) == 7


KINDS: dict[str, Callable[[int], Sampler]] = {
    "pairs": lambda seed: PairSampler(SKETCHES, PHOTOS, WEIGHTS, batch=16, seed=seed),
    "triplets": lambda seed: TripletSampler(SKETCHES, PHOTOS, WEIGHTS, batch=16, seed=seed),
    "balanced": lambda seed: BalancedSampler(
        SKETCHES, PHOTOS, WEIGHTS, batch=16, photos=12, unlabelled=(9, 4), seed=seed
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_depends_on_seed_and_step_alone(kind: str) -> None:
    def batch(seed: int, steps: list[int]) -> BatchRows:
        sampler = KINDS[kind](seed)
        return [sampler.batch(step) for step in steps][-1]

    straight, jumped = batch(1, list(range(20))), batch(1, [19])
    assert np.array_equal(straight.sketches, jumped.sketches)
    assert np.array_equal(straight.photos, jumped.photos)
    assert np.array_equal(straight.unlabelled, jumped.unlabelled)
    assert not np.array_equal(batch(2, [19]).sketches, jumped.sketches)


def test_parts_of_all_ranks_are_the_batch_and_keep_triplets_together() -> None:
    rows = TripletSampler(SKETCHES, PHOTOS, WEIGHTS, batch=12, seed=1).batch(0)
    parts = [rows.part(rank, 3) for rank in range(3)]
    assert np.array_equal(np.concatenate([p.sketches for p in parts]), rows.sketches)
    assert np.array_equal(np.concatenate([p.photos for p in parts]), rows.photos)
    assert [(len(p.sketches), len(p.photos)) for p in parts] == [(4, 8)] * 3


def test_photos_of_rare_classes_and_of_the_database_are_drawn_more_often() -> None:
    photos = [Picture(Path(f"ant/{i}.jpg"), "ant", str(i)) for i in range(16)]
    photos.append(Picture(Path("bat/0.jpg"), "bat", "0"))
    weights = photo_weights(photos, set(), balance=0.75)
    assert weights[:16].sum() / weights[16] == pytest.approx(2.0)  # the fourth root of 16
    own = photo_weights(photos, {photos[3].path}, balance=0.75)
    assert own[3] == pytest.approx(2 * own[4])
    assert own[:16].sum() / own[16] == pytest.approx(17**0.25)
    for few in (set(), {photos[3].path}, {photos[16].path}):
        alike = photo_weights(photos, few, balance=1)
        assert alike[:16].sum() == pytest.approx(alike[16])
