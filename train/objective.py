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
    """

    images: torch.Tensor
    counts: tuple[int, int, int]
    labels: tuple[torch.Tensor, torch.Tensor]
    targets: torch.Tensor | None = None


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
    return terms
