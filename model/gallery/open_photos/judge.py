"""Judges photos: the encoder has to recognise the animal. Selects the most different photos."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.encoder.head import Embeddings
from model.errors import ImageError
from model.pictures.colours import flatten
from model.pictures.decoding import open_image

MIN_SIDE = 240
"""Minimum pixels of a photo's shorter side."""

MIN_PROBABILITY = 0.5
"""Posterior probability of the animal's class that a photo needs."""

SAME = 0.975
"""Dot product of embeddings from which two photos count as the same.

In the starter gallery, the two most similar photos have 0.968. The median of a photo and itself, as
a JPEG of quality 50 and with 3 % cut off at each edge, is 0.993.
"""

MAX_WHITE = 0.6
"""Share of nearly white pixels above which a picture is a drawing or a cut-out."""


@dataclass(frozen=True)
class Judgement:
    """The flaw of a photo (empty if there is none), and the embedding of a good photo."""

    flaw: str
    embedding: Embeddings | None = None


class Judge:
    """Judges photos with the encoder of a checkpoint. The encoder needs prototypes."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._encoder, self._manifest = checkpoint.encoder(), checkpoint.manifest

    def __call__(self, data: bytes, animal: str) -> Judgement:
        """Judges a picture that should be a photo of an animal.

        Args:
            data: content of the file.
            animal: one of the encoder's classes.
        """
        try:
            image = flatten(open_image(data))
            if min(image.size) < MIN_SIDE:
                return Judgement("too small")
            if _is_on_paper(image):
                return Judgement("a drawing, or cut out")
            embedding = self._encoder.embed_photos([image])
        except ImageError:
            return Judgement("not readable as a picture")
        shares = self._manifest.posterior(embedding, sketches=False)[0]
        if shares[self._manifest.classes.index(animal)] < MIN_PROBABILITY:
            return Judgement("not taken for the animal by the encoder")
        return Judgement("", embedding[0])


def _is_on_paper(image: Image.Image) -> bool:
    tones = np.asarray(image.resize((64, 64)))
    return bool((tones.min(axis=2) > 243).mean() > MAX_WHITE)


def most_different(embeddings: Embeddings, count: int) -> NDArray[np.intp]:
    """Selects the photos of an animal that differ most, so that they show it in many poses.

    The first photo is the one nearest to the mean. Then the photo that is farthest from all
    selected photos is added repeatedly (Gonzalez, Clustering to minimize the maximum intercluster
    distance, 1985).

    Args:
        embeddings: `(n, d)`, of length 1.
        count: how many photos to select.

    Returns:
        `(m,)` rows in the order of selection; m is below `count` if the other photos are the same
        as selected ones.
    """
    chosen: list[int] = []
    nearest = -embeddings @ embeddings.sum(axis=0) if len(embeddings) else np.zeros(0)
    while len(chosen) < min(count, len(embeddings)):
        farthest = int(np.argmin(nearest))
        if chosen and nearest[farthest] >= SAME:
            break
        alike = embeddings @ embeddings[farthest]
        nearest = np.maximum(nearest, alike) if chosen else alike
        chosen.append(farthest)
        nearest[farthest] = np.inf
    return np.array(chosen, np.intp)
