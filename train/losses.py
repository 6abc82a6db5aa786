"""Losses on projections of length 1."""

import torch
from torch.nn import functional


def cosine_softmax(
    cosines: torch.Tensor,
    labels: torch.Tensor,
    *,
    scale: float = 16.0,
    margin: float = 0.1,
    smoothing: float = 0.05,
) -> torch.Tensor:
    """Cross entropy over cosines with class prototypes, less a margin for the right class.

    `-log softmax(scale * (cos - margin * onehot))` (CosFace, Wang et al. 2018, formula 4), with
    label smoothing.

    Args:
        cosines: `(n, classes)`, -1 to 1.
        labels: `(n,)` class numbers.
    """
    onehot = functional.one_hot(labels, cosines.shape[1]).to(cosines.dtype)
    return functional.cross_entropy(
        scale * (cosines - margin * onehot), labels, label_smoothing=smoothing
    )


def cross_modal_contrastive(
    sketches: torch.Tensor,
    photos: torch.Tensor,
    sketch_labels: torch.Tensor,
    photo_labels: torch.Tensor,
    *,
    temperature: float = 0.1,
) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, formula 2) from sketches to photos.

    Each sketch is an anchor, all photos of the batch are its candidates, those of its class its
    positives. A sketch without a positive does not count.

    Args:
        sketches: `(n, d)` rows of length 1.
        photos: `(m, d)` rows of length 1.
        sketch_labels: `(n,)`.
        photo_labels: `(m,)`.
    """
    log_shares = functional.log_softmax(sketches @ photos.T / temperature, dim=1)
    positive = sketch_labels[:, None] == photo_labels[None, :]
    count = positive.sum(dim=1)
    of_anchor = -(log_shares * positive).sum(dim=1) / count.clamp(min=1)
    return of_anchor[count > 0].mean() if bool((count > 0).any()) else of_anchor.sum() * 0


def distillation(
    student: torch.Tensor,
    teacher: torch.Tensor,
    student_cosines: torch.Tensor,
    teacher_cosines: torch.Tensor,
    *,
    scale: float = 16.0,
    weight: float = 4.0,
) -> torch.Tensor:
    """Distance to the teacher's projection, and between both class posteriors.

    `weight * (1 - s . t) + KL(softmax(scale * t . W) || softmax(scale * s . W))`: regression on
    the sphere, plus Hinton et al. 2015 with temperature 1 / scale.

    Args:
        student, teacher: `(n, d)` rows of length 1.
        student_cosines, teacher_cosines: `(n, classes)`.
    """
    apart = (1 - (student * teacher).sum(dim=1)).mean()
    divergence = functional.kl_div(
        functional.log_softmax(scale * student_cosines, dim=1),
        functional.log_softmax(scale * teacher_cosines, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return weight * apart + divergence
