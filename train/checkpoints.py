"""Writes checkpoint folders, and reads networks from them to train further."""

import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import (
    CHECKPOINT_FILES,
    ENCODER,
    GALLERY_FILES,
    HEADS,
    MANIFEST,
    PHOTO_ENCODER,
    PHOTO_WEIGHTS,
    THUMBNAILS,
    WEIGHTS,
    sha256,
)
from model.checkpoint.manifest import RESTORE, Manifest
from model.checkpoint.records import Calibration, PhotoEncoderInfo, PoseInfo
from model.checkpoint.versions import CURRENT, clean, hold_current
from model.encoder.head import Floats, Head
from model.errors import CheckpointError
from model.files import replacing
from model.pictures.framing import Pixels
from train.networks.encoder import head_of_network
from train.networks.onnx import write_backbone
from train.networks.pair import PAIR, set_pose_size
from train.networks.siamese import SiameseNetwork


@dataclass(frozen=True)
class CalibrationFrames:
    """Frames of training pictures to calibrate the ranges of activations with.

    Attributes:
        shared: sketches and some photos, for the network of both.
        photos: photos, for a network of their own; None if there is no such network.
    """

    shared: Sequence[Pixels] | None
    photos: Sequence[Pixels] | None


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
    frames: CalibrationFrames | None = None,
    calibration: Calibration | None = None,
) -> Checkpoint:
    """Writes a checkpoint without photos: ONNX networks, weights in fp16, and a manifest.

    Args:
        folder: to write to; what an older checkpoint had there is deleted.
        network: for sketches, and for photos unless there is another.
        name, backbone, input_size, classes, training, metrics, calibration: for the manifest.
        photo_network: another network for photos, with the same prototypes.
        photo_encoder: what the manifest says of it.
        frames: to quantise the networks with; without them they are written in fp32.

    Raises:
        CheckpointError: a weight does not fit into fp16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    head, shown = head_of_network(network), frames or CalibrationFrames(None, None)
    hashes = _save_network(network, input_size, folder, WEIGHTS, ENCODER, shown.shared)
    heads = {"sketches": head}
    if photo_network is not None and photo_encoder is not None:
        heads["photos"] = head_of_network(photo_network)
        given = photo_network, photo_encoder.input_size, folder, PHOTO_WEIGHTS, PHOTO_ENCODER
        hashes |= _save_network(*given, shown.photos)
    hashes[HEADS] = _save_heads(heads, folder / HEADS)
    manifest = Manifest(
        name=name,
        backbone=backbone,
        projection_size=network.projection.out_features,
        embedding_size=head.size,
        input_size=input_size,
        scale=network.scale,
        normalise=network.normalise,
        standardise=network.standardise,
        classes=list(classes),
        training=training,
        metrics=metrics,
        sha256=hashes,
        photo_encoder=photo_encoder,
        calibration=calibration,
        pose=_pose_info(head),
    )
    manifest.save(folder)
    clear_others(folder, hashes)
    return Checkpoint.open(folder)


def move_checkpoint(source: Path, out: Path) -> None:
    """Moves a complete checkpoint over an older one, its manifest last."""
    out.mkdir(exist_ok=True)
    names = {file.name for file in source.iterdir()}
    for name in sorted(names, key=lambda name: name == MANIFEST):
        os.replace(source / name, out / name)
    clear_others(out, names)


def clear_others(folder: Path, kept: Collection[str]) -> None:
    """Deletes the files of an older checkpoint or gallery in a folder, except those to keep."""
    for stale in {*CHECKPOINT_FILES, CURRENT, *GALLERY_FILES}.difference(kept):
        (folder / stale).unlink(missing_ok=True)
    shutil.rmtree(folder / THUMBNAILS, ignore_errors=True)
    clean(folder)


def trained_network(folder: Path, *, photos: bool = False) -> SiameseNetwork:
    """The network of a checkpoint as it was trained, with its weights as fp32.

    Args:
        folder: a checkpoint folder, also of the previous format.
        photos: take the network for photos, if there is one.

    Raises:
        CheckpointError: the folder has no weights, or they do not fit its manifest.
    """
    folder, lock = hold_current(folder)
    manifest = Manifest.read(folder / MANIFEST, older=True)
    other = manifest.photo_encoder if photos else None
    path = folder / (PHOTO_WEIGHTS if other else WEIGHTS)
    backbone = other.backbone if other else manifest.backbone
    if not path.is_file():
        raise CheckpointError(
            f"{path} is missing: the weights to train further. Name the checkpoint that "
            "'python -m train export' has written."
        )
    try:
        network = SiameseNetwork(
            backbone,
            manifest.projection_size,
            manifest.prototypes,
            scale=manifest.scale,
            normalise=manifest.normalise,
            standardise=other.standardise if other else manifest.standardise,
            **pose_options(manifest.pose),
        )
        if sha256(path) != manifest.sha256.get(path.name):
            raise ValueError("its sha256 differs")
        network.load_state_dict(load_file(path))
        if other and other.backbone == PAIR:
            set_pose_size(network, other.pose_size)
    except ImportError as error:
        raise CheckpointError(
            f"The {backbone} of {folder} needs a package: pip install {error.name}."
        ) from error
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path} does not fit the {backbone} that {MANIFEST} describes. {RESTORE}"
        ) from error
    del lock  # it has kept the version from being deleted
    return network


def _pose_info(head: Head) -> PoseInfo | None:
    pose = head.pose
    return PoseInfo(pose.cells, len(pose.bias), pose.weight) if pose else None


def pose_options(pose: PoseInfo | None) -> dict[str, Any]:
    """Arguments of `SiameseNetwork` for a pose."""
    if pose is None:
        return {}
    return {"pose": pose.size, "pose_cells": pose.cells, "pose_weight": pose.weight}


def _save_network(
    network: SiameseNetwork,
    input_size: int,
    folder: Path,
    weights: str,
    encoder: str,
    frames: Sequence[Pixels] | None,
) -> dict[str, str]:
    """Writes a network's weights and its backbone as ONNX; returns the sha256 of both files."""
    with replacing(folder / encoder) as unfinished:
        write_backbone(network, input_size, unfinished, frames)
        unfinished.chmod(0o644)
    digest = _save_weights(network, folder / weights)
    return {weights: digest, encoder: sha256(folder / encoder)}


def _save_heads(heads: dict[str, Head], path: Path) -> str:
    arrays: dict[str, Floats] = {"prototypes": heads["sketches"].prototypes}
    for part, head in heads.items():
        arrays |= {f"{part}.matrix": head.matrix, f"{part}.bias": head.bias}
        if head.pose:
            arrays[f"{part}.pose.matrix"] = head.pose.matrix
            arrays[f"{part}.pose.bias"] = head.pose.bias
    with replacing(path) as unfinished:
        save_arrays(arrays, unfinished)
        unfinished.chmod(0o644)
    return sha256(path)


def _save_weights(network: SiameseNetwork, path: Path) -> str:
    """Writes weights in fp16; returns the sha256 of the file."""
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
