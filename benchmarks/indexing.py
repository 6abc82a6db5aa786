"""How fast photos are indexed.

    python -m benchmarks.indexing --photos DIR [--most 1000] [--checkpoint DIR] [--json FILE]

Reads photos, makes their thumbnails and embeds them, as 'python -m train index' does, once as the
app does and once as its last version with PyTorch did: fp32, one group of photos after the other,
and mirror images through the networks of the animal and of the pose. Prints the milliseconds of
each photo, loading the network included. Nothing else should be running.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command import new_parser, run
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.encoder import Embeddings, Encoder
from model.encoder.runtime import limit_blas
from model.gallery.embed import embed_photos
from model.gallery.photos import find_photos
from model.gallery.progress import Progress
from model.pictures.framing import Pixels
from train.checkpoints import trained_network
from train.networks.backbones import fold_batch_norms
from train.networks.encoder import TorchBackbone, head_of_network


class OneByOne(Encoder):
    """Embeds one group of photos after the other."""

    def _embed_groups(self, groups: Iterable[Pixels]) -> Embeddings:
        return np.concatenate([self.embed_frames(group) for group in groups])


class WithTorch(Checkpoint):
    """A checkpoint whose photos are embedded by PyTorch."""

    def photo_encoder(self) -> Callable[[], Encoder]:
        def load() -> Encoder:
            network = trained_network(self.folder, photos=True).eval()
            fold_batch_norms(network.backbone)
            network.to(memory_format=torch.channels_last)
            head, size = head_of_network(network), self.manifest.photo_size
            return OneByOne(TorchBackbone(network), head, size)

        return load


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a photo with OpenVINO and with PyTorch, and their ratio."""
    limit_blas()
    photos = find_photos([arguments.photos], []).photos[: arguments.most]
    opened = Checkpoint.open(arguments.checkpoint)
    ours = _milliseconds(photos, opened)
    before = _milliseconds(photos, WithTorch(opened.folder, opened.manifest))
    return {"photos": len(photos), "index_ms": ours, "torch_ms": before, "ratio": before / ours}


def _milliseconds(photos: list[Photo], checkpoint: Checkpoint) -> float:
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress(Path(folder), None, "")
        start = time.perf_counter()
        found = embed_photos(photos, checkpoint, progress)
        return (time.perf_counter() - start) / found.embedded * 1000


def show(figures: dict[str, Any]) -> None:
    """Prints the figures."""
    print(f"{figures['photos']} photos, milliseconds a photo:")
    print(f"as the app does     {figures['index_ms']:8.1f}")
    print(f"PyTorch, fp32       {figures['torch_ms']:8.1f}")
    print(f"{figures['ratio']:.1f} times as fast")


def main() -> int:
    """Runs the benchmark."""
    parser = new_parser("indexing", __doc__, checkpoint=True)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to index")
    parser.add_argument(
        "--most", type=int, default=1000, metavar="N", help="index at most N (default: 1000)"
    )
    return run(parser.parse_args(), measure, show)


if __name__ == "__main__":
    sys.exit(main())
