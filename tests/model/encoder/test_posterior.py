"""The class posterior, and the classes of photos by their labels or by the encoder."""

from dataclasses import replace

import numpy as np

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.posterior import classes_of

SHARES = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]


def embedding(*shares: float, more: int = 0) -> np.ndarray:
    """8 numbers of a projection, square roots of probabilities, and numbers of another part."""
    row = [0.3] * 8 + [share**0.5 * 0.5 for share in shares] + [0.2] * more
    return np.array(row, np.float32)


def test_the_class_part_is_the_same_where_a_further_part_follows(
    tiny_checkpoint: Checkpoint,
) -> None:
    manifest = tiny_checkpoint.manifest
    for more in (0, 5):
        rows = np.stack([embedding(*shares, more=more) for shares in SHARES])
        assert np.allclose(manifest.posterior(rows), SHARES)
        assert np.allclose(manifest.posterior(rows[0]), SHARES[0])


def test_a_photo_shows_what_its_label_says_or_what_the_encoder_is_sure_of(
    tiny_checkpoint: Checkpoint,
) -> None:
    manifest = replace(tiny_checkpoint.manifest, classes=["ant", "bat", "hermit_crab"])
    photos = [Photo("1", "bat"), Photo("2", "hermit crab"), Photo("3", "IMG 3"), Photo("4", "moth")]
    rows = np.stack(
        [
            embedding(0.99, 0.01, 0.0),
            embedding(0.99, 0.01, 0.0),
            embedding(0.05, 0.92, 0.03),
            embedding(0.5, 0.4, 0.1),
        ]
    )
    assert classes_of(photos, rows, manifest).tolist() == [1, 2, 1, -1]
