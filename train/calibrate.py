"""How sure the guess of the animal may be, and how far away the nearest photo may lie."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Calibration
from train.errors import DataError
from train.evaluate import embed_pictures, labels_of
from train.metrics import FIRST

BINS = 15
"""Bins of the expected calibration error, as in Guo et al. 2017."""

TEMPERATURES = np.geomspace(0.2, 5, 200)
"""Those that are tried."""

UNLIKE = 0.05
"""Share of the held-out sketches whose nearest photo may count as too far."""


def calibrate(
    checkpoint: Path, photos: Sequence[Path], sketches: Sequence[Path], split: Path | None
) -> tuple[Calibration, float, float]:
    """Fits the temperature of a checkpoint's guesses, and writes it into its manifest.

    Args:
        checkpoint: a checkpoint folder whose encoder has prototypes.
        photos, sketches, split: as for `train.evaluate.evaluate`.

    Returns:
        The calibration, the expected calibration error without it, and the share of the sketches
        whose likeliest class is right.

    Raises:
        DataError: there are no pictures, or no prototypes, which the guesses come from.
        CheckpointError: the checkpoint cannot be opened.
    """
    opened = Checkpoint.open(checkpoint)
    manifest = opened.manifest
    if not manifest.prototypes:
        raise DataError(f"{checkpoint} guesses no classes: it was trained without prototypes.")
    embedded = embed_pictures(opened, photos, sketches, split)
    number = {label: i for i, label in enumerate(manifest.classes)}
    known = [i for i, picture in enumerate(embedded.sketches) if picture.label in number]
    if not known:
        raise DataError(f"None of the sketches is of a class that {checkpoint} knows.")
    rows = embedded.sketch_rows[known]
    of = labels_of(embedded.sketches)[known]
    labels = np.array([number[label] for label in of])
    logs = np.log(np.maximum(manifest.posterior(rows), 1e-12))
    # Sketches of one photo are much alike, so they are on the same side.
    ids = {
        photo_id: i for i, photo_id in enumerate(sorted({p.photo_id for p in embedded.sketches}))
    }
    side = np.array([ids[embedded.sketches[i].photo_id] % 2 for i in known])
    errors, counts = [], []
    for one in (0, 1):
        if not (side == one).any() or not (side != one).any():
            raise DataError("Sketches of two photos at least are needed to calibrate with.")
        temperature = best_temperature(logs[side != one], labels[side != one])
        shares = softmax(logs[side == one] / temperature)
        errors.append(expected_calibration_error(shares, labels[side == one]))
        counts.append(int((side == one).sum()))
    nearest = (rows @ embedded.photo_rows.T).max(axis=1)
    photos_of = Counter(labels_of(embedded.photos).tolist())
    calibration = Calibration(
        temperature=round(best_temperature(logs, labels), 4),
        error=round(float(np.average(errors, weights=counts)), 4),
        least_similarity=round(
            least_similarity(nearest, np.array([photos_of[label] for label in of])), 4
        ),
    )
    replace(manifest, calibration=calibration).save(opened.folder)
    right = float((logs.argmax(axis=1) == labels).mean())
    return calibration, expected_calibration_error(softmax(logs), labels), right


def least_similarity(nearest: NDArray[np.floating], photos: NDArray[np.int64]) -> float:
    """The similarity that all but `UNLIKE` of the sketches have to their nearest photo.

    Only sketches whose class has `FIRST` photos count, if any has: of one or two photos even the
    nearest may lie far away.

    Args:
        nearest: `(n,)` similarities of sketches to their nearest photo.
        photos: `(n,)` how many photos there are of the sketch's class.
    """
    enough = photos >= FIRST
    return float(np.quantile(nearest[enough] if enough.any() else nearest, UNLIKE))


def best_temperature(logs: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017, section 4.2).

    Args:
        logs: `(n, classes)` logarithms of a posterior.
        labels: `(n,)` class numbers.
    """
    rows = np.arange(len(labels))
    losses = [-np.log(softmax(logs / t)[rows, labels]).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def expected_calibration_error(shares: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean distance of confidence from accuracy over `BINS` bins (Guo et al. 2017, formula 3).

    Args:
        shares: `(n, classes)` posteriors.
        labels: `(n,)` class numbers.
    """
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(np.sum(gaps))


def softmax(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n, classes)` rows that sum to 1."""
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
