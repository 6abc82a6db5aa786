"""What a search finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """A photo that was found.

    Attributes:
        photo: path of the photo.
        label: what it shows.
        distance: Euclidean, between embeddings. On the unit sphere, where most encoders put
            them, it is 0 (same) to 2 (opposite): sqrt(2 - 2 * dot product).
        similarity: 1 for the same. On the unit sphere the dot product, -1 to 1, else
            1 / (1 + distance).
        credit: who made it; empty where unknown.
        licence: its terms; empty where unknown.
        rank: 1 for the nearest.
        number: its place in the manifest, from 0.
        page: the address of the page that it comes from; empty where unknown.
        animal: the class that it shows, by its label or as the encoder sees it; empty where it is
            none for sure.
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
    """A class that a drawing may show, how sure the encoder is, 0 to 1, and photos of it."""

    label: str
    share: float
    photos: int
