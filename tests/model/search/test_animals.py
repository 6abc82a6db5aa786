from dataclasses import replace

import numpy as np

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.search.animals import classes_of


def test_a_photo_shows_what_its_label_says_or_what_the_encoder_is_sure_of(
    tiny_checkpoint: Checkpoint,
) -> None:
    manifest = replace(tiny_checkpoint.manifest, classes=["ant", "bat", "hermit_crab"])
    photos = [Photo("1", "bat"), Photo("2", "hermit crab"), Photo("3", "IMG 3"), Photo("4", "moth")]
    posteriors = np.array([[0.99, 0.01, 0], [0.99, 0.01, 0], [0.05, 0.92, 0.03], [0.5, 0.4, 0.1]])
    rows = np.concatenate([np.full((4, 8), 0.3), posteriors**0.5], axis=1).astype(np.float32)
    assert classes_of(photos, rows, manifest).tolist() == [1, 2, 1, -1]
