"""The results of a search."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """A photo that a search has found.

    Attributes:
        photo: path of the photo.
        label: what the photo shows.
        distance: Euclidean distance between the embeddings. On the unit sphere, where most
            encoders put them, it is sqrt(2 - 2 * dot product): from 0 (same) to 2 (opposite).
        similarity: 1 for the same embedding. On the unit sphere it is the dot product, from -1 to
            1; otherwise 1 / (1 + distance).
        credit: who made the photo; empty if unknown.
        licence: licence of the photo; empty if unknown.
        rank: 1 for the nearest photo.
        number: index of the photo in the manifest, from 0.
        page: URL of the web page that the photo comes from; empty if unknown.
        animal: class of the photo, by its label or by the encoder; empty if uncertain.
    """

    photo: str
    label: str
    distance: float
    similarity: float
    credit: str
    licence: str
    rank: int
    number: int
    page: str = ""
    animal: str = ""


@dataclass(frozen=True)
class Guess:
    """A class that a drawing may show.

    Attributes:
        label: the class.
        share: its calibrated probability, from 0 to 1.
        photos: number of photos of this class in the gallery.
    """

    label: str
    share: float
    photos: int
