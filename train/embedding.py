"""Embeds many frames in batches; each rank embeds a part, and all get the whole."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from train import distributed
from train.data.dataset import Dataset
from train.data.feed import HostFrames
from train.data.frames import Frames
from train.metrics import Metrics, evaluate_embeddings
from train.networks.inputs import as_input
from train.networks.siamese import SiameseNetwork
from train.precision import autocast

BATCH = 128
"""Pictures that are embedded at once."""


def project(
    network: SiameseNetwork,
    frames: Frames,
    device: torch.device,
    *,
    amp: bool,
    name: str = "",
) -> torch.Tensor:
    """Projections of many frames, each the mean of those of the picture and its mirror image.

    Args:
        network: on the device; it is put into evaluation mode.
        frames: all of them sketches or all of them photos.
        device: where to compute.
        amp: compute in bf16 where that is fast.
        name: of a progress bar; none if empty.

    Returns:
        `(n, projection_size)` float32 rows, on the CPU, in the order of the frames.
    """
    encode = partial(network.project, mirror=True)
    size = network.projection.out_features
    return _encode_all(network, encode, size, frames, device, amp=amp, name=name)


def embed(
    network: SiameseNetwork, frames: Frames, device: torch.device, *, sketches: bool, amp: bool
) -> torch.Tensor:
    """Embeddings of many frames, `(n, network.size)`; see `project`."""
    encode = partial(network.embed, sketches=sketches)
    return _encode_all(network, encode, network.size, frames, device, amp=amp, name="")


def validate(
    network: SiameseNetwork, dataset: Dataset, device: torch.device, *, amp: bool
) -> Metrics:
    """Metrics of a network on the held-out pictures; the same on all ranks."""
    sketches, photos = dataset.held_sketches, dataset.held_photos
    metrics = evaluate_embeddings(
        embed(network, sketches.frames, device, sketches=True, amp=amp).numpy(),
        embed(network, photos.frames, device, sketches=False, amp=amp).numpy(),
        sketches.labels,
        photos.labels,
        sketches.photo_ids,
        photos.photo_ids,
    )
    return distributed.from_first(metrics)


@torch.no_grad()
def _encode_all(
    network: SiameseNetwork,
    encode: Callable[[torch.Tensor], torch.Tensor],
    size: int,
    frames: Frames,
    device: torch.device,
    *,
    amp: bool,
    name: str,
) -> torch.Tensor:
    network.eval()
    count, world = len(frames.pictures), distributed.world()
    mine = np.arange(distributed.rank(), count, world)
    parts = [torch.empty(0, size)]
    starts, feed = range(0, len(mine), BATCH), HostFrames(frames, device)
    for start in tqdm(starts, name, disable=not name or distributed.rank() > 0):
        batch = as_input(feed.take(mine[start : start + BATCH]))
        with autocast(device, amp=amp):
            parts.append(encode(batch).float().cpu())
    rows = torch.empty(count, size)
    for rank, part in enumerate(distributed.gather_objects(torch.cat(parts))):
        rows[rank::world] = part
    return rows
