"""Losses on the embeddings of a whole batch, over all ranks.

`train.objective` adds up those that a run uses; their settings are in `train.config`.

Most compare `(n, d)` sketches, the anchors, with `(m, d)` photos, their positives and negatives.
`cosine_softmax` compares pictures with class prototypes, `distillation` with a teacher's
projections. D is the Euclidean distance between two embeddings.

Pairs and triplets are chosen by masks of fixed shape. A library that lists them must wait for the
GPU at each step to know how many there are.
"""

import math

import torch
from torch.nn import functional

EXCLUDED = -1e4
"""The score of an excluded picture. It is finite, so that gradients are."""


def _mean(losses: torch.Tensor, counted: torch.Tensor | None = None) -> torch.Tensor:
    """The mean over the losses that are above 0 or NaN, among those `counted`; None counts all."""
    above = ~(losses <= 0)
    counted = above if counted is None else above & counted
    mean: torch.Tensor = losses.masked_fill(~counted, 0).sum() / counted.sum().clamp(min=1)
    return mean


def contrastive(
    sketches: torch.Tensor, photos: torch.Tensor, different: torch.Tensor, *, margin: float
) -> torch.Tensor:
    """Contrastive loss of pairs (Hadsell, Chopra, LeCun 2006, formula 4).

    `0.5 * (1 - Y) * D^2 + 0.5 * Y * max(0, margin - D)^2`, the mean over pairs.

    Args:
        sketches, photos: `(n, d)`; row i of both is a pair.
        different: `(n,)`, Y: 0 for a pair of the same class, else 1.
        margin: distance above which pairs of different classes have no loss.
    """
    apart = torch.linalg.vector_norm(sketches - photos, dim=1)
    unlike = different.to(apart.dtype)
    near = (1 - unlike) * apart.square()
    far = unlike * (margin - apart).clamp(min=0).square()
    loss: torch.Tensor = 0.5 * (near + far).mean()
    return loss


def triplet(
    sketches: torch.Tensor,
    photos: torch.Tensor,
    sketch_labels: torch.Tensor,
    photo_labels: torch.Tensor,
    *,
    margin: float,
    mining: str,
) -> torch.Tensor:
    """Triplet loss (Schroff et al. 2015, formula 1, with D instead of its square).

    `max(0, D(anchor, positive) - D(anchor, negative) + margin)`, the mean over the triplets whose
    loss is above 0.

    Args:
        sketches, photos: `(n, d)` and `(m, d)`.
        sketch_labels, photo_labels: class numbers.
        margin: see above.
        mining: `random`: photos 2i and 2i + 1 are the positive and the negative of sketch i.
            `semi-hard`: all triplets of the batch whose negative is farther away than the
            positive, but by less than the margin. `hard`: for each sketch, its farthest positive
            and its nearest negative (Hermans et al. 2017).
    """
    apart = torch.cdist(sketches, photos)
    if mining == "random":
        positives, negatives = apart[:, 0::2].diagonal(), apart[:, 1::2].diagonal()
        losses, counted = positives - negatives + margin, None
    else:
        same = sketch_labels[:, None] == photo_labels
        if mining == "hard":
            positives = apart.masked_fill(~same, -math.inf).amax(dim=1)
            negatives = apart.masked_fill(same, math.inf).amin(dim=1)
            counted = same.any(dim=1) & ~same.all(dim=1)
            losses = positives - negatives + margin
        else:
            farther = apart[:, None, :] - apart[:, :, None]
            losses = margin - farther
            counted = same[:, :, None] & ~same[:, None, :] & (farther > 0) & (farther <= margin)
    return _mean(losses, counted)


