"""The animal on each photo of a gallery: by its label, or else by the encoder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.manifest import Manifest
from model.checkpoint.records import Photo
from model.encoder.head import Embeddings

CHUNK = 65_536
"""Embeddings that are processed at a time."""

MIN_PROBABILITY = 0.9
"""Posterior probability from which a photo is assigned to a class.

With it, 73 % of held-out photos of the 55 classes are assigned to their own class, and 1.5 % to
another one. If every photo were assigned to its likeliest class, it would be 88 % and 12 %.
"""


def classes_of(
    photos: Sequence[Photo], embeddings: Embeddings, manifest: Manifest
) -> NDArray[np.int16]:
    """The class of each photo: by its label, or else by the encoder's class posterior.

    Args:
        photos: the photos of a gallery.
        embeddings: their embeddings, `(n, d)`; a memory map is accepted.
        manifest: the manifest of the encoder.

    Returns:
        `(n,)` indices into `manifest.classes`; -1 if the class is uncertain.
    """
    numbers = np.full(len(photos), -1, np.int16)
    if not manifest.prototypes:
        return numbers
    for start in range(0, len(photos), CHUNK):
        shares = manifest.posterior(embeddings[start : start + CHUNK], sketches=False)
        likeliest = shares.argmax(axis=1)
        numbers[start : start + CHUNK] = np.where(
            shares.max(axis=1) >= MIN_PROBABILITY, likeliest, -1
        )
    named = {name.replace("_", " "): number for number, name in enumerate(manifest.classes)}
    for row, photo in enumerate(photos):
        numbers[row] = named.get(photo.label, numbers[row])
    return numbers
