"""Fetches open photos beside the running app, and lets its gallery grow.

`python app.py --open-photos` starts this as a process of its own, with a low priority, so that
drawings are answered as fast as without it.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint
from model.errors import SketchZooError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.open_photos.animals import animals
from model.gallery.open_photos.download import Download, fetcher_for
from model.gallery.open_photos.gallery import gallery_photos
from model.gallery.open_photos.judge import Judge
from model.gallery.open_photos.services import services

GROWTH = 1.25
"""The gallery is built again when it has so many times the photos."""


def main() -> int:
    """Fetches until all is there or no service answers; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m model.gallery.open_photos", description=__doc__
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--starter", type=Path, required=True)
    parser.add_argument("--gallery", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--per-class", type=int, required=True)
    parser.add_argument("--contact", default="")
    given = parser.parse_args()
    os.nice(10)
    checkpoint = Checkpoint.open(given.checkpoint)
    built = 0
    with contextlib.suppress(SketchZooError):  # The app has just built these.
        built = len(gallery_photos(given.folder, given.starter))

    def build() -> None:
        nonlocal built
        with contextlib.suppress(SketchZooError):
            photos = gallery_photos(given.folder, given.starter)
            if not gallery_is_current(given.gallery, checkpoint, photos):
                build_gallery(checkpoint, photos, given.gallery, wait=True)
            built = len(photos)

    def grown() -> None:
        with contextlib.suppress(SketchZooError):
            if len(gallery_photos(given.folder, given.starter)) >= GROWTH * built:
                build()

    try:
        asked = services(given.contact)
        report = Download(
            given.folder,
            list(animals().values()),
            given.per_class,
            asked,
            fetcher_for(asked, given.contact),
            Judge(checkpoint),
            grown,
        ).run()
        build()
    except SketchZooError as error:
        print(f"open photos: {error}", file=sys.stderr)
        return 1
    for trouble in report.trouble.values():
        print(f"open photos: {trouble}", file=sys.stderr)
    return 1 if report.trouble else 0


if __name__ == "__main__":
    sys.exit(main())
