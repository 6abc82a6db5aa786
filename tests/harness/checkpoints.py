"""Makes checkpoints that are small enough for tests."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import nn

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import PhotoEncoderInfo
from train.checkpoints import save_checkpoint
from train.networks.siamese import SiameseNetwork


def make_checkpoint(folder: Path, seed: int = 0, *, own_for_photos: bool = False) -> Checkpoint:
    """An untrained ResNet18 with three classes and embeddings of 8 + 3 numbers, in fp32.

    Those of different seeds share a backbone, but not the projection and the prototypes. With
    `own_for_photos`, photos have their own encoder, a VGG11.
    """
    shutil.copytree(_made(seed, own_for_photos), folder)
    return Checkpoint.open(folder)


@cache
def _made(seed: int, own_for_photos: bool) -> Path:
    """The folder of a checkpoint. It takes seconds, so each process makes it once."""
    place = tempfile.mkdtemp(prefix="sketchzoo-checkpoint-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    network = _network("resnet18", seed)
    other = _network("vgg11", seed) if own_for_photos else None
    if other:
        other.prototypes.data.copy_(network.prototypes.data)
    return save_checkpoint(
        Path(place),
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
    if seed:
        torch.manual_seed(seed)
        network.projection.reset_parameters()
        nn.init.normal_(network.prototypes)
    return network
