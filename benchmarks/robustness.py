"""How well a checkpoint copes with drawings that differ from those it was trained on.

    python -m benchmarks.robustness --sketchy DIR [--photos DIR ...] [--checkpoint DIR]
                                    [--sketches 1000] [--json FILE] [--sheet FILE]

Changes held-out sketches in the ways in which people's drawings differ. For each change it prints
P@12 on the held-out photos of the checkpoint's split, and the ratio to the unchanged sketches.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from tqdm import tqdm

from benchmarks.command import held_out, new_parser, run
from model.checkpoint.checkpoint import Checkpoint
from model.pictures.decoding import open_image
from tests.harness.pictures import pencil_on_paper
from train.evaluate import labels_of
from train.metrics import FIRST, rank_photos

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

WHITE = 255
LINE = 128
"""A pixel of the clean sketch is ink if its grey value is below this."""


def as_drawn(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    return sketch


def small_in_a_corner(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Shrinks the sketch to 40 % and moves it to a corner."""
    page = Image.new("L", sketch.size, WHITE)
    small = sketch.resize([round(side * 0.4) for side in sketch.size], Image.Resampling.LANCZOS)
    right, low = random.integers(2, size=2)
    room = page.width - small.width, page.height - small.height
    page.paste(small, (int(right) * room[0], int(low) * room[1]))
    return page


def thick(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Makes lines three times as wide: they grow by their own width on both sides."""
    grow = round(line_width(sketch))
    return sketch.filter(ImageFilter.MinFilter(2 * grow + 1))


def thin(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Makes lines half as wide, on a page of four times the side, to allow half pixels."""
    large = sketch.resize([side * 4 for side in sketch.size], Image.Resampling.BICUBIC)
    shrink = max(1, round(line_width(large) / 4))
    return large.filter(ImageFilter.MaxFilter(2 * shrink + 1))


def white_on_black(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.invert(sketch)


def mirrored(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(sketch)


def upper_half(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Keeps only the upper half of the drawing."""
    rows = np.flatnonzero((np.asarray(sketch) < LINE).any(axis=1))
    if not len(rows):
        return sketch
    middle = (int(rows[0]) + int(rows[-1])) // 2 + 1
    page = sketch.copy()
    page.paste(WHITE, (0, middle, page.width, page.height))
    return page


def shaky(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    """Shifts lines as a mouse does: by up to 4 of 256 pixels, differently every 12 pixels."""
    width, height = sketch.size
    coarse = random.uniform(-4, 4, (2, height // 12, width // 12)) * width / 256
    off = [
        np.asarray(
            Image.fromarray(c.astype(np.float32)).resize(sketch.size, Image.Resampling.BICUBIC)
        )
        for c in coarse
    ]
    down, across = np.indices((height, width))
    rows = (down + off[0]).round().astype(int).clip(0, height - 1)
    columns = (across + off[1]).round().astype(int).clip(0, width - 1)
    return Image.fromarray(np.asarray(sketch)[rows, columns])


CHANGES: tuple[Change, ...] = (
    as_drawn,
    small_in_a_corner,
    thick,
    thin,
    pencil_on_paper,
    white_on_black,
    mirrored,
    upper_half,
    shaky,
)


def line_width(sketch: Image.Image) -> float:
    """Width of the lines in pixels: their area divided by half the length of their outline."""
    ink = np.asarray(sketch) < LINE
    outline = int((ink[1:] != ink[:-1]).sum()) + int((ink[:, 1:] != ink[:, :-1]).sum())
    return 8 / np.pi * int(ink.sum()) / max(outline, 1)


def main() -> int:
    options = new_parser("robustness", __doc__, sketchy=True, checkpoint=True)
    options.add_argument(
        "--photos", type=Path, nargs="*", default=[], help="folders of more photos to rank"
    )
    options.add_argument(
        "--sketches", type=int, default=1000, help="number of held-out sketches (default: 1000)"
    )
    options.add_argument(
        "--sheet", type=Path, metavar="FILE", help="write a picture of all changes to FILE"
    )
    return run(options.parse_args(), measure, show)


def show(rows: list[dict[str, Any]]) -> None:
    print("| drawing | P@12 | ratio to unchanged |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {row['drawing']} | {row['precision_at_12']:.3f} | {row['ratio']:.0%} |")


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """P@12 of each change, on the same sketches and photos."""
    encoder = Checkpoint.open(arguments.checkpoint).encoder()
    photos, sketches = held_out(arguments, arguments.photos)
    order = np.random.default_rng(0).permutation(len(sketches))[: arguments.sketches]
    sketches = [sketches[i] for i in order]
    gallery = encoder.embed_photos([open_image(p.path) for p in tqdm(photos, "photos")])
    drawn = [open_image(p.path).convert("L") for p in sketches]
    if arguments.sheet:
        sheet(drawn[:10]).save(arguments.sheet)
    rows: list[dict[str, Any]] = []
    for change in CHANGES:
        queries = encoder.embed_sketches(list(tqdm(changed(drawn, change), change.__name__)))
        ranking = rank_photos(queries, gallery, labels_of(sketches), labels_of(photos))
        found = float(ranking.precision_at(FIRST).mean())
        clean = float(rows[0]["precision_at_12"]) if rows else found
        name = change.__name__.replace("_", " ")
        rows.append({"drawing": name, "precision_at_12": found, "ratio": found / clean})
    return rows


def changed(drawn: list[Image.Image], change: Change) -> list[Image.Image]:
    return [change(sketch, np.random.default_rng(i)) for i, sketch in enumerate(drawn)]


def sheet(drawn: list[Image.Image], side: int = 128) -> Image.Image:
    """A row for each change, a column for each drawing."""
    page = Image.new("RGB", (side * len(drawn), side * len(CHANGES)), "white")
    for row, change in enumerate(CHANGES):
        for column, image in enumerate(changed(drawn, change)):
            page.paste(image.convert("RGB").resize((side, side)), (column * side, row * side))
    return page


if __name__ == "__main__":
    sys.exit(main())
