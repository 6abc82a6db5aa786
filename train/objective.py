"""What one training step minimises."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from train import distributed, losses
from train.config import FitConfig
from train.networks.siamese import SiameseNetwork
from train.precision import autocast

POSE_REGRESSION = 4.0
"""Weight of the distance between a photo's pose and its teacher's, as in `distillation`."""


@dataclass(frozen=True)
class Batch:
    """The pictures of one step.

    Attributes:
        images: this rank's `(n, 3, h, w)`: sketches, then photos, then images without a label:
            unlabelled photos and mixtures.
        counts: how many of each this rank has; the same on all ranks.
        sketch_labels, photo_labels: class numbers of the pictures of all ranks.
        targets: the teachers' projections of the pictures of all ranks: sketches, photos, and
            images without a label, rank by rank. None without a teacher.
        sketch_pairs, photo_pairs: pair numbers of the pictures of all ranks; see
            `train.data.pose_pairs`. None if poses are not learned.
        poses: a teacher's poses of the photos of all ranks. None without a teacher of poses.
    """

    images: torch.Tensor
    counts: tuple[int, int, int]
    sketch_labels: torch.Tensor
    photo_labels: torch.Tensor
    targets: torch.Tensor | None = None
    sketch_pairs: torch.Tensor | None = None
    photo_pairs: torch.Tensor | None = None
    poses: torch.Tensor | None = None


def loss_terms(config: FitConfig, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
    """The weighted losses over the joined batch of all ranks, by name; the same on each rank.

    Args:
        config: of the run.
        network: a `SiameseNetwork`, compiled or not, on one rank or many.
        batch: of this rank.

    Returns:
        The terms of a sum.
    """
    # Only the network computes in bf16: a cosine of 8 bits, times the scale, is too coarse.
    with autocast(batch.images.device, amp=config.amp):
        rows = network(batch.images)
    parts = (distributed.gather(p) if len(p) else p for p in rows.split(batch.counts))
    size, siamese = config.embedding_size, unwrapped(network)
    # Projections come first in each row, poses behind.
    (sketches, sketch_poses), (photos, photo_poses), (unlabelled, _) = (
        (part[:, :size], part[:, size:]) for part in parts
    )
    terms: dict[str, torch.Tensor] = {}
    if config.labels:
        terms |= _label_terms(config, siamese, batch, sketches, photos)
    if batch.targets is not None:
        projections = torch.cat([sketches, photos, unlabelled])
        terms["distil"] = config.distil * losses.distillation(
            projections,
            batch.targets,
            siamese.cosines(projections),
            siamese.cosines(batch.targets),
            scale=config.scale,
        )
    if batch.sketch_pairs is not None and batch.photo_pairs is not None:
        sketch = _Poses(sketch_poses, batch.sketch_pairs, batch.sketch_labels)
        photo = _Poses(photo_poses, batch.photo_pairs, batch.photo_labels)
        terms |= _pose_terms(config, sketch, photo, batch.poses)
    return terms


def unwrapped(network: nn.Module) -> SiameseNetwork:
    """The network inside of what `torch.compile` and `DistributedDataParallel` return."""
    network = getattr(network, "_orig_mod", network)  # where torch.compile keeps it
    inner = network.module if isinstance(network, DistributedDataParallel) else network
    return cast(SiameseNetwork, inner)


def _label_terms(
    config: FitConfig,
    network: SiameseNetwork,
    batch: Batch,
    sketches: torch.Tensor,
    photos: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """The weighted losses on labels.

    Args:
        config: of the run.
        network: has the prototypes.
        batch: has the labels.
        sketches, photos: projections of the pictures of all ranks.
    """
    margin, labels = config.loss_margin, (batch.sketch_labels, batch.photo_labels)
    terms = {}
    if config.loss == "cosface":
        terms["cosface"] = losses.cosine_softmax(
            network.cosines(torch.cat([sketches, photos])),
            torch.cat(labels),
            scale=config.scale,
            margin=margin,
            smoothing=config.smoothing,
        )
    elif config.loss == "contrastive":
        different = batch.sketch_labels != batch.photo_labels
        terms["contrastive"] = losses.contrastive(sketches, photos, different, margin=margin)
    elif config.loss == "triplet":
        terms["triplet"] = losses.triplet(
            sketches, photos, *labels, margin=margin, mining=config.mining
        )
    supcon_weight = {"supcon": 1.0, "cosface": config.supcon}.get(config.loss, 0.0)
    if supcon_weight:
        supcon = losses.supervised_contrastive(sketches, photos, *labels)
        terms["supcon"] = supcon_weight * supcon
    return {name: config.labels * term for name, term in terms.items()}


@dataclass(frozen=True)
class _Poses:
    """Poses of the sketches or the photos of all ranks, their pair numbers and class numbers."""

    rows: torch.Tensor
    pairs: torch.Tensor
    labels: torch.Tensor


def _pose_terms(
    config: FitConfig, sketches: _Poses, photos: _Poses, taught: torch.Tensor | None
) -> dict[str, torch.Tensor]:
    """The weighted losses on poses: from sketches to photos and back, and to a teacher's poses.

    Args:
        config: of the run.
        sketches, photos: of the batch.
        taught: a teacher's poses of the photos.
    """

    def nearest(anchors: _Poses, others: _Poses) -> torch.Tensor:
        return losses.pose_contrastive(
            anchors.rows,
            others.rows,
            anchors.pairs,
            others.pairs,
            anchors.labels,
            others.labels,
            temperature=config.pose_temperature,
        )

    both_ways = nearest(sketches, photos) + nearest(photos, sketches)
    terms = {"pose": config.pose_loss * both_ways / 2}
    if taught is not None:
        paired = (photos.pairs >= 0).to(taught.dtype)
        distances = (1 - (photos.rows * taught).sum(dim=1)) * paired
        apart = distances.sum() / paired.sum()
        to_taught = nearest(sketches, _Poses(taught, photos.pairs, photos.labels))
        terms["pose_distil"] = config.pose_loss * (to_taught + POSE_REGRESSION * apart)
    return terms
