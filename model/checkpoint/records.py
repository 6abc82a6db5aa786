"""The records inside a manifest, and the values that their fields allow.

The annotations are checked by pydantic when a manifest is read (see `model.checkpoint.manifest`).
Creating a record in Python checks nothing.
"""

import sys
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Literal

from pydantic import AfterValidator, AllowInfNan, Field, Strict, with_config

from model.checkpoint.files import EMBEDDINGS, GALLERY_FILES, LAYOUT

MAX_SIZE = 16_384
"""Upper limit for numbers in an embedding and for pixels of a frame's side; networks use less."""

Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]
SharedText = Annotated[str, Strict(), AfterValidator(sys.intern)]
"""Text that many photos have in common. It is stored once, which saves a third of the memory."""

Count = Annotated[int, Strict(), Field(ge=0)]
Size = Annotated[int, Strict(), Field(ge=1, le=MAX_SIZE)]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]

Metric = Literal["angular", "euclidean"]
EngineName = Literal["exact", "annoy", "milvus"]


@with_config(extra="forbid")
@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the gallery. Unknown fields are empty.

    Attributes:
        path: absolute path of the file.
        label: what the photo shows.
        credit: who made it.
        licence: its licence.
        page: URL of the web page that it comes from.
    """

    path: Text
    label: SharedText
    credit: SharedText = ""
    licence: SharedText = ""
    page: Text = ""


def photo_id(photo: Photo) -> str:
    """16 hexadecimal digits, derived from the path, that identify a photo in every version."""
    return blake2b(photo.path.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@with_config(extra="forbid")
@dataclass(frozen=True)
class IndexInfo:
    """How an index was built.

    Attributes:
        metric: distance between embeddings.
        engine: which engine of `model.search.engines` searches.
        trees: number of Annoy's trees; 0 for other engines.
        search_k: nodes that Annoy visits for 12 photos, or Milvus's `ef`; 0 for exact search.
        recall: share of the 12 nearest photos that the index finds, on a sample of queries.
        photos: number of photos.
        photos_key: changes when the photos do.
    """

    metric: Metric
    engine: EngineName
    trees: Count
    search_k: Count
    recall: Share
    photos: Count
    photos_key: Text

    @property
    def files(self) -> tuple[str, ...]:
        """The files whose SHA-256 is in the manifest."""
        return GALLERY_FILES if self.engine == "annoy" else (EMBEDDINGS, LAYOUT)


@with_config(extra="forbid")
@dataclass(frozen=True)
class PhotoEncoderInfo:
    """A second network that embeds photos into the same space, while they are indexed.

    Attributes:
        backbone: a pair embeds the animal with one network and the pose with another.
        input_size: side in pixels of the frames.
        pose_size: side at which the pose's network of a pair sees them; the pair resizes them
            itself. None is `input_size`.
        standardise: whether each frame is scaled to mean 0 and variance 1.
    """

    backbone: Text
    input_size: Size
    standardise: Flag = False
    pose_size: Size | None = None


@with_config(extra="forbid")
@dataclass(frozen=True)
class PoseInfo:
    """The part of an embedding that describes the layout; see `model.encoder.head.PoseHead`.

    Attributes:
        cells: cells per side.
        size: numbers per cell.
        weight: weight of this part's cosine relative to the rest of the embedding.
    """

    cells: Annotated[int, Strict(), Field(ge=1, le=16)]
    size: Size
    weight: Positive

    @property
    def numbers(self) -> int:
        """Numbers in this part."""
        return self.size * self.cells**2


@with_config(extra="forbid")
@dataclass(frozen=True)
class Calibration:
    """How far the encoder's guesses can be trusted, measured on held-out sketches.

    Attributes:
        temperature: divides the logarithms of the class posterior, so that guesses with a
            confidence of 70 % are right in 70 % of the cases (Guo et al. 2017).
        error: expected calibration error, on sketches that the temperature was not fitted to.
        least_similarity: below this similarity of the nearest photo, nothing resembles a drawing.
    """

    temperature: Positive
    error: Share
    least_similarity: Number
