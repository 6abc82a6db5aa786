"""Makes checkpoints that are small enough for tests."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import PhotoEncoderInfo
from train.checkpoints import save_checkpoint
from train.networks.siamese import SiameseNetwork


def make_checkpoint(folder: Path, seed: int = 0, *, own_for_photos: bool = False) -> Checkpoint:
    """An untrained ResNet18 with three classes and embeddings of 8 + 3 numbers, in fp32.

    With `own_for_photos`, photos have their own encoder, a VGG11.
    """
    shutil.copytree(_made(seed, own_for_photos), folder)
    return Checkpoint.open(folder)


@cache
def _made(seed: int, own_for_photos: bool) -> Path:
    """The folder of a checkpoint. It takes seconds, so each process makes it once."""
    place = tempfile.mkdtemp(prefix="sketchzoo-checkpoint-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    torch.manual_seed(seed)
    network, other = SiameseNetwork("resnet18", 8, 3), SiameseNetwork("vgg11", 8, 3)
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
        photo_network=other if own_for_photos else None,
        photo_encoder=PhotoEncoderInfo("vgg11", 48) if own_for_photos else None,
    ).folder
