"""Calibrates how confident a checkpoint's guesses are, and what counts as an unknown drawing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax as softmax_of

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Calibration
from train.errors import DataError
from train.evaluate import embed_pictures, labels_of
from train.metrics import FIRST

BINS = 15
"""Bins of the expected calibration error, as in Guo et al. 2017."""

TEMPERATURES = np.geomspace(0.2, 5, 200)
"""The temperatures that are tried."""

UNLIKE = 0.05
"""Share of the held-out sketches that may count as unlike all photos."""

LEAST_PROBABILITY = 1e-12
"""So that its logarithm is finite."""


def calibrate(
    checkpoint: Path, photos: Sequence[Path], sketches: Sequence[Path], split: Path | None
) -> tuple[Calibration, float, float]:
    """Fits the calibration of a checkpoint, and writes it into its manifest.

    Args:
        checkpoint: a checkpoint folder whose encoder has prototypes.
        photos, sketches, split: as for `train.evaluate.evaluate`.

    Returns:
        The calibration, the expected calibration error without it, and the share of the sketches
        whose most probable class is right.

    Raises:
        DataError: there are too few pictures, or the encoder has no prototypes.
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
    rows, pictures = embedded.sketch_rows[known], [embedded.sketches[i] for i in known]
    labels = np.array([number[picture.label] for picture in pictures])
    logs = np.log(np.maximum(manifest.posterior(rows, sketches=True), LEAST_PROBABILITY))
    nearest = (rows @ embedded.photo_rows.T).max(axis=1)
    photos_of = Counter(labels_of(embedded.photos).tolist())
    similarity = least_similarity(nearest, np.array([photos_of[p.label] for p in pictures]))
    calibration = Calibration(
        temperature=round(best_temperature(logs, labels), 4),
        error=round(_cross_validated_error(logs, labels, [p.photo_id for p in pictures]), 4),
        least_similarity=round(similarity, 4),
    )
    replace(manifest, calibration=calibration).save(opened.folder)
    right = float((logs.argmax(axis=1) == labels).mean())
    return calibration, expected_calibration_error(softmax(logs), labels), right


def _cross_validated_error(
    logs: NDArray[np.float64], labels: NDArray[np.int64], photo_ids: Sequence[str]
) -> float:
    """The calibration error on each half of the sketches, with the other half's temperature.

    Sketches of one photo are much alike, so they are in the same half.
    """
    numbers = {photo_id: number for number, photo_id in enumerate(sorted(set(photo_ids)))}
    halves = np.array([numbers[photo_id] % 2 for photo_id in photo_ids])
    if len(set(halves.tolist())) < 2:
        raise DataError("Calibration needs sketches of two photos at least.")
    errors, counts = [], []
    for half in (0, 1):
        measured, fitted = halves == half, halves != half
        temperature = best_temperature(logs[fitted], labels[fitted])
        shares = softmax(logs[measured] / temperature)
        errors.append(expected_calibration_error(shares, labels[measured]))
        counts.append(int(measured.sum()))
    return float(np.average(errors, weights=counts))


def least_similarity(nearest: NDArray[np.floating], photos: NDArray[np.int64]) -> float:
    """The similarity that all but `UNLIKE` of the sketches have to their nearest photo.

    Only sketches whose class has `FIRST` photos count, if there are any: if a class has one or two
    photos, even the nearest may be far away.

    Args:
        nearest: `(n,)` similarities of sketches to their nearest photo.
        photos: `(n,)`, how many photos the sketch's class has.
    """
    enough = photos >= FIRST
    return float(np.quantile(nearest[enough] if enough.any() else nearest, UNLIKE))


def softmax(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n, classes)` rows that sum to 1."""
    shares: NDArray[np.float64] = softmax_of(logs, axis=1)
    return shares


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
    """Mean difference of confidence and accuracy over `BINS` bins (Guo et al. 2017, formula 3).

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
