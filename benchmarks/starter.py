"""How early the right animal comes in the starter gallery.

    python -m benchmarks.starter --sketchy DIR [--checkpoint DIR] [--sketches 20] [--json FILE]
                                 [--sheet FILE]

Searches with held-out sketches of every class of the Sketchy Database that the starter gallery
shows. Prints the median rank of the first right photo, and how often that rank is 1, or at most 12.
The sheet shows twenty sketches, each with its 12 photos.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.command import held_out, new_parser, run
from model.checkpoint.checkpoint import Checkpoint
from model.gallery.build import build_gallery
from model.gallery.starter import starter_photos
from model.pictures.decoding import open_image
from model.search.search import SketchSearch
from train.data.pictures import Picture
from train.metrics import FIRST

SHOWN = {
    "ape": "chimpanzee gibbon gorilla",
    "bat": "bat",
    "bear": "bear polar_bear panda",
    "bee": "bee",
    "butterfly": "butterfly moth",
    "camel": "camel dromedary",
    "cat": "cat",
    "chicken": "chicken hen rooster",
    "cow": "bull calf cow zebu",
    "crab": "crab",
    "crocodilian": "crocodile",
    "deer": "caribou deer doe moose wapiti",
    "dog": "dingo dog",
    "dolphin": "dolphin",
    "duck": "drake duck gosling",
    "elephant": "elephant",
    "fish": "blue_groper butterflyfish clownfish coral_trout discus_fish dolphinfish fish goldfish "
    "moon_wrasse perch puffer_fish salmon stripey trout",
    "frog": "frog",
    "giraffe": "giraffe",
    "hedgehog": "hedgehog",
    "horse": "horse",
    "jellyfish": "jellyfish",
    "kangaroo": "kangaroo",
    "lion": "lion",
    "lizard": "chameleon iguana Komodo_dragon",
    "lobster": "lobster",
    "mouse": "mouse rat",
    "owl": "owl",
    "parrot": "adelaide_rosella parrot rainbow_lorikeet",
    "penguin": "little_penguin magellanic_penguin penguin",
    "pig": "pig wild_boar",
    "rabbit": "rabbit",
    "rhinoceros": "rhinoceros",
    "seagull": "seagull silver_gull",
    "seal": "sea_lion",
    "sheep": "lamb ram sheep",
    "songbird": "blackbird crow kingfisher lark magpie",
    "squirrel": "squirrel",
    "swan": "swan",
    "tiger": "sumatran_tiger tiger",
    "wading_bird": "crowned_crane great_blue_heron heron pink_flamingo spoonbill",
    "zebra": "zebra",
}
"""The labels of the starter gallery that are right for each class, separated by spaces."""

SHEET = 20
"""Rows of the sheet."""

SIDE = 96
"""Side of a picture on the sheet, in pixels."""


def main() -> int:
    options = new_parser("starter", __doc__, sketchy=True, checkpoint=True)
    options.add_argument(
        "--sketches", type=int, default=20, help="sketches of each class (default: 20)"
    )
    options.add_argument("--sheet", type=Path, metavar="FILE", help="write the sheet to FILE")
    return run(options.parse_args(), measure, show)


def show(rows: list[dict[str, Any]]) -> None:
    print("| class | photos | median rank of the first right photo | rank 1 | rank 12 or better |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row['class']} | {row['photos']} | {row['median_rank']:.0f} "
            f"| {row['first']:.0%} | {row['among_first']:.0%} |"
        )
    mean = np.mean([row["first"] for row in rows])
    print(f"\nthe first photo is right for {mean:.0%} of sketches, mean of all classes")
    typical = sum(row["median_rank"] <= FIRST for row in rows)
    print(f"the median rank is at most 12 in {typical} of {len(rows)} classes")


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The ranks of the first right photo, by class."""
    _, unseen = held_out(arguments)
    random = np.random.default_rng(0)
    rows, sheet = [], []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint.open(arguments.checkpoint)
        build_gallery(checkpoint, starter_photos(), Path(folder) / "starter")
        search = SketchSearch.load(Path(folder) / "starter")
        for label, shown in SHOWN.items():
            right = {name.replace("_", " ") for name in shown.split()}
            sketches = [p for p in unseen if p.label == label]
            if not sketches:
                continue
            chosen = random.permutation(len(sketches))[: arguments.sketches]
            ranks = [first_rank(search, sketches[i], right) for i in chosen]
            rows.append(
                {
                    "class": label,
                    "photos": sum(photo.label in right for photo in search.photos),
                    "median_rank": float(np.median(ranks)),
                    "first": float(np.mean([rank == 1 for rank in ranks])),
                    "among_first": float(np.mean([rank <= FIRST for rank in ranks])),
                }
            )
            sheet.append(sketches[chosen[0]])
        if arguments.sheet:
            some = np.linspace(0, len(sheet) - 1, min(SHEET, len(sheet))).astype(int)
            draw_sheet(search, [sheet[i] for i in some]).save(arguments.sheet)
    return rows


def first_rank(search: SketchSearch, sketch: Picture, right: set[str]) -> int:
    """Rank of the first photo with one of these labels."""
    matches = search.query(open_image(sketch.path), len(search.photos))
    return next(match.rank for match in matches if match.label in right)


def draw_sheet(search: SketchSearch, sketches: list[Picture]) -> Image.Image:
    """One row for each sketch, followed by its 12 photos."""
    page = Image.new("RGB", (SIDE * (FIRST + 1), SIDE * len(sketches)), "white")
    for row, sketch in enumerate(sketches):
        drawn = open_image(sketch.path)
        found = [Image.open(search.thumbnail(m.number)) for m in search.query(drawn, FIRST)]
        for column, image in enumerate([drawn, *found]):
            picture = image.convert("RGB")
            picture.thumbnail((SIDE - 4, SIDE - 4))
            page.paste(picture, (column * SIDE, row * SIDE))
    return page


if __name__ == "__main__":
    sys.exit(main())
