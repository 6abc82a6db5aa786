"""Makes checkpoints that are small enough for tests."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import PhotoEncoderInfo
from train.checkpoints import save_checkpoint
from train.networks.onnx import write_backbone
from train.networks.siamese import SiameseNetwork

BACKBONES = {32: "resnet18", 48: "vgg11"}
"""The backbones by the sides of their input in pixels."""


def make_checkpoint(folder: Path, seed: int = 0, *, own_for_photos: bool = False) -> Checkpoint:
    """An untrained ResNet18 with three classes and embeddings of 8 + 3 numbers, in fp32.

    Checkpoints of other seeds have other projections and prototypes. With `own_for_photos`, photos
    have their own encoder, a VGG11.
    """
    shutil.copytree(_made(seed, own_for_photos), folder)
    return Checkpoint.open(folder)


@cache
def _made(seed: int, own_for_photos: bool) -> Path:
    """The folder of a checkpoint. Each process makes it once."""
    network = _network("resnet18", seed)
    other = _network("vgg11", seed) if own_for_photos else None
    if other:
        other.prototypes.data.copy_(network.prototypes.data)
    with patch("train.checkpoints.write_backbone", _copy_backbone):
        return save_checkpoint(
            _temporary_folder(),
            network,
            name="tiny",
            backbone="resnet18",
            input_size=32,
            classes=["ant", "bat", "cat"],
            training={},
            metrics={},
            photo_network=other,
            photo_encoder=PhotoEncoderInfo("vgg11", 48) if other else None,
        ).folder


def _network(backbone: str, seed: int) -> SiameseNetwork:
    torch.manual_seed(0)
    network = SiameseNetwork(backbone, 8, 3)
    torch.manual_seed(seed)
    network.projection.reset_parameters()
    nn.init.normal_(network.prototypes)
    return network


def _copy_backbone(_: SiameseNetwork, input_size: int, path: Path, frames: None) -> None:
    shutil.copyfile(_backbone(input_size), path)


@cache
def _backbone(input_size: int) -> Path:
    """The ONNX file of a backbone. Writing it takes seconds, so each process does it once."""
    path = _temporary_folder() / "backbone.onnx"
    write_backbone(_network(BACKBONES[input_size], 0), input_size, path)
    return path


def _temporary_folder() -> Path:
    """An empty folder that is deleted when the process ends."""
    folder = tempfile.mkdtemp(prefix="sketchzoo-checkpoint-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
