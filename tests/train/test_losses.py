"""Losses against values worked out by hand, and against pytorch-metric-learning."""

import math
from collections.abc import Callable

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner

from train.losses import (
    contrastive,
    cosine_softmax,
    distillation,
    supervised_contrastive,
    triplet,
)


def rows(*points: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(points, dtype=torch.float64)


def test_contrastive_pulls_pairs_of_a_class_and_pushes_others_up_to_the_margin() -> None:
    sketches = rows((0, 0), (0, 0), (0, 0), (0, 0))
    photos = rows((3, 4), (0.6, 0.8), (3, 4), (0, 0))
    different = torch.tensor([0, 1, 1, 1])
    loss = contrastive(sketches, photos, different, margin=2.0)
    pairs = [0.5 * 5**2, 0.5 * (2 - 1) ** 2, 0.0, 0.5 * 2**2]
    assert loss.item() == pytest.approx(sum(pairs) / 4, abs=1e-12)


def test_contrastive_has_a_gradient_where_both_are_the_same_point() -> None:
    sketches = rows((1, 1)).requires_grad_()
    contrastive(sketches, rows((1, 1)), torch.tensor([1]), margin=2.0).backward()
    assert sketches.grad is not None
    assert torch.isfinite(sketches.grad).all()


def test_random_triplets_are_an_anchor_and_the_two_photos_at_its_place() -> None:
    sketches = rows((0, 0), (10, 0))
    photos = rows((0, 3), (0, 4), (10, 1), (10, 9))
    loss = triplet(
        sketches,
        photos,
        torch.tensor([0, 1]),
        torch.tensor([0, 1, 1, 0]),
        margin=2.0,
        mining="random",
    )
    # 3 - 4 + 2 = 1, and 1 - 9 + 2 < 0, which does not count.
    assert loss.item() == pytest.approx(1.0, abs=1e-9)


def test_semi_hard_triplets_have_a_negative_behind_the_positive_within_the_margin() -> None:
    sketches = rows((0, 0))
    photos = rows((0, 2), (0, 1), (0, 2.5), (0, 9))
    loss = triplet(
        sketches,
        photos,
        torch.tensor([0]),
        torch.tensor([0, 1, 1, 1]),
        margin=1.0,
        mining="semi-hard",
    )
    # Of the negatives at 1, 2.5 and 9 only 2.5 is semi-hard: 2 - 2.5 + 1.
    assert loss.item() == pytest.approx(0.5, abs=1e-9)


def test_hard_triplets_have_the_farthest_positive_and_the_nearest_negative() -> None:
    sketches = rows((0, 0))
    photos = rows((0, 2), (0, 3), (0, 1.5), (0, 9))
    loss = triplet(
        sketches,
        photos,
        torch.tensor([0]),
        torch.tensor([0, 0, 1, 1]),
        margin=1.0,
        mining="hard",
    )
    assert loss.item() == pytest.approx(3 - 1.5 + 1, abs=1e-9)


def test_supervised_contrastive_leaves_out_anchors_without_a_positive() -> None:
    sketches = rows((1, 0), (0, 1))
    photos = rows((1, 0), (0.6, 0.8), (0, 1))
    loss = supervised_contrastive(
        sketches, photos, torch.tensor([7, 9]), torch.tensor([7, 7, 8]), temperature=0.5
    )
    logits = [2.0, 1.2, 0.0]
    total = sum(math.exp(x) for x in logits)
    expected = -(math.log(math.exp(2.0) / total) + math.log(math.exp(1.2) / total)) / 2
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_supervised_contrastive_with_one_positive_each_is_infonce() -> None:
    sketches, photos = rows((1, 0), (0.6, 0.8)), rows((0.8, 0.6), (0, 1))
    loss = supervised_contrastive(
        sketches, photos, torch.tensor([0, 1]), torch.tensor([0, 1]), temperature=0.1
    )
    cosines = [[0.8, 0.0], [0.96, 0.8]]
    each = [
        -math.log(math.exp(c[i] / 0.1) / sum(math.exp(x / 0.1) for x in c))
        for i, c in enumerate(cosines)
    ]
    assert loss.item() == pytest.approx(sum(each) / 2, abs=1e-9)


def test_cosine_softmax_takes_the_margin_off_the_right_class() -> None:
    cosines = rows((0.5, 0.1), (0.2, 0.4))
    loss = cosine_softmax(cosines, torch.tensor([0, 0]), scale=2.0, margin=0.1, smoothing=0.0)
    each = [
        -math.log(math.exp(0.8) / (math.exp(0.8) + math.exp(0.2))),
        -math.log(math.exp(0.2) / (math.exp(0.2) + math.exp(0.8))),
    ]
    assert loss.item() == pytest.approx(sum(each) / 2, abs=1e-12)


def test_distillation_adds_the_angle_and_the_divergence() -> None:
    student, teacher = rows((1, 0)), rows((0.6, 0.8))
    loss = distillation(student, teacher, student, teacher, scale=1.0, weight=4.0)
    t = [math.exp(0.6), math.exp(0.8)]
    s = [math.exp(1.0), math.exp(0.0)]
    t, s = [x / sum(t) for x in t], [x / sum(s) for x in s]
    divergence = sum(a * math.log(a / b) for a, b in zip(t, s, strict=True))
    assert loss.item() == pytest.approx(4 * (1 - 0.6) + divergence, abs=1e-12)
    same = distillation(teacher, teacher, teacher, teacher)
    assert same.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_losses_and_gradients_are_those_of_pytorch_metric_learning(seed: int) -> None:
    """Some sketches, those of class 3, have no positive."""
    torch.manual_seed(seed)
    labels = torch.randint(4, (9,)), torch.randint(3, (14,))
    euclidean = LpDistance(normalize_embeddings=False, p=2, power=1)
    miners = {
        "hard": BatchHardMiner(distance=euclidean),
        "semi-hard": TripletMarginMiner(0.5, type_of_triplets="semihard", distance=euclidean),
    }

    def compare(
        ours: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        theirs: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> None:
        points = [torch.randn(len(of), 6, dtype=torch.float64).requires_grad_() for of in labels]
        one, other = ours(*points), theirs(*points)
        assert other.item() > 0
        torch.testing.assert_close(one, other)
        for mine, expected in zip(
            torch.autograd.grad(one, points), torch.autograd.grad(other, points), strict=True
        ):
            torch.testing.assert_close(mine, expected)

    compare(
        lambda s, p: supervised_contrastive(s, p, *labels),
        lambda s, p: SupConLoss(0.1)(s, labels[0], ref_emb=p, ref_labels=labels[1]),
    )
    for mining, miner in miners.items():
        compare(
            lambda s, p, mining=mining: triplet(s, p, *labels, margin=0.5, mining=mining),  # type: ignore[misc]
            lambda s, p, miner=miner: TripletMarginLoss(0.5, distance=euclidean)(  # type: ignore[misc]
                s, labels[0], miner(s, labels[0], p, labels[1]), p, labels[1]
            ),
        )


def test_a_loss_of_what_is_no_number_is_no_number() -> None:
    """An embedding that is NaN must not be left out like one without a positive."""
    broken = rows((math.nan, 1), (0, 1))
    labels = torch.tensor([0, 1])
    whole = rows((1, 0), (0, 1))
    assert math.isnan(supervised_contrastive(broken, whole, labels, labels).item())
    for mining in ("hard", "random"):
        photos = whole if mining == "hard" else whole.repeat(2, 1)
        named = labels if mining == "hard" else labels.repeat(2)
        loss = triplet(broken, photos, labels, named, margin=1.0, mining=mining)
        assert math.isnan(loss.item()), mining
