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

POSE_APART = 4.0
"""Weight of the distance between a photo's pose and its teacher's, as in `distillation`."""


@dataclass(frozen=True)
class Batch:
    """One step's pictures.

    Attributes:
        images: this rank's `(n, 3, h, w)`: sketches, then photos, then what has no label:
            unlabelled photos and mixtures.
        counts: how many of each kind this rank has, the same on all ranks.
        labels: class numbers of the sketches and of the photos of all ranks.
        targets: the teachers' projections: the sketches of all ranks, their photos, and what has
            no label, rank by rank.
        pairs: numbers of the pairs of the sketches and of the photos of all ranks; see
            `train.data.sampling.Rows`.
        poses: a teacher's poses of those photos, where there is one.
    """

    images: torch.Tensor
    counts: tuple[int, int, int]
    labels: tuple[torch.Tensor, torch.Tensor]
    targets: torch.Tensor | None = None
    pairs: tuple[torch.Tensor, torch.Tensor] | None = None
    poses: torch.Tensor | None = None


def loss_terms(config: FitConfig, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
    """The weighted losses over the joined batch of all ranks, the same on each; their sum counts.

    Args:
        network: a `SiameseNetwork`, compiled or not, on one rank or many.
    """
    # Only the network computes in bf16: a cosine of 8 bits, times the scale, is too coarse.
    with autocast(batch.images.device, amp=config.amp):
        rows = network(batch.images)
    parts = rows.split(batch.counts)
    sketches, photos, unlabelled = (distributed.gather(p) if len(p) else p for p in parts)
    size = config.embedding_size
    sketch_poses, photo_poses = sketches[:, size:], photos[:, size:]
    sketches, photos, unlabelled = (p[:, :size] for p in (sketches, photos, unlabelled))
    of_sketches, of_photos = batch.labels
    bare = getattr(network, "_orig_mod", network)  # where torch.compile keeps it
    bare = bare.module if isinstance(bare, DistributedDataParallel) else bare
    siamese = cast(SiameseNetwork, bare)
    terms: dict[str, torch.Tensor] = {}
    if config.labels:
        margin = config.loss_margin
        if config.loss == "cosface":
            terms["cosface"] = losses.cosine_softmax(
                siamese.cosines(torch.cat([sketches, photos])),
                torch.cat([of_sketches, of_photos]),
                scale=config.scale,
                margin=margin,
                smoothing=config.smoothing,
            )
        elif config.loss == "contrastive":
            different = of_sketches != of_photos
            terms["contrastive"] = losses.contrastive(sketches, photos, different, margin=margin)
        elif config.loss == "triplet":
            terms["triplet"] = losses.triplet(
                sketches, photos, of_sketches, of_photos, margin=margin, mining=config.mining
            )
        weight = {"supcon": 1.0, "cosface": config.supcon}.get(config.loss, 0.0)
        if weight:
            terms["supcon"] = weight * losses.supervised_contrastive(
                sketches, photos, of_sketches, of_photos
            )
        terms = {name: config.labels * term for name, term in terms.items()}
    if batch.targets is not None:
        everything = torch.cat([sketches, photos, unlabelled])
        terms["distil"] = config.distil * losses.distillation(
            everything,
            batch.targets,
            siamese.cosines(everything),
            siamese.cosines(batch.targets),
            scale=config.scale,
        )
    if config.pose and batch.pairs:
        terms |= _pose_terms(config, batch, sketch_poses, photo_poses)
    return terms


def _pose_terms(
    config: FitConfig, batch: Batch, sketches: torch.Tensor, photos: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The weighted losses on poses: from sketches to photos and back, and to a teacher's.

    Args:
        sketches, photos: poses of all ranks' pictures.
    """
    assert batch.pairs is not None
    drawn, shown = zip(batch.pairs, batch.labels, strict=True)

    def nearest(
        anchors: torch.Tensor,
        others: torch.Tensor,
        anchor: tuple[torch.Tensor, ...],
        other: tuple[torch.Tensor, ...],
    ) -> torch.Tensor:
        return losses.pose_contrastive(
            anchors,
            others,
            anchor[0],
            other[0],
            anchor[1],
            other[1],
            temperature=config.pose_temperature,
        )

    both_ways = nearest(sketches, photos, drawn, shown) + nearest(photos, sketches, shown, drawn)
    terms = {"pose": config.pose_loss * both_ways / 2}
    if batch.poses is not None:
        paired = (shown[0] >= 0).to(photos.dtype)
        apart = ((1 - (photos * batch.poses).sum(dim=1)) * paired).sum() / paired.sum()
        taught = nearest(sketches, batch.poses, drawn, shown)
        terms["pose_distil"] = config.pose_loss * (taught + POSE_APART * apart)
    return terms
