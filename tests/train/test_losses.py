"""Losses against values worked out with plain numbers."""

import math

import pytest
import torch

from train.losses import cosine_softmax, cross_modal_contrastive, distillation


def test_cosine_softmax_takes_the_margin_off_the_right_class() -> None:
    cosines = torch.tensor([[0.5, 0.1], [0.2, 0.4]], dtype=torch.float64)
    loss = cosine_softmax(cosines, torch.tensor([0, 0]), scale=2.0, margin=0.1, smoothing=0.0)
    rows = [
        -math.log(math.exp(0.8) / (math.exp(0.8) + math.exp(0.2))),
        -math.log(math.exp(0.2) / (math.exp(0.2) + math.exp(0.8))),
    ]
    assert loss.item() == pytest.approx(sum(rows) / 2, abs=1e-12)


def test_contrastive_counts_positives_and_leaves_out_anchors_without_any() -> None:
    sketches = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    photos = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], dtype=torch.float64)
    loss = cross_modal_contrastive(
        sketches, photos, torch.tensor([7, 9]), torch.tensor([7, 7, 8]), temperature=0.5
    )
    logits = [2.0, 1.2, 0.0]
    total = sum(math.exp(x) for x in logits)
    expected = -(math.log(math.exp(2.0) / total) + math.log(math.exp(1.2) / total)) / 2
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_contrastive_without_any_positive_is_zero_and_has_a_gradient() -> None:
    sketches = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = cross_modal_contrastive(
        sketches, torch.tensor([[0.0, 1.0]]), torch.tensor([0]), torch.tensor([1])
    )
    loss.backward()
    assert loss.item() == 0
    assert sketches.grad is not None


def test_distillation_adds_the_angle_and_the_divergence() -> None:
    student = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    loss = distillation(student, teacher, student, teacher, scale=1.0, weight=4.0)
    t = [math.exp(0.6), math.exp(0.8)]
    s = [math.exp(1.0), math.exp(0.0)]
    t, s = [x / sum(t) for x in t], [x / sum(s) for x in s]
    divergence = sum(a * math.log(a / b) for a, b in zip(t, s, strict=True))
    assert loss.item() == pytest.approx(4 * (1 - 0.6) + divergence, abs=1e-12)
    same = distillation(teacher, teacher, teacher, teacher)
    assert same.item() == pytest.approx(0, abs=1e-12)
