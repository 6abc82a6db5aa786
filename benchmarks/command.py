"""What the benchmarks share: the command line, and held-out pictures."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.errors import SketchZooError
from model.files import write_json
from train.data.pictures import Picture, Split, list_pictures, sketchy_folders
from train.runs import SPLIT


def new_parser(
    name: str, about: str | None, *, sketchy: bool = False, checkpoint: bool = False
) -> argparse.ArgumentParser:
    """A parser with `--json`, and with `--sketchy` and `--checkpoint` on request."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if sketchy:
        parser.add_argument("--sketchy", type=Path, required=True, help="unpacked Sketchy Database")
    if checkpoint:
        parser.add_argument(
            "--checkpoint",
            type=Path,
            default=SHIPPED,
            metavar="DIR",
            help="checkpoint to measure (default: the shipped one)",
        )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def run(
    arguments: argparse.Namespace,
    measure: Callable[[argparse.Namespace], Any],
    show: Callable[[Any], None],
) -> int:
    """Measures, prints the figures and writes them; returns the exit code."""

    def act() -> int:
        figures = measure(arguments)
        show(figures)
        if arguments.json:
            write_json(arguments.json, figures)
        return 0

    return exit_code(act)


def exit_code(act: Callable[[], int]) -> int:
    """Runs a program. Prints a known error as one line, and returns 2 then."""
    try:
        return act()
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def held_out(
    arguments: argparse.Namespace, more_photos: list[Path] | None = None
) -> tuple[list[Picture], list[Picture]]:
    """Photos and sketches that the checkpoint was not trained on, of its known classes."""
    known = set(Checkpoint.open(arguments.checkpoint).manifest.classes)
    split = Split.load(arguments.checkpoint / SPLIT)
    photo_folder, sketch_folder = sketchy_folders(arguments.sketchy)
    folders = [photo_folder, *(more_photos or [])]
    photos = [p for folder in folders for p in list_pictures(folder, sketches=False)]
    sketches = list_pictures(sketch_folder, sketches=True)
    held = split.validation(photos, sketches), split.validation(sketches, photos)
    kept = [[p for p in pictures if p.label in known] for pictures in held]
    return kept[0], kept[1]
