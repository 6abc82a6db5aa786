"""The manifest of a checkpoint folder: what its files are, and what they say of one another."""

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from model.errors import CheckpointError
from model.files import replacing
from model.pictures.framing import PREPROCESSING

FORMAT = 2
OLDER = 1
"""The format before, whose networks only PyTorch could run."""

READABLE = 20_000
"""Photos up to which a manifest is laid out for people."""

ENCODER = "encoder.onnx"
PHOTO_ENCODER = "photos.onnx"
HEADS = "heads.safetensors"
WEIGHTS = "encoder.safetensors"
PHOTO_WEIGHTS = "photos.safetensors"
EMBEDDINGS = "embeddings.npy"
INDEX = "index.ann"
LAYOUT = "layout.npy"
MANIFEST = "manifest.json"
CHECKPOINT_FILES = {ENCODER, PHOTO_ENCODER, HEADS, WEIGHTS, PHOTO_WEIGHTS}
GALLERY_FILES = (EMBEDDINGS, INDEX, LAYOUT)
THUMBNAILS = "thumbnails"
Metric = Literal["angular", "euclidean"]
EngineName = Literal["exact", "annoy", "milvus"]


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
        if not (1 <= self.cells <= 16 and 1 <= self.size <= _LARGEST and self.weight > 0):
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


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint folder holds."""

    name: str
    backbone: str
    projection_size: int
    embedding_size: int
    input_size: int
    scale: float
    classes: list[str]
    training: dict[str, Any]
    metrics: dict[str, Any]
    sha256: dict[str, str]
    preprocessing: dict[str, Any] = field(default_factory=lambda: dict(PREPROCESSING))
    index: IndexInfo | None = None
    photos: list[Photo] = field(default_factory=list)
    format: int = FORMAT
    normalise: bool = True
    standardise: bool = False
    photo_encoder: PhotoEncoderInfo | None = None
    calibration: Calibration | None = None
    pose: PoseInfo | None = None

    @property
    def networks(self) -> tuple[str, ...]:
        """The files that embed sketches and photos."""
        return (ENCODER, PHOTO_ENCODER, HEADS) if self.photo_encoder else (ENCODER, HEADS)

    @property
    def weights(self) -> tuple[str, ...]:
        """The files of weights that training goes on from; the app does without them."""
        return (WEIGHTS, PHOTO_WEIGHTS) if self.photo_encoder else (WEIGHTS,)

    @property
    def photo_size(self) -> int:
        """Side in pixels of a photo as the encoder of photos sees it."""
        return self.photo_encoder.input_size if self.photo_encoder else self.input_size

    @property
    def metric(self) -> Metric:
        """Annoy's name for the distance between embeddings.

        `angular` is the Euclidean distance between points on the unit sphere.
        """
        return "angular" if self.normalise else "euclidean"

    @property
    def prototypes(self) -> int:
        """One a class for a network that has them, else 0."""
        pose = self.pose.numbers if self.pose else 0
        return self.embedding_size - self.projection_size - pose

    def posterior(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """What embeddings say of the class, `(..., d)` to `(..., classes)` that sum to 1.

        The encoder has to have prototypes.
        """
        end = self.projection_size + self.prototypes
        shares = embeddings[..., self.projection_size : end].astype(float) ** 2
        found: NDArray[np.float64] = shares / shares.sum(axis=-1, keepdims=True)
        return found

    @classmethod
    def read(cls, path: Path, *, older: bool = False) -> "Manifest":
        """Parses a manifest.

        Args:
            older: read one of the format before, too.

        Raises:
            CheckpointError: missing, damaged, or of another format.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CheckpointError(
                f"{path.parent} is no checkpoint: {MANIFEST} is missing. Name a folder made by "
                "'python -m train export' or 'python -m train index', or fetch the file again."
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is damaged. {RESTORE}") from error
        try:
            if data["format"] == OLDER and not older:
                raise CheckpointError(_convert(path.parent, bool(data["photos"])))
            if data["format"] not in (FORMAT, OLDER):
                raise CheckpointError(
                    f"{path} has format {data['format']}; this version reads format {FORMAT}. "
                    "Export the run again, or update SketchZoo."
                )
            _check_types(data)
            index = data.pop("index")
            photos = [_photo(**photo) for photo in data.pop("photos")]
            other = data.pop("photo_encoder", None)
            calibration = data.pop("calibration", None)
            pose = data.pop("pose", None)
            return cls(
                **data,
                index=_record(IndexInfo, index) if index else None,
                photos=photos,
                photo_encoder=_record(PhotoEncoderInfo, other) if other else None,
                calibration=_record(Calibration, calibration) if calibration else None,
                pose=_record(PoseInfo, pose) if pose else None,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CheckpointError(
                f"{path} lacks a field or has one too many, or one that cannot be: {error}. "
                f"{RESTORE}"
            ) from error

    def save(self, folder: Path) -> None:
        """Writes the manifest under a temporary name, then replaces an older one."""
        # Without an indent it is written ten times as fast, which counts for a million photos.
        indent = 1 if len(self.photos) < READABLE else None
        with replacing(folder / MANIFEST) as unfinished:
            unfinished.write_text(json.dumps(asdict(self), indent=indent) + "\n", encoding="utf-8")

    def with_index(self, folder: Path, index: IndexInfo, photos: Sequence[Photo]) -> "Manifest":
        """The manifest of `folder`, which holds the same networks, an index and a map."""
        kept = CHECKPOINT_FILES & self.sha256.keys()
        hashes = {name: self.sha256[name] for name in sorted(kept) if (folder / name).is_file()}
        hashes |= {name: sha256(folder / name) for name in index.files}
        return replace(self, index=index, photos=list(photos), sha256=hashes)


def _convert(folder: Path, has_photos: bool) -> str:
    """What to do about a folder of the format before."""
    if has_photos:
        return (
            f"{folder} was made by an older version. Make it again: "
            f"python -m train index --photos DIR --out {folder}"
        )
    return (
        f"{folder} was made by an older version. Convert it: "
        f"python -m train export --run {folder} --sketchy DIR --out {folder}-new"
    )


def _photo(path: str, label: str, credit: str = "", licence: str = "", page: str = "") -> Photo:
    """A photo that shares what many photos have in common, which saves a third of the memory.

    Raises:
        TypeError: a field is not text.
    """
    if not isinstance(path, str) or not isinstance(page, str):
        raise TypeError("path or page is not of the right type")
    return Photo(path, sys.intern(label), sys.intern(credit), sys.intern(licence), page)


RESTORE = (
    "Fetch the folder again, or make it again with 'python -m train export', or with "
    "'python -m train index' where it holds photos."
)


_LARGEST = 16_384
"""Numbers in an embedding, and pixels of a frame's side: more than any network here has."""


_TYPES: dict[str, type] = {
    **dict.fromkeys(("projection_size", "embedding_size", "input_size"), int),
    **dict.fromkeys(("training", "metrics", "sha256", "preprocessing"), dict),
    **dict.fromkeys(("name", "backbone"), str),
    **dict.fromkeys(("classes", "photos"), list),
    "scale": float,
}


def _check_types(data: dict[str, Any]) -> None:
    """Raises TypeError or ValueError where a field of a parsed manifest cannot be meant."""
    for key in ("normalise", "standardise"):
        if not isinstance(data.get(key, True), bool):
            raise TypeError(f"{key} is not of type bool")
    for key, expected in _TYPES.items():
        if type(data[key]) is not expected:
            raise TypeError(f"{key} is not of type {expected.__name__}")
        if expected is int and not 1 <= data[key] <= _LARGEST:
            raise ValueError(f"{key} is {data[key]}")
    if not math.isfinite(data["scale"]):
        raise ValueError(f"scale is {data['scale']}")
    for key, items in (("classes", data["classes"]), ("sha256", data["sha256"].values())):
        if not all(isinstance(item, str) for item in items):
            raise TypeError(f"{key} holds something else than text")


_Record = TypeVar("_Record")


def _record(kind: type[_Record], data: Any) -> _Record:
    """A dataclass of plain fields from a parsed object.

    Raises:
        TypeError, ValueError: a field is missing, unknown, of another type or not finite.
    """
    made = kind(**data)
    for name, expected in get_type_hints(kind).items():
        value = getattr(made, name)
        if not _is_of(value, expected):
            raise TypeError(f"{name} is not of the right type")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
    return made


def _is_of(value: Any, expected: Any) -> bool:
    """Whether a parsed value has a plain type, is one of a `Literal`, or fits into a union."""
    choices = get_args(expected)
    if get_origin(expected) is Literal:
        return value in choices
    if choices:
        return any(_is_of(value, choice) for choice in choices)
    return type(value) is expected or (expected is float and type(value) is int)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
