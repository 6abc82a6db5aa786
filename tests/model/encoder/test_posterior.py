"""The class posterior of embeddings, against numbers worked out by hand."""

import numpy as np
import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.encoder.posterior import calibrate

POSTERIORS = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]


def embedding(*posterior: float, more: int = 0) -> np.ndarray:
    """8 numbers of a projection, square roots of probabilities, and numbers of another part."""
    row = [0.3] * 8 + [share**0.5 * 0.5 for share in posterior] + [0.2] * more
    return np.array(row, np.float32)


def test_the_posterior_does_not_depend_on_a_part_that_follows(tiny_checkpoint: Checkpoint) -> None:
    manifest = tiny_checkpoint.manifest
    for more in (0, 5):
        rows = np.stack([embedding(*posterior, more=more) for posterior in POSTERIORS])
        assert np.allclose(manifest.posterior(rows, sketches=False), POSTERIORS)
        assert np.allclose(manifest.posterior(rows[0], sketches=False), POSTERIORS[0])


def test_of_a_sketch_the_posterior_is_stored_squared(tiny_checkpoint: Checkpoint) -> None:
    """0.49, 0.04 and 0.01 are the squares of 0.7, 0.2 and 0.1."""
    row = embedding(0.49 / 0.54, 0.04 / 0.54, 0.01 / 0.54)
    found = tiny_checkpoint.manifest.posterior(row, sketches=True)
    assert found == pytest.approx([0.7, 0.2, 0.1])


def test_a_temperature_of_2_takes_square_roots() -> None:
    assert calibrate(np.array([0.81, 0.09, 0.1]), 1) == pytest.approx([0.81, 0.09, 0.1])
    assert calibrate(np.array([0.64, 0.36]), 2) == pytest.approx([0.8 / 1.4, 0.6 / 1.4])
