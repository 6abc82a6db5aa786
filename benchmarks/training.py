"""How much of a training step is the training: throughput with the input pipeline and without.

    python -m benchmarks.training --sketchy DIR [--sizes 64 128 224] [--json FILE]

Trains ResNet34 on pictures from the cache, and, in turns in the same process, on one batch that
stays in memory, with `train.convolutions` and with PyTorch's own. The ratios are what any machine
can compare. Says what decoding a picture costs, which the cache saves at every step but the first.
Nothing else should be running.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks.command import parser, told
from model.files import write_json
from train.config import FitConfig
from train.fit import Trainer
from train.frames import StoredFrames, frame_file
from train.material import CACHED_ABOVE, Sources, load_material

BATCHES = {64: (64, 48), 128: (24, 24), 224: (8, 8)}


def main() -> int:
    options = parser("training", __doc__, sketchy=True)
    options.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 224], metavar="PIXELS")
    options.add_argument("--classes", default="mini")
    options.add_argument("--steps", type=int, default=24, help="timed steps of each kind")
    arguments = options.parse_args()
    cache = Path(tempfile.mkdtemp(prefix="sketchzoo-benchmark-"))
    try:
        rows = [measure(size, arguments, cache) for size in arguments.sizes]
    finally:
        shutil.rmtree(cache)
    print("pixels  images/s  in memory  ratio  of own convolutions  decoding a sketch  a photo")
    for row in rows:
        print(
            f"{row['pixels']:6.0f} {row['images_per_s']:9.1f} {row['in_memory_images_per_s']:10.1f}"
            f"{row['ratio']:7.3f} {row['convolutions_ratio']:19.2f}"
            f"{row['decode_sketch_ms']:16.2f} ms"
            f"{row['decode_photo_ms']:6.2f} ms"
        )
    if arguments.json:
        write_json(arguments.json, rows)
    return 0


def measure(size: int, arguments: argparse.Namespace, cache: Path) -> dict[str, float]:
    """Seconds a step with and without the input pipeline, in turns, as images a second."""
    sketches, photos = BATCHES.get(size, (16, 16))
    config = FitConfig(
        input_size=size, classes=arguments.classes, sketch_batch=sketches, photo_batch=photos
    )
    sources = Sources(arguments.sketchy, cache=cache)
    material = load_material(config, sources)
    if not isinstance(material.photos.frames, StoredFrames):
        raise SystemExit("The frames do not fit on the disk, so the cache cannot be measured.")
    trainer = Trainer(config, material, cache / "run", torch.device("cpu"), sources)
    trainer.prepare()
    plain = Trainer(config, material, cache / "run", torch.device("cpu"), sources)
    with patch("train.fit.speed_up_convolutions"):
        plain.prepare()
    held = trainer.draw()
    fed, in_memory, with_plain = [], [], []
    for turn in range(arguments.steps + 3):
        began = time.perf_counter()
        trainer.learn(trainer.draw())
        middle = time.perf_counter()
        trainer.learn(held)
        after = time.perf_counter()
        plain.learn(held)
        trainer.step += 1
        if turn >= 3:
            fed.append(middle - began)
            in_memory.append(after - middle)
            with_plain.append(time.perf_counter() - after)
    images = sketches + photos
    decoded = {
        name: statistics.median(
            _seconds(domain.frames.pictures[i].path, round(size * CACHED_ABOVE), name == "sketches")
            for i in range(0, len(domain.labels), max(1, len(domain.labels) // 40))
        )
        for name, domain in material.domains().items()
    }
    return {
        "pixels": size,
        "images_per_s": images / statistics.median(fed),
        "in_memory_images_per_s": images / statistics.median(in_memory),
        "ratio": statistics.median(in_memory) / statistics.median(fed),
        "convolutions_ratio": statistics.median(with_plain) / statistics.median(in_memory),
        "decode_sketch_ms": 1000 * decoded["sketches"],
        "decode_photo_ms": 1000 * decoded["photos"],
    }


def _seconds(path: Path, size: int, sketch: bool) -> float:
    began = time.perf_counter()
    frame_file(path, size=size, sketches=sketch)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(told(main))
