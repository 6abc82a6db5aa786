"""What the input pipeline costs: training throughput with it and without it.

    python -m benchmarks.training [--device cuda] [--compile] [--sketchy DIR] [--json FILE]

Trains in turns on pictures and on one batch that stays in memory. Compare the ratio of both between
machines. Without --sketchy, the frames are random bytes. With it, the cost of decoding is measured,
too; the cache saves it at every step but the first. On a GPU, the benchmark counts how often a step
waits for the GPU, and reports memory and the slowest operations. On a CPU, it compares
`train.networks.convolutions` with PyTorch's own convolutions. Nothing else should be running.
"""

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.command import exit_code, new_parser
from model.files import write_json
from train.config import FitConfig
from train.data.dataset import CACHE_SCALE, Dataset, LabelledFrames, load_dataset
from train.data.frames import Indices, StoredFrames, frame_file
from train.data.pictures import Picture, Split
from train.data.sources import Sources
from train.networks.names import Backbone
from train.trainer import Trainer


class Case(NamedTuple):
    """What is trained: the backbone, the side in pixels, and sketches and photos in a batch."""

    backbone: Backbone
    pixels: int
    sketches: int
    photos: int


CASES = {
    "cpu": [
        Case("resnet34", 64, 64, 48),
        Case("resnet34", 128, 24, 24),
        Case("resnet34", 224, 8, 8),
    ],
    "cuda": [
        Case("resnet34", 128, 192, 192),
        Case("efficientnet_lite2", 192, 96, 96),
        Case("resnet34", 64, 192, 192),
    ],
}

BLOCK = {"cpu": 1, "cuda": 20}
"""Steps between two readings of the clock. Each reading waits for the GPU."""

WARM_UP = 2
"""Blocks before the measurement."""

SHOWN = 10
"""Number of operations in the profile."""

Step = Callable[[], object]


@dataclass
class Figures:
    """The figures of a case. `profile` has milliseconds a step."""

    backbone: str
    pixels: int
    images: int
    images_per_s: float
    in_memory_images_per_s: float
    ratio: float
    gpu_memory_gb: float | None = None
    waits_a_step: float | None = None
    convolutions_ratio: float | None = None
    decode_sketch_ms: float | None = None
    decode_photo_ms: float | None = None
    profile: list[tuple[str, float]] | None = None


def main() -> int:
    options = new_parser("training", __doc__)
    options.add_argument("--sketchy", type=Path, help="folder of the unpacked Sketchy Database")
    options.add_argument("--classes", default="mini", help="classes to train on (default: mini)")
    options.add_argument("--device", choices=CASES, default="cpu", help="(default: cpu)")
    options.add_argument(
        "--compile", action="store_true", help="compile the network, as 'fit --compile' does"
    )
    options.add_argument(
        "--blocks", type=int, default=12, help="timed blocks of steps (default: 12)"
    )
    options.add_argument(
        "--case",
        action="append",
        metavar="BACKBONE,PIXELS,SKETCHES,PHOTOS",
        help="measure this case instead of the default ones; may be repeated",
    )
    arguments = options.parse_args()
    cases = CASES[arguments.device]
    if arguments.case:
        given = (case.split(",") for case in arguments.case)
        cases = [Case(backbone, *map(int, numbers)) for backbone, *numbers in given]
    rows = []
    with tempfile.TemporaryDirectory(prefix="sketchzoo-benchmark-") as folder:
        for case in cases:
            rows.append(measure(case, arguments, Path(folder)))
            show(rows[-1])
    if arguments.json:
        write_json(arguments.json, [asdict(row) for row in rows])
    return 0


def show(row: Figures) -> None:
    """Prints a case as soon as it is measured, so that a stopped run is not lost."""
    print(
        f"{row.backbone} {row.pixels} px, {row.images} images a step: {row.images_per_s:.0f} "
        f"images/s, in memory {row.in_memory_images_per_s:.0f}, ratio {row.ratio:.3f}"
    )
    for name, value in asdict(row).items():
        if isinstance(value, float) and name not in ("images_per_s", "ratio"):
            print(f"  {name} {value:.3f}")
    for operation, milliseconds in row.profile or []:
        print(f"  {milliseconds:8.2f} ms  {operation}")
    sys.stdout.flush()


