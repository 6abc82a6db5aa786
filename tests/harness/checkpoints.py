"""Makes checkpoints that are small enough for tests."""

import atexit
import shutil
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import PhotoEncoderInfo
from train.checkpoints import save_checkpoint
from train.networks.siamese import SiameseNetwork


def make_checkpoint(
    folder: Path, seed: int = 0, *, own_for_photos: bool = False, real_backbones: bool = False
) -> Checkpoint:
    """An untrained encoder with three classes and embeddings of 8 + 3 numbers, in fp32.

    Those of different seeds share a backbone, but not the projection and the prototypes.

    Args:
        folder: for the checkpoint.
        seed: of the projection and the prototypes.
        own_for_photos: photos have their own encoder.
        real_backbones: they are those that the manifest names, a ResNet18 and a VGG11, so that
            `train` can go on with the weights. Otherwise they are five convolutions each, which
            take far less time.
    """
    shutil.copytree(_made(seed, own_for_photos, real_backbones), folder)
    return Checkpoint.open(folder)


@cache
def _made(seed: int, own_for_photos: bool, real_backbones: bool) -> Path:
    """The folder of a checkpoint, which each process makes once."""
    place = tempfile.mkdtemp(prefix="sketchzoo-checkpoint-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    network = _network("resnet18", seed, real_backbones)
    other = _network("vgg11", seed, real_backbones) if own_for_photos else None
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


def _network(backbone: str, seed: int, real_backbones: bool) -> SiameseNetwork:
    torch.manual_seed(0)
    network = SiameseNetwork(backbone, 8, 3)
    if not real_backbones:
        network.backbone = _convolutions(network.projection.in_features)
    if seed:
        torch.manual_seed(seed)
        network.projection.reset_parameters()
        nn.init.normal_(network.prototypes)
    return network


def _convolutions(channels: int) -> nn.Sequential:
    """Five convolutions, which end in maps of a 32nd of the image's side."""
    layers: list[nn.Module] = []
    for before, after in pairwise((3, 8, 16, 32, 32, channels)):
        convolution = nn.Conv2d(before, after, 3, stride=2, padding=1)
        nn.init.kaiming_normal_(convolution.weight)
        layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers)
