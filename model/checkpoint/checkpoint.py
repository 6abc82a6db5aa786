"""A checkpoint folder: networks, manifest, and, over photos, an index with thumbnails.

    encoder.onnx          backbone of the shared network, usually with 8-bit weights
    photos.onnx           backbone of a stronger network for photos (optional)
    heads.safetensors     heads that turn the backbones' maps into embeddings, fp32
    encoder.safetensors   } weights in fp16 that training continues from;
    photos.safetensors    } the app never reads them
    manifest.json         describes the folder
    embeddings.npy        one row per photo, fp32             }
    index.ann             Annoy's index, or                   }
    sketchzoo_<key>.db    Milvus's, if one of them searches   } only if photos
    layout.npy            positions of the photos on the map  } are indexed
    thumbnails/<n>.webp   photo n of the manifest, made small }
    files.json            which files the photos came from    }

The manifest holds the SHA-256 of the networks, the weights, the embeddings, Annoy's index and the
layout. A folder is opened only if those of them that the app loads are unchanged. A gallery folder
holds several version folders of this form, and one of them is current (see
`model.checkpoint.versions`). `train.checkpoints` writes checkpoints.
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
from model.encoder.head import Head, PoseHead
from model.encoder.runtime import MANY_BATCHES, OnnxBackbone
from model.errors import CheckpointError
from model.pictures.framing import PREPROCESSING

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sketchzoo"
"""The checkpoint that comes with the project."""


class Checkpoint:
    """An opened checkpoint folder. The files that the app loads have been checked.

    Attributes:
        folder: where its files are; for a gallery folder, the version folder that was current. It
            is not deleted while this object exists.
        manifest: describes the files.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: Lock | None = None) -> None:
        self.folder, self.manifest, self._lock = folder, manifest, lock

    @classmethod
    def open(cls, folder: Path | str) -> "Checkpoint":
        """Opens a folder: reads its manifest and checks the networks, and the index over photos.

        The weights for further training and the thumbnails are not checked.

        Raises:
            CheckpointError: a file or a field is missing or wrong.
        """
        folder, lock = hold_current(Path(folder))
        manifest = Manifest.read(folder / MANIFEST)
        _check_manifest(folder, manifest)
        for name in (*manifest.networks, *(manifest.index.files if manifest.index else ())):
            _check_file(folder / name, manifest.sha256.get(name, ""))
        return cls(folder, manifest, lock)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the networks, and of the weights for further training where they exist."""
        manifest = self.manifest
        weights = (name for name in manifest.weights if (self.folder / name).is_file())
        return (*manifest.networks, *weights)

    def encoder_manifest(self) -> Manifest:
        """The manifest without the photos and their index."""
        networks = {name: self.manifest.sha256[name] for name in self.manifest.networks}
        return replace(self.manifest, index=None, photos=[], sha256=networks)

    def embedding_manifest(self) -> Manifest:
        """The part of the manifest that embeddings depend on.

        Two checkpoints where it is the same give the same embeddings.
        """
        return replace(self.encoder_manifest(), name="", calibration=None, metrics={}, training={})

    def encoder(self) -> Encoder:
        """Loads the encoder. The photo encoder is loaded when it is first used.

        Raises:
            CheckpointError: the networks do not match the manifest.
        """
        backbone = OnnxBackbone(self.folder / ENCODER)
        size = self.manifest.input_size
        return Encoder(backbone, self._head("sketches"), size, self.photo_encoder())

    def photo_encoder(self) -> Callable[[], Encoder] | None:
        """A function that loads the photo encoder; None if photos use the sketch encoder."""
        info = self.manifest.photo_encoder
        if info is None:
            return None

        def load() -> Encoder:
            path, head = self.folder / PHOTO_ENCODER, self._head("photos")
            backbone, mirrored = OnnxBackbone(path, MANY_BATCHES), None
            if head.reads_first_half:
                mirrored = OnnxBackbone(path, MANY_BATCHES, head.matrix.shape[1] // 2)
            return Encoder(backbone, head, info.input_size, mirrored=mirrored)

        return load

    def _head(self, part: str) -> Head:
        """The head for `sketches` or `photos`."""
        manifest, path, pose = self.manifest, self.folder / HEADS, self.manifest.pose
        try:
            tensors = load_file(path)
            head = Head(
                tensors[f"{part}.matrix"],
                tensors[f"{part}.bias"],
                tensors["prototypes"],
                manifest.scale,
                manifest.normalise,
                PoseHead(
                    tensors[f"{part}.pose.matrix"],
                    tensors[f"{part}.pose.bias"],
                    pose.cells,
                    pose.weight,
                )
                if pose
                else None,
            )
        except (SafetensorError, KeyError, OSError) as error:
            raise CheckpointError(f"{path} lacks the heads of {part}. {RESTORE}") from error
        if head.size != manifest.embedding_size:
            raise CheckpointError(
                f"{path} makes embeddings of {head.size} numbers, not of "
                f"{manifest.embedding_size}. {RESTORE}"
            )
        return head


def _check_manifest(folder: Path, manifest: Manifest) -> None:
    """Raises CheckpointError if fields of a manifest contradict each other or this version."""
    path, index = folder / MANIFEST, manifest.index
    if manifest.prototypes not in (0, len(manifest.classes)):
        raise CheckpointError(
            f"{path} has an embedding size of {manifest.embedding_size}, but "
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
            f"{folder} was trained with another preprocessing ({', '.join(changed)}) than this "
            "version uses. Train and export it again, or use the version that it was made with."
        )
    if index is not None and index.metric != manifest.metric:
        raise CheckpointError(
            f"{path} has an index by {index.metric} distance for an encoder that needs "
            f"{manifest.metric} distance. {RESTORE}"
        )
    if index is not None and index.photos != len(manifest.photos):
        raise CheckpointError(
            f"{path} lists {len(manifest.photos)} photos for an index over {index.photos}. "
            f"{RESTORE}"
        )


def _check_file(path: Path, expected: str) -> None:
    """Raises CheckpointError if a file does not have the expected SHA-256."""
    if not path.is_file():
        raise CheckpointError(f"{path} is missing. {RESTORE}")
    try:
        found = sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise CheckpointError(
            f"{path} is not the file that {MANIFEST} describes (its SHA-256 differs): it is "
            f"truncated, damaged or from another checkpoint. {RESTORE}"
        )