def measure(case: Case, arguments: argparse.Namespace, cache: Path) -> Figures:
    """Measures a case with and without the input pipeline, in turns."""
    config = FitConfig(
        backbone=case.backbone,
        input_size=case.pixels,
        classes=arguments.classes,
        sketch_batch=case.sketches,
        photo_batch=case.photos,
    )
    device = torch.device(arguments.device)
    sources = Sources(arguments.sketchy or cache, cache=cache)
    dataset = load_dataset(config, sources) if arguments.sketchy else invented(config, cache)
    given = config, dataset, cache / "run", device, sources
    trainer = Trainer(*given, compiled=arguments.compile)
    held = trainer.draw()

    def learn_next() -> None:
        trainer.learn(trainer.draw())
        trainer.step += 1

    kinds: dict[str, Callable[[], object]] = {
        "fed": learn_next,
        "held": lambda: trainer.learn(held),
    }
    if device.type == "cpu" and not arguments.compile:
        with patch("train.trainer.speed_up_convolutions"):
            plain = Trainer(*given)
        kinds["plain"] = lambda: plain.learn(held)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    spent = in_turns(kinds, trainer, arguments.blocks)
    figures = Figures(
        case.backbone,
        case.pixels,
        config.images,
        config.images / spent["fed"],
        config.images / spent["held"],
        spent["held"] / spent["fed"],
    )
    if "plain" in spent:
        figures.convolutions_ratio = spent["plain"] / spent["held"]
    if device.type == "cuda":
        figures.gpu_memory_gb = torch.cuda.max_memory_allocated() / 1e9
        figures.waits_a_step = waits(learn_next)
    figures.profile = where_time_goes(learn_next, device)
    trainer.batches.close()
    if arguments.sketchy:
        figures.decode_sketch_ms = decoding(dataset.sketches, case.pixels, sketches=True)
        figures.decode_photo_ms = decoding(dataset.photos, case.pixels, sketches=False)
    return figures


def in_turns(kinds: dict[str, Step], trainer: Trainer, blocks: int) -> dict[str, float]:
    """Median seconds a step of each kind."""
    steps = BLOCK[trainer.device.type]
    spent: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(WARM_UP + blocks):
        for kind, step in kinds.items():
            began = time.perf_counter()
            for _ in range(steps):
                step()
            trainer.losses.read()
            if trainer.device.type == "cuda":
                torch.cuda.synchronize()
            if turn >= WARM_UP:
                spent[kind].append((time.perf_counter() - began) / steps)
    return {kind: statistics.median(times) for kind, times in spent.items()}


def waits(step: Step) -> float:
    """How often a step waits for the GPU; prints the lines of code that wait."""
    places = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        for _ in range(BLOCK["cuda"]):
            step()
        torch.cuda.set_sync_debug_mode("default")
        places = [f"{w.filename}:{w.lineno}" for w in caught if "synchron" in str(w.message)]
    for place in sorted(set(places)):
        print(f"  waits for the GPU {places.count(place)} times: {place}")
    return len(places) / BLOCK["cuda"]


def where_time_goes(step: Step, device: torch.device) -> list[tuple[str, float]]:
    """Milliseconds of a whole step, of all operations, and of the slowest operations."""
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    steps = 5 if gpu else 2
    step()
    if gpu:
        torch.cuda.synchronize()
    began = time.perf_counter()
    with profile(activities=activities) as profiled:
        for _ in range(steps):
            step()
        if gpu:
            torch.cuda.synchronize()
    whole = 1000 * (time.perf_counter() - began) / steps
    spent: dict[str, float] = {}
    for event in profiled.events() or []:
        # An operation includes its kernels, so events of kernels are not counted again.
        if event.device_type.name == "CPU":
            taken = event.self_device_time_total if gpu else event.self_cpu_time_total
            spent[event.name] = spent.get(event.name, 0) + taken / 1000 / steps
    longest = sorted(spent.items(), key=lambda item: -item[1])[:SHOWN]
    of = "of the GPU's time" if gpu else "of the CPU's time"
    return [("a step under the profiler", whole), (f"{of} in it", sum(spent.values())), *longest]


def invented(config: FitConfig, folder: Path, count: int = 2000) -> Dataset:
    """Frames of random bytes in five classes, stored as the cache stores them."""
    random = np.random.default_rng(0)
    side = round(config.input_size * CACHE_SCALE)

    def domain(shape: tuple[int, ...], of: int, name: str) -> LabelledFrames:
        path = folder / f"{name}-{side}.npy"
        np.save(path, random.integers(0, 256, (of, *shape), np.uint8))
        labels: Indices = np.arange(of) % 5
        pictures = [
            Picture(Path(f"{name}-{i}"), str(label), str(i)) for i, label in enumerate(labels)
        ]
        return LabelledFrames(StoredFrames(pictures, path, []), labels)

    grey, coloured = (side, side), (side, side, 3)
    photos = domain(coloured, count, "photos")
    return Dataset(
        [str(i) for i in range(5)],
        Split(frozenset()),
        domain(grey, count, "sketches"),
        photos,
        np.ones(count),
        domain(coloured, 20, "held photos"),
        domain(grey, 20, "held sketches"),
    )


def decoding(domain: LabelledFrames, pixels: int, *, sketches: bool) -> float:
    """Median milliseconds to decode a picture."""
    pictures = domain.frames.pictures
    spent = []
    for picture in pictures[:: max(1, len(pictures) // 40)]:
        began = time.perf_counter()
        frame_file(picture.path, size=round(pixels * CACHE_SCALE), sketches=sketches)
        spent.append(1000 * (time.perf_counter() - began))
    return statistics.median(spent)


if __name__ == "__main__":
    sys.exit(exit_code(main))
