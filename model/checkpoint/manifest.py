"""The manifest of a checkpoint folder: what its files are, and what they say of one another."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.files import (
    CHECKPOINT_FILES,
    ENCODER,
    HEADS,
    MANIFEST,
    PHOTO_ENCODER,
    PHOTO_WEIGHTS,
    WEIGHTS,
    sha256,
)
from model.checkpoint.records import (
    Calibration,
    IndexInfo,
    Metric,
    Photo,
    PhotoEncoderInfo,
    PoseInfo,
)
from model.checkpoint.validation import check_types, photo, record
from model.errors import CheckpointError
from model.files import replacing
from model.pictures.framing import PREPROCESSING

FORMAT = 2

OLDER = 1
"""The format before, whose networks only PyTorch could run."""

READABLE = 20_000
"""Photos up to which a manifest is laid out for people."""

RESTORE = (
    "Fetch the folder again, or make it again with 'python -m train export', or with "
    "'python -m train index' where it holds photos."
)


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
            check_types(data)
            index = data.pop("index")
            photos = [photo(**each) for each in data.pop("photos")]
            other = data.pop("photo_encoder", None)
            calibration = data.pop("calibration", None)
            pose = data.pop("pose", None)
            return cls(
                **data,
                index=record(IndexInfo, index) if index else None,
                photos=photos,
                photo_encoder=record(PhotoEncoderInfo, other) if other else None,
                calibration=record(Calibration, calibration) if calibration else None,
                pose=record(PoseInfo, pose) if pose else None,
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
