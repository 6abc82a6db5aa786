"""The class posterior that is part of an embedding (see `model.encoder.head.Head.extend`)."""

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
"""`(..., classes)`, sums to 1 along the last axis."""

SHARPNESS = 2.0
"""Exponent of the class posterior in the embeddings of sketches, which is normalised again."""


def class_posterior(
    embeddings: NDArray[np.float32], start: int, classes: int, *, sketches: bool
) -> Probabilities:
    """Reads the class posterior from embeddings, which hold the square roots of probabilities.

    Args:
        embeddings: `(..., d)`.
        start: index of the first class in an embedding.
        classes: number of classes, at least 1.
        sketches: whether they are embeddings of sketches; then `SHARPNESS` is taken back.

    Returns:
        `(..., classes)`.
    """
    exponent = 2 / SHARPNESS if sketches else 2
    shares = embeddings[..., start : start + classes].astype(float) ** exponent
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def calibrate(posterior: Probabilities, temperature: float) -> Probabilities:
    """Temperature scaling (Guo et al. 2017): divides the log probabilities by the temperature.

    Args:
        posterior: `(..., classes)`.
        temperature: above 0; above 1 for less confidence.

    Returns:
        `(..., classes)`.
    """
    powers = np.maximum(posterior, 1e-12) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
