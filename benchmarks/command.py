"""What the benchmarks share: their options, and the pictures that a checkpoint has never seen."""

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


def parser(
    name: str, about: str | None, *, sketchy: bool = False, checkpoint: bool = False
) -> argparse.ArgumentParser:
    """A command line with `--json`, and `--sketchy` and `--checkpoint` where they are wanted."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if sketchy:
        made.add_argument("--sketchy", type=Path, required=True, help="unpacked Sketchy Database")
    if checkpoint:
        made.add_argument("--checkpoint", type=Path, default=SHIPPED, metavar="DIR")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return made


def run(
    arguments: argparse.Namespace,
    measure: Callable[[argparse.Namespace], Any],
    show: Callable[[Any], None],
) -> int:
    """Measures, prints and writes; returns the exit code."""

    def act() -> int:
        figures = measure(arguments)
        show(figures)
        if arguments.json:
            write_json(arguments.json, figures)
        return 0

    return told(act)


def told(act: Callable[[], int]) -> int:
    """The exit code of a program, whose errors are told in a line."""
    try:
        return act()
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def held_out(
    arguments: argparse.Namespace, more_photos: list[Path] | None = None
) -> tuple[list[Picture], list[Picture]]:
    """Photos and sketches of known classes that the checkpoint's split holds out."""
    known = set(Checkpoint.open(arguments.checkpoint).manifest.classes)
    split = Split.load(arguments.checkpoint / SPLIT)
    photo_folder, sketch_folder = sketchy_folders(arguments.sketchy)
    photos = [
        p for f in (photo_folder, *(more_photos or [])) for p in list_pictures(f, sketches=False)
    ]
    sketches = list_pictures(sketch_folder, sketches=True)
    kept = ([p for p in split.validation(of) if p.label in known] for of in (photos, sketches))
    return next(kept), next(kept)
