"""Writes the same network as ONNX only once in a test run, since that takes seconds."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from model.pictures.framing import Pixels
from train.networks.onnx import write_backbone
from train.networks.siamese import SiameseNetwork


class WrittenOnce:
    """`write_backbone`, which copies a file that it has written before.

    Args:
        folder: for the files. Several processes may share it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        network: SiameseNetwork,
        input_size: int,
        path: Path,
        frames: Sequence[Pixels] | None = None,
    ) -> None:
        if frames is not None:
            write_backbone(network, input_size, path, frames)
            return
        written = self.folder / f"{_digest(network, input_size)}.onnx"
        if not written.exists():
            with tempfile.TemporaryDirectory(dir=self.folder) as unfinished:
                write_backbone(network, input_size, Path(unfinished) / "new.onnx")
                os.replace(Path(unfinished) / "new.onnx", written)
        shutil.copyfile(written, path)


def _digest(network: SiameseNetwork, input_size: int) -> str:
    """A hash of all that the ONNX file depends on."""
    digest = hashlib.sha256(repr((network.backbone, network.standardise, input_size)).encode())
    for name, value in network.backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