def supervised_contrastive(
    sketches: torch.Tensor,
    photos: torch.Tensor,
    sketch_labels: torch.Tensor,
    photo_labels: torch.Tensor,
    *,
    temperature: float = 0.1,
) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, formula 2) from sketches to photos.

    For each sketch, the mean over its positives p of
    `-log(exp(s . p / t) / sum over all photos q of exp(s . q / t))`; then the mean over the
    sketches that have a positive. With one positive for each sketch, it is InfoNCE (van den Oord et
    al. 2018, formula 4).

    Args:
        sketches, photos: `(n, d)` and `(m, d)`; they are normalised first.
        sketch_labels, photo_labels: class numbers.
        temperature: t.
    """
    cosines = functional.normalize(sketches, dim=1) @ functional.normalize(photos, dim=1).T
    scores = cosines / temperature
    scores = scores - scores.amax(dim=1, keepdim=True).detach()
    likelihoods = scores - scores.logsumexp(dim=1, keepdim=True)
    positive = (sketch_labels[:, None] == photo_labels).to(scores.dtype)
    losses = -(positive * likelihoods).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
    return _mean(losses)


def pose_contrastive(
    anchors: torch.Tensor,
    others: torch.Tensor,
    anchor_pairs: torch.Tensor,
    other_pairs: torch.Tensor,
    anchor_labels: torch.Tensor,
    other_labels: torch.Tensor,
    *,
    temperature: float,
) -> torch.Tensor:
    """InfoNCE within a class: which picture of the same animal has the anchor's pose.

    The supervised contrastive loss (Khosla et al. 2020, formula 2). Positives are the pictures of
    the anchor's pair; the sum is over pictures of the anchor's class only. Pictures of other
    classes are not negatives: poses would learn to distinguish animals from them.

    Args:
        anchors, others: `(n, d)` and `(m, d)` poses of length 1.
        anchor_pairs, other_pairs: numbers of pairs; see `train.data.pose_pairs`. Pictures in no
            pair (below 0) are left out.
        anchor_labels, other_labels: class numbers.
        temperature: of the softmax.
    """
    counted = (anchor_labels[:, None] == other_labels) & (other_pairs >= 0)
    positive = (anchor_pairs[:, None] == other_pairs) & counted
    scores = (anchors @ others.T / temperature).masked_fill(~counted, EXCLUDED)
    likelihoods = scores - scores.logsumexp(dim=1, keepdim=True)
    losses = -likelihoods.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
    return _mean(losses, positive.any(dim=1))


def cosine_softmax(
    cosines: torch.Tensor, labels: torch.Tensor, *, scale: float, margin: float, smoothing: float
) -> torch.Tensor:
    """Cross entropy over cosines with class prototypes, minus a margin for the right class.

    `-log softmax(scale * (cos - margin * onehot))` (CosFace, Wang et al. 2018, formula 4), with
    label smoothing. pytorch-metric-learning's CosFace has its own prototypes and no smoothing; here
    they are part of the encoder, whose posterior needs them.

    Args:
        cosines: `(n, classes)`, -1 to 1.
        labels: `(n,)` class numbers.
        scale, margin: see above.
        smoothing: share of the labels that is spread over all classes.
    """
    onehot = functional.one_hot(labels, cosines.shape[1]).to(cosines.dtype)
    return functional.cross_entropy(
        scale * (cosines - margin * onehot), labels, label_smoothing=smoothing
    )


def distillation(
    student: torch.Tensor,
    teacher: torch.Tensor,
    student_cosines: torch.Tensor,
    teacher_cosines: torch.Tensor,
    *,
    scale: float = 16.0,
    weight: float = 4.0,
) -> torch.Tensor:
    """Distance to the teacher's projection, and divergence from its class posterior.

    `weight * (1 - s . t) + KL(softmax(scale * t . W) || softmax(scale * s . W))`: regression on
    the sphere, plus Hinton et al. 2015 with temperature 1 / scale.

    Args:
        student, teacher: `(n, d)` rows of length 1.
        student_cosines, teacher_cosines: `(n, classes)`, with the prototypes W.
        scale: of the posteriors.
        weight: of the distance.
    """
    apart = (1 - (student * teacher).sum(dim=1)).mean()
    divergence = functional.kl_div(
        functional.log_softmax(scale * student_cosines, dim=1),
        functional.log_softmax(scale * teacher_cosines, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return weight * apart + divergence
