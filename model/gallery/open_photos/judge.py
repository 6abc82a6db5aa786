"""Which photos are taken: those that the encoder takes for the animal, and the most different."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.encoder.encoder import Embeddings
from model.errors import ImageError
from model.pictures.decoding import flatten, open_image

LEAST_SIDE = 240
"""Pixels of a photo's shorter side."""

LEAST_SHARE = 0.5
"""Share of the class posterior from which a photo is taken for the animal."""

SAME = 0.975
"""Dot product of embeddings from which two photos count as the same one.

Of the starter gallery the two photos most alike have 0.968. Its photos have a median of 0.993 with
themselves in a JPEG of quality 50, and with a margin of 3 % cut off.
"""

PAPER = 0.6
"""Share of nearly white pixels from which a picture is a drawing, or cut out."""


@dataclass(frozen=True)
class Judgement:
    """Whether a photo is taken: why not, or its embedding."""

    flaw: str
    embedding: Embeddings | None = None


class Judge:
    """Looks at photos with the encoder of a checkpoint.

    Raises:
        GalleryError: the encoder has learnt no classes.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._encoder, self._manifest = checkpoint.encoder(), checkpoint.manifest

    def __call__(self, data: bytes, animal: str) -> Judgement:
        """Judges a picture that was fetched as a photo of an animal.

        Args:
            data: its file.
            animal: one of the encoder's classes.
        """
        try:
            image = flatten(open_image(data))
            if min(image.size) < LEAST_SIDE:
                return Judgement("too small")
            if _is_on_paper(image):
                return Judgement("a drawing, or cut out")
            embedding = self._encoder.embed_photos([image])
        except ImageError:
            return Judgement("not readable as a picture")
        shares = self._manifest.posterior(embedding)[0]
        if shares[self._manifest.classes.index(animal)] < LEAST_SHARE:
            return Judgement("not taken for the animal by the encoder")
        return Judgement("", embedding[0])


def _is_on_paper(image: Image.Image) -> bool:
    tones = np.asarray(image.resize((64, 64)))
    return bool((tones.min(axis=2) > 243).mean() > PAPER)


def most_different(embeddings: Embeddings, count: int) -> NDArray[np.intp]:
    """Photos of one animal that differ most, so that they show it in many poses.

    The first is the one nearest to the mean. Each further one is the one whose nearest neighbour
    among those chosen is the farthest (Gonzalez, Clustering to minimize the maximum intercluster
    distance, 1985).

    Args:
        embeddings: `(n, d)`, of length 1.
        count: how many are wanted.

    Returns:
        `(m,)` rows, in the order in which they were chosen; m is `count`, or less where the others
        are the same photos once more.
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
