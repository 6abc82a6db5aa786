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

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model.backbones import fold_batch_norms
from model.encoder import Encoder, SiameseNetwork
from model.errors import CheckpointError
from model.files import replacing
from model.manifest import (
    GALLERY_FILES,
    MANIFEST,
    PHOTO_WEIGHTS,
    RESTORE,
    THUMBNAILS,
    WEIGHTS,
    Manifest,
    PhotoEncoderInfo,
    sha256,
)
from model.preprocess import PREPROCESSING
from model.versions import CURRENT, Lock, clean, hold_current

SHIPPED = Path(__file__).parent.parent / "checkpoints" / "sketchzoo"
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
                f"{manifest.projection_size} + {len(manifest.classes)} classes. {RESTORE}"
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
        for name in (*manifest.weights, *(manifest.index.files if manifest.index else ())):
            _check_file(folder / name, manifest.sha256.get(name, ""))
        return cls(folder, manifest, lock)

    def encoder_manifest(self) -> Manifest:
        """The manifest as it is without any photos."""
        weights = {name: self.manifest.sha256[name] for name in self.manifest.weights}
        return replace(self.manifest, index=None, photos=[], sha256=weights)

    def embedding_manifest(self) -> Manifest:
        """What decides embeddings: the same without names, calibration, metrics and training."""
        return replace(self.encoder_manifest(), name="", calibration=None, metrics={}, training={})

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
                f"describes. {RESTORE}"
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
    with replacing(path) as unfinished:
        save_file(weights, unfinished)
        unfinished.chmod(0o644)
    return sha256(path)


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
