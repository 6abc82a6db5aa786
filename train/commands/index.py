"""`index`: builds a gallery of your own photos."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.checkpoint.records import EngineName
from model.encoder.runtime import limit_blas
from model.gallery.build import Built, build_gallery
from model.gallery.captions import caption
from model.gallery.photos import find_photos
from model.gallery.walk import LeftOut, named
from train.commands.options import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "index",
        "make a gallery of your own photos for the app",
        "Finds JPEG, PNG, WebP, HEIC, AVIF, TIFF and other pictures in the folders and all folders "
        "below, and follows links. The label of a photo is the name of its folder. Hidden files "
        "are ignored. Everything else that is left out is listed with what to do about it: files "
        "with the same content, raw files of cameras, files that cannot be read. To update the "
        "gallery, give the same command again: it reads only new and changed photos. After a stop "
        "or a kill it goes on where it was. An app that serves the gallery keeps running, and "
        "loads the new version within a second of the next search.",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="folders of photos",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the gallery")
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="the encoder to use")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="CSV",
        help="a table with the columns file and label, for photos whose folder is not their label. "
        "Files are paths below DIR, such as cats/1.jpg, or start with DIR's own name",
    )
    parser.add_argument(
        "--credits",
        type=Path,
        metavar="CSV",
        help="a table with the columns file, credit (or creator, author) and licence (or license), "
        "which the app shows with a photo. Empty cells are filled from the photo's EXIF data. It "
        "may be the same file as --labels",
    )
    parser.add_argument(
        "--engine",
        choices=get_args(EngineName),
        help="what searches the gallery (default: exact up to 20000 photos, annoy above)",
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    limit_blas()
    photos, out, tables = arguments.photos, arguments.out, (arguments.labels, arguments.credits)
    checkpoint = Checkpoint.open(arguments.checkpoint)
    found = find_photos(photos, [path for path in (out, *tables) if path])
    captioned, notes = caption(found.photos, photos, *tables)
    built = build_gallery(checkpoint, captioned, out, arguments.engine)
    print("\n".join([*notes, *_report(built, [*found.left_out, *built.left_out])]))
    print(f"Search them: python app.py --gallery {out}")


def _report(built: Built, left_out: Sequence[LeftOut]) -> list[str]:
    """What was done, in lines: files that were left out, then the counts."""
    return [
        *named(left_out),
        f"{len(built.checkpoint.manifest.photos)} photos: {built.new} new, {built.changed} "
        f"changed, {built.kept} kept; {built.removed} removed; {built.embedded} embedded",
    ]
