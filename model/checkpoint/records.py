"""The records inside a manifest: photos, index, encoder of photos, pose, calibration."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from model.checkpoint.files import EMBEDDINGS, GALLERY_FILES, LAYOUT

Metric = Literal["angular", "euclidean"]

EngineName = Literal["exact", "annoy", "milvus"]

LARGEST = 16_384
"""Numbers in an embedding, and pixels of a frame's side: more than any network here has."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the gallery. What is not known of it is empty.

    Attributes:
        page: the address of the page on the web that it comes from.
    """

    path: str
    label: str
    credit: str = ""
    licence: str = ""
    page: str = ""


def photo_id(photo: Photo) -> str:
    """16 letters and digits that stand for a photo in any version of a gallery, by its path."""
    return blake2b(photo.path.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True)
class IndexInfo:
    """How an index was built.

    Attributes:
        metric: between embeddings.
        engine: which one of `model.search.engines` searches.
        trees: of Annoy; 0 for other engines.
        search_k: nodes that Annoy looks at for 12 photos, and Milvus's `ef`; 0 for exact search.
        recall: share of the 12 nearest photos that was found with it, on a sample of queries.
        photos: how many there are.
        photos_key: tells whether the photos have changed since.
    """

    metric: Metric
    engine: EngineName
    trees: int
    search_k: int
    recall: float
    photos: int
    photos_key: str

    def __post_init__(self) -> None:
        if min(self.trees, self.search_k, self.photos) < 0:
            raise ValueError("an index has no negative numbers")
        if not 0 <= self.recall <= 1:
            raise ValueError("recall is from 0 to 1")

    @property
    def files(self) -> tuple[str, ...]:
        """Those whose sha256 is in the manifest."""
        return GALLERY_FILES if self.engine == "annoy" else (EMBEDDINGS, LAYOUT)


@dataclass(frozen=True)
class PhotoEncoderInfo:
    """A network that embeds photos, into the space of the shared one, while they are indexed."""

    backbone: str
    input_size: int
    standardise: bool = False


@dataclass(frozen=True)
class PoseInfo:
    """The part of an embedding that tells the layout; see `model.encoder.head.PoseHead`.

    Attributes:
        cells: cells a side.
        size: numbers of each cell.
        weight: what a cosine of this part counts beside that of the other part.
    """

    cells: int
    size: int
    weight: float

    def __post_init__(self) -> None:
        if not (1 <= self.cells <= 16 and 1 <= self.size <= LARGEST and self.weight > 0):
            raise ValueError("a pose has 1 to 16 cells a side, some numbers a cell, and a weight")

    @property
    def numbers(self) -> int:
        """Numbers in this part."""
        return self.size * self.cells**2


@dataclass(frozen=True)
class Calibration:
    """What held-out sketches have shown of an encoder's guesses.

    Attributes:
        temperature: divides the logarithms of the class posterior, so that a guess of 70 % is
            right in 70 % of the cases (Guo et al. 2017).
        error: the expected calibration error that is left, on sketches that it was not fitted to.
        least_similarity: of the nearest photo; below it, nothing in a gallery is like a drawing.
    """

    temperature: float
    error: float
    least_similarity: float

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError("a temperature is above 0")
        if not 0 <= self.error <= 1:
            raise ValueError("a calibration error is from 0 to 1")
