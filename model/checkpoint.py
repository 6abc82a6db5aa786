"""A checkpoint folder: weights, manifest, and, over photos, an index with thumbnails.

    encoder.safetensors   weights of the shared network, fp16
    photos.safetensors    weights of a stronger network for photos, fp16, where there is one
    manifest.json         what they are, and the sha256 of the other files
    embeddings.npy        one row a photo, fp32               }
    index.ann             Annoy index over them, or Milvus's  }
    sketchzoo_<key>.db    where these engines are used        } where photos
    layout.npy            places of the photos on the map     } are indexed
    thumbnails/<n>.webp   photo n of the manifest, made small }

A folder is only opened when everything in it fits together. That of a gallery holds such folders,
one of which is current (see `model.versions`).
"""

import hashlib
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model.backbones import fold_batch_norms
from model.encoder import Encoder, SiameseNetwork
from model.errors import CheckpointError
from model.preprocess import PREPROCESSING
from model.versions import CURRENT, Lock, clean, hold_current

SHIPPED = Path(__file__).parent.parent / "checkpoints" / "sketchzoo"
"""The checkpoint that comes with the project."""

FORMAT = 1
READABLE = 20_000
"""Photos up to which a manifest is laid out for people."""

WEIGHTS = "encoder.safetensors"
PHOTO_WEIGHTS = "photos.safetensors"
EMBEDDINGS = "embeddings.npy"
INDEX = "index.ann"
LAYOUT = "layout.npy"
MANIFEST = "manifest.json"
GALLERY_FILES = (EMBEDDINGS, INDEX, LAYOUT)
THUMBNAILS = "thumbnails"
Metric = Literal["angular", "euclidean"]
EngineName = Literal["exact", "annoy", "milvus"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the gallery. `credit` and `licence` are empty where they are not known."""

    path: str
    label: str
    credit: str = ""
    licence: str = ""


@dataclass(frozen=True)
class IndexInfo:
    """How an index was built.

    Attributes:
        metric: between embeddings.
        engine: which one of `model.engines` searches.
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

    @property
    def weights(self) -> tuple[str, ...]:
        """The files of weights."""
        return (WEIGHTS, PHOTO_WEIGHTS) if self.photo_encoder else (WEIGHTS,)

    @property
    def metric(self) -> Metric:
        """Annoy's name for the distance between embeddings.

        `angular` is the Euclidean distance between points on the unit sphere.
        """
        return "angular" if self.normalise else "euclidean"

    @property
    def prototypes(self) -> int:
        """One a class for a network that has them, else 0."""
        return self.embedding_size - self.projection_size

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Parses a manifest.

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
            raise CheckpointError(f"{path} is damaged. {_RESTORE}") from error
        try:
            if data["format"] != FORMAT:
                raise CheckpointError(
                    f"{path} has format {data['format']}; this version reads format {FORMAT}. "
                    "Export the run again, or update SketchZoo."
                )
            _check_types(data)
            index = data.pop("index")
            photos = [_photo(**photo) for photo in data.pop("photos")]
            other = data.pop("photo_encoder", None)
            calibration = data.pop("calibration", None)
            return cls(
                **data,
                index=_record(IndexInfo, index) if index else None,
                photos=photos,
                photo_encoder=_record(PhotoEncoderInfo, other) if other else None,
                calibration=_record(Calibration, calibration) if calibration else None,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CheckpointError(
                f"{path} lacks a field or has one too many, or one that cannot be: {error}. "
                f"{_RESTORE}"
            ) from error

    def save(self, folder: Path) -> None:
        """Writes the manifest under a temporary name, then replaces an older one."""
        unfinished = folder / (MANIFEST + ".tmp")
        # Without an indent it is written ten times as fast, which counts for a million photos.
        indent = 1 if len(self.photos) < READABLE else None
        unfinished.write_text(json.dumps(asdict(self), indent=indent) + "\n", encoding="utf-8")
        os.replace(unfinished, folder / MANIFEST)

    def with_index(self, folder: Path, index: IndexInfo, photos: Sequence[Photo]) -> "Manifest":
        """The manifest of `folder`, which holds the same weights, an index and a map."""
        hashes = {name: self.sha256[name] for name in self.weights}
        hashes |= {name: sha256(folder / name) for name in index.files}
        return replace(self, index=index, photos=list(photos), sha256=hashes)


class Checkpoint:
    """An opened checkpoint folder, whose files were found to fit together.

    Attributes:
        folder: where its files are; for a gallery, the version that was current. It is not deleted
            while this object lives.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: Lock | None = None) -> None:
        self.folder, self.manifest, self._lock = folder, manifest, lock

    @classmethod
    def open(cls, folder: Path | str) -> "Checkpoint":
        """Reads the manifest and checks every file that it names.

        Raises:
            CheckpointError: which file or field is wrong, and what to do.
        """
        folder, lock = hold_current(Path(folder))
        manifest = Manifest.read(folder / MANIFEST)
        if manifest.prototypes not in (0, len(manifest.classes)):
            raise CheckpointError(
                f"{folder / MANIFEST} has an embedding size of {manifest.embedding_size}, but "
                f"{manifest.projection_size} + {len(manifest.classes)} classes. {_RESTORE}"
            )
        if manifest.preprocessing != PREPROCESSING:
            changed = sorted(
                key
                for key in {*manifest.preprocessing, *PREPROCESSING}
                if manifest.preprocessing.get(key) != PREPROCESSING.get(key)
            )
            raise CheckpointError(
                f"{folder} was trained with another preprocessing ({', '.join(changed)}) than "
                "this version has. Train and export it again, or use the version it came from."
            )
        if manifest.index is not None and manifest.index.metric != manifest.metric:
            raise CheckpointError(
                f"{folder / MANIFEST} has an index by {manifest.index.metric} distance for an "
                f"encoder that needs {manifest.metric} distance. {_RESTORE}"
            )
        if manifest.index is not None and manifest.index.photos != len(manifest.photos):
            raise CheckpointError(
                f"{folder / MANIFEST} lists {len(manifest.photos)} photos for an index over "
                f"{manifest.index.photos}. {_RESTORE}"
            )
        for name in (*manifest.weights, *(manifest.index.files if manifest.index else ())):
            _check_file(folder / name, manifest.sha256.get(name, ""))
        return cls(folder, manifest, lock)

    def encoder_manifest(self) -> Manifest:
        """The manifest as it is without any photos."""
        weights = {name: self.manifest.sha256[name] for name in self.manifest.weights}
        return replace(self.manifest, index=None, photos=[], sha256=weights)

    def encoder(self, device: str = "cpu") -> Encoder:
        """Builds the encoder, in fp32; that for photos when it is needed.

        Batch norms are folded into convolutions; `Checkpoint.network` leaves them as they were
        trained.

        Raises:
            CheckpointError: the weights are not those of the network in the manifest.
        """
        network = self.network()
        fold_batch_norms(network.backbone)
        return Encoder(network, self.manifest.input_size, device, self.photo_encoder(device))

    def photo_encoder(self, device: str = "cpu") -> Callable[[], Encoder] | None:
        """What makes the encoder of photos; None where photos are embedded like sketches."""
        other = self.manifest.photo_encoder
        if other is None:
            return None

        def make() -> Encoder:
            network = self._network(PHOTO_WEIGHTS, other.backbone, other.standardise)
            fold_batch_norms(network.backbone)
            return Encoder(network, other.input_size, device)

        return make

    def network(self) -> SiameseNetwork:
        """The shared network as it was trained, with its weights as fp32.

        Raises:
            CheckpointError: the weights are not those of the network in the manifest.
        """
        return self._network(WEIGHTS, self.manifest.backbone, self.manifest.standardise)

    def _network(self, weights: str, backbone: str, standardise: bool) -> SiameseNetwork:
        manifest = self.manifest
        try:
            network = SiameseNetwork(
                backbone,
                manifest.projection_size,
                manifest.prototypes,
                scale=manifest.scale,
                normalise=manifest.normalise,
                standardise=standardise,
            )
            network.load_state_dict(load_file(self.folder / weights))
        except ImportError as error:
            raise CheckpointError(
                f"The {backbone} of {self.folder} needs a package: pip install {error.name}."
            ) from error
        except (SafetensorError, RuntimeError, ValueError, OSError) as error:
            raise CheckpointError(
                f"{self.folder / weights} does not fit the {backbone} that {MANIFEST} "
                f"describes. {_RESTORE}"
            ) from error
        return network


def save_checkpoint(
    folder: Path,
    network: SiameseNetwork,
    *,
    name: str,
    backbone: str,
    input_size: int,
    classes: Sequence[str],
    training: dict[str, Any],
    metrics: dict[str, Any],
    photo_network: SiameseNetwork | None = None,
    photo_encoder: PhotoEncoderInfo | None = None,
) -> Checkpoint:
    """Writes weights in fp16 and a manifest without photos.

    Args:
        photo_network: a stronger network for photos, with the same prototypes, and
        photo_encoder: what it is.

    Raises:
        CheckpointError: a weight does not fit into fp16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {WEIGHTS: _save_weights(network, folder / WEIGHTS)}
    if photo_network is not None:
        hashes[PHOTO_WEIGHTS] = _save_weights(photo_network, folder / PHOTO_WEIGHTS)
    projection_size = network.projection.out_features
    manifest = Manifest(
        name=name,
        backbone=backbone,
        projection_size=projection_size,
        embedding_size=projection_size + len(network.prototypes),
        input_size=input_size,
        scale=network.scale,
        normalise=network.normalise,
        standardise=network.standardise,
        classes=list(classes),
        training=training,
        metrics=metrics,
        sha256=hashes,
        photo_encoder=photo_encoder,
    )
    manifest.save(folder)
    for stale in {PHOTO_WEIGHTS, CURRENT, *GALLERY_FILES} - hashes.keys():
        (folder / stale).unlink(missing_ok=True)
    shutil.rmtree(folder / THUMBNAILS, ignore_errors=True)
    clean(folder)
    return Checkpoint.open(folder)


def _save_weights(network: SiameseNetwork, path: Path) -> str:
    """Writes weights in fp16 under a temporary name first; returns the sha256 of the file."""
    weights = {
        key: value.half().contiguous() if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }
    for key, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{key} is not finite in fp16; the training has diverged.")
    unfinished = path.with_name(path.name + ".tmp")
    save_file(weights, unfinished)
    unfinished.chmod(0o644)
    os.replace(unfinished, path)
    return sha256(path)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def photos_key(photos: Iterable[Photo]) -> str:
    """A digest that changes when a photo, its label or its credit does."""
    digest = hashlib.sha256()
    for photo in photos:
        try:
            status = Path(photo.path).stat()
            state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        except OSError:
            state = (0, 0, 0)
        digest.update(repr((photo, state)).encode())
    return digest.hexdigest()


def _photo(path: str, label: str, credit: str = "", licence: str = "") -> Photo:
    """A photo that shares what many photos have in common, which saves a third of the memory.

    Raises:
        TypeError: a field is not text.
    """
    if not isinstance(path, str):
        raise TypeError("path is not of the right type")
    return Photo(path, sys.intern(label), sys.intern(credit), sys.intern(licence))


_RESTORE = (
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


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing. {_RESTORE}")
    try:
        found = sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise CheckpointError(
            f"{path} is not the file that {MANIFEST} describes (its sha256 differs): it is cut "
            f"short, damaged or swapped. {_RESTORE}"
        )
