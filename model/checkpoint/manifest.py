"""The manifest of a checkpoint folder: what its files are, and how they belong together."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import FailFast, TypeAdapter, ValidationError, with_config

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
    Flag,
    IndexInfo,
    Metric,
    Number,
    Photo,
    PhotoEncoderInfo,
    PoseInfo,
    Size,
    Text,
)
from model.encoder.posterior import Probabilities, class_posterior
from model.errors import CheckpointError
from model.files import replacing
from model.pictures.framing import PREPROCESSING

FORMAT = 2
"""Raise it when manifests of the present format can no longer be read. A new field with a default
needs no new format; but versions of SketchZoo that do not know the field refuse such manifests.
"""

OLDER = 1
"""The previous format. Only PyTorch could run its networks."""

INDENTED_UP_TO = 20_000
"""Photos up to which a manifest is indented for people to read."""

RESTORE = (
    "Fetch the folder again, or make it again with 'python -m train export', or with "
    "'python -m train index' where it holds photos."
)


@with_config(extra="forbid")
@dataclass(frozen=True)
class Manifest:
    """What a checkpoint folder holds."""

    name: Text
    backbone: Text
    projection_size: Size
    embedding_size: Size
    input_size: Size
    scale: Number
    classes: list[Text]
    training: dict[str, Any]
    metrics: dict[str, Any]
    sha256: dict[str, Text]
    preprocessing: dict[str, Any] = field(default_factory=lambda: dict(PREPROCESSING))
    index: IndexInfo | None = None
    photos: Annotated[list[Photo], FailFast()] = field(default_factory=list)
    format: int = FORMAT
    normalise: Flag = True
    standardise: Flag = False
    photo_encoder: PhotoEncoderInfo | None = None
    calibration: Calibration | None = None
    pose: PoseInfo | None = None

    @property
    def networks(self) -> tuple[str, ...]:
        """The files of the networks that embed sketches and photos."""
        return (ENCODER, PHOTO_ENCODER, HEADS) if self.photo_encoder else (ENCODER, HEADS)

    @property
    def weights(self) -> tuple[str, ...]:
        """The files of the weights that training continues from. The app does not need them."""
        return (WEIGHTS, PHOTO_WEIGHTS) if self.photo_encoder else (WEIGHTS,)

    @property
    def photo_size(self) -> int:
        """Side in pixels of the frame in which the photo encoder sees a photo."""
        return self.photo_encoder.input_size if self.photo_encoder else self.input_size

    @property
    def metric(self) -> Metric:
        """Annoy's name for the distance between embeddings.

        `angular` is the Euclidean distance between points on the unit sphere.
        """
        return "angular" if self.normalise else "euclidean"

    @property
    def prototypes(self) -> int:
        """Number of prototypes: one per class, or 0 for a network without prototypes."""
        pose = self.pose.numbers if self.pose else 0
        return self.embedding_size - self.projection_size - pose

    def posterior(self, embeddings: NDArray[np.float32], *, sketches: bool) -> Probabilities:
        """The class posterior of embeddings; of sketches, what it was before it was sharpened.

        The encoder must have prototypes.

        Args:
            embeddings: `(..., d)`.
            sketches: whether they are embeddings of sketches.

        Returns:
            `(..., classes)`, sums to 1 along the last axis.
        """
        start, classes = self.projection_size, self.prototypes
        return class_posterior(embeddings, start, classes, sketches=sketches)

    @classmethod
    def read(cls, path: Path, *, older: bool = False) -> "Manifest":
        """Reads and validates a manifest.

        Args:
            path: of the manifest.
            older: also accept the previous format.

        Raises:
            CheckpointError: the file is missing, damaged or of another format.
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
        if not isinstance(data, dict) or "format" not in data:
            raise CheckpointError(f"{path} is not a manifest of a checkpoint. {RESTORE}")
        if data["format"] == OLDER and not older:
            raise CheckpointError(_convert(path.parent, bool(data.get("photos"))))
        if data["format"] not in (FORMAT, OLDER):
            raise CheckpointError(
                f"{path} has format {data['format']}; this version reads format {FORMAT}. "
                "Export the run again, or update SketchZoo."
            )
        try:
            # A file has to have these fields; the defaults of `Manifest` are for new manifests.
            return _parser().validate_python({"preprocessing": None, "photos": None, **data})
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
            name = ".".join(map(str, wrong["loc"]))
            raise CheckpointError(
                f"{path} has a missing, unknown or invalid field: {name} ({wrong['msg']}). "
                f"{RESTORE}"
            ) from error

    def save(self, folder: Path) -> None:
        """Writes the manifest under a temporary name, then replaces an older one."""
        # Without an indent it is written ten times as fast, which matters for a million photos.
        indent = 1 if len(self.photos) < INDENTED_UP_TO else None
        with replacing(folder / MANIFEST) as unfinished:
            unfinished.write_text(json.dumps(asdict(self), indent=indent) + "\n", encoding="utf-8")

    def with_index(self, folder: Path, index: IndexInfo, photos: Sequence[Photo]) -> "Manifest":
        """The manifest of `folder`, which holds the same networks and also an index and a map."""
        kept = CHECKPOINT_FILES & self.sha256.keys()
        hashes = {name: self.sha256[name] for name in sorted(kept) if (folder / name).is_file()}
        hashes |= {name: sha256(folder / name) for name in index.files}
        return replace(self, index=index, photos=list(photos), sha256=hashes)


@cache
def _parser() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def _convert(folder: Path, has_photos: bool) -> str:
    """Tells how to convert a folder of the previous format."""
    if has_photos:
        return (
            f"{folder} was made by an older version. Make it again: "
            f"python -m train index --photos DIR --out {folder}"
        )
    return (
        f"{folder} was made by an older version. Convert it: "
        f"python -m train export --run {folder} --sketchy DIR --out {folder}-new"
    )
