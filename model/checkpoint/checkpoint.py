"""A checkpoint folder: networks, manifest, and, over photos, an index with thumbnails.

    encoder.onnx          backbone of the shared network, as a rule with 8-bit weights
    photos.onnx           backbone of a stronger network for photos, where there is one
    heads.safetensors     what makes embeddings of their maps, fp32
    encoder.safetensors   } weights in fp16 that training goes on from;
    photos.safetensors    } the app never reads them
    manifest.json         what they are, and the sha256 of the other files
    embeddings.npy        one row a photo, fp32               }
    index.ann             Annoy index over them, or Milvus's  }
    sketchzoo_<key>.db    where these engines are used        } where photos
    layout.npy            places of the photos on the map     } are indexed
    thumbnails/<n>.webp   photo n of the manifest, made small }

A folder is only opened when everything in it fits together. That of a gallery holds such folders,
one of which is current (see `model.checkpoint.versions`). `train.checkpoints` writes them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from model.checkpoint.files import ENCODER, HEADS, MANIFEST, PHOTO_ENCODER, sha256
from model.checkpoint.manifest import RESTORE, Manifest
from model.checkpoint.versions import Lock, hold_current
from model.encoder.encoder import Encoder
from model.encoder.head import Head, head_of
from model.encoder.runtime import OnnxBackbone
from model.errors import CheckpointError
from model.pictures.framing import PREPROCESSING

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sketchzoo"
"""The checkpoint that comes with the project."""


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
                f"{manifest.projection_size} + {len(manifest.classes)} classes"
                f"{f' + {manifest.pose.numbers} of the pose' if manifest.pose else ''}. {RESTORE}"
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
                f"encoder that needs {manifest.metric} distance. {RESTORE}"
            )
        if manifest.index is not None and manifest.index.photos != len(manifest.photos):
            raise CheckpointError(
                f"{folder / MANIFEST} lists {len(manifest.photos)} photos for an index over "
                f"{manifest.index.photos}. {RESTORE}"
            )
        for name in (*manifest.networks, *(manifest.index.files if manifest.index else ())):
            _check_file(folder / name, manifest.sha256.get(name, ""))
        return cls(folder, manifest, lock)

    @property
    def files(self) -> tuple[str, ...]:
        """Its networks, and the weights to train on from, where they are there."""
        manifest = self.manifest
        weights = (name for name in manifest.weights if (self.folder / name).is_file())
        return (*manifest.networks, *weights)

    def encoder_manifest(self) -> Manifest:
        """The manifest as it is without any photos."""
        networks = {name: self.manifest.sha256[name] for name in self.manifest.networks}
        return replace(self.manifest, index=None, photos=[], sha256=networks)

    def embedding_manifest(self) -> Manifest:
        """What decides embeddings: the same without names, calibration, metrics and training."""
        return replace(self.encoder_manifest(), name="", calibration=None, metrics={}, training={})

    def encoder(self) -> Encoder:
        """Loads the encoder; that for photos when it is needed.

        Raises:
            CheckpointError: the networks are not those of the manifest.
        """
        backbone = OnnxBackbone(self.folder / ENCODER)
        size = self.manifest.input_size
        return Encoder(backbone, self._head("sketches"), size, self.photo_encoder())

    def photo_encoder(self) -> Callable[[], Encoder] | None:
        """What makes the encoder of photos; None where photos are embedded like sketches."""
        other = self.manifest.photo_encoder
        if other is None:
            return None

        def make() -> Encoder:
            backbone = OnnxBackbone(self.folder / PHOTO_ENCODER)
            return Encoder(backbone, self._head("photos"), other.input_size)

        return make

    def _head(self, part: str) -> Head:
        manifest, path = self.manifest, self.folder / HEADS
        try:
            head = head_of(
                load_file(path),
                part,
                scale=manifest.scale,
                normalise=manifest.normalise,
                cells=manifest.pose.cells if manifest.pose else 0,
                weight=manifest.pose.weight if manifest.pose else 0.0,
            )
        except (SafetensorError, KeyError, OSError) as error:
            raise CheckpointError(f"{path} lacks the heads of {part}. {RESTORE}") from error
        if head.size != manifest.embedding_size:
            raise CheckpointError(
                f"{path} makes embeddings of {head.size} numbers, not of "
                f"{manifest.embedding_size}. {RESTORE}"
            )
        return head


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing. {RESTORE}")
    try:
        found = sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise CheckpointError(
            f"{path} is not the file that {MANIFEST} describes (its sha256 differs): it is cut "
            f"short, damaged or swapped. {RESTORE}"
        )
