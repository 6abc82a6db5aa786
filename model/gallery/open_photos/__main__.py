"""Downloads open photos while the app runs, and rebuilds its gallery as they arrive.

`python app.py --open-photos` starts this program as a process with low priority, so that searches
remain as fast as without it.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.runtime import limit_blas
from model.errors import SketchZooError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.open_photos.animals import known_animals
from model.gallery.open_photos.download import Download, fetcher_for
from model.gallery.open_photos.gallery import gallery_photos
from model.gallery.open_photos.judge import Judge
from model.gallery.open_photos.services import services
from model.gallery.open_photos.store import open_photos

GROWTH = 1.25
"""Growth of the number of photos after which the gallery is rebuilt."""


def main() -> int:
    """Downloads until everything is there or no service answers; returns the exit code."""
    args = _parser().parse_args()
    os.nice(10)
    limit_blas()
    try:
        checkpoint = Checkpoint.open(args.checkpoint)
        gallery = _GrowingGallery(args.gallery, args.folder, args.starter, checkpoint)
        asked = services(args.contact)
        report = Download(
            args.folder,
            known_animals(checkpoint.manifest),
            args.per_class,
            asked,
            fetcher_for(asked, args.contact),
            Judge(checkpoint),
            gallery.grow,
        ).run()
        gallery.build()
    except SketchZooError as error:
        print(f"open photos: {error}", file=sys.stderr)
        return 1
    for trouble in report.trouble.values():
        print(f"open photos: {trouble}", file=sys.stderr)
    return 1 if report.trouble else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.gallery.open_photos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--folder", type=Path, required=True, help="folder for downloaded photos")
    add("--starter", type=Path, required=True, help="folder for photos of the starter gallery")
    add("--gallery", type=Path, required=True, help="folder of the gallery to rebuild")
    add("--checkpoint", type=Path, required=True, help="folder of the encoder")
    add("--per-class", type=int, required=True, help="photos to keep of each animal")
    add("--contact", default="", help="your web or mail address, for the services")
    return parser


class _GrowingGallery:
    """The gallery of the starter photos and the downloaded photos."""

    def __init__(self, gallery: Path, folder: Path, starter: Path, checkpoint: Checkpoint) -> None:
        self._gallery, self._folder, self._starter = gallery, folder, starter
        self._checkpoint, self._built = checkpoint, 0
        with contextlib.suppress(SketchZooError):  # The app has just built these photos.
            self._built = len(self._photos())

    def grow(self) -> None:
        """Rebuilds the gallery if there are many more photos than at the last build."""
        with contextlib.suppress(SketchZooError):
            if len(self._photos()) >= GROWTH * self._built:
                self.build()

    def build(self) -> None:
        """Rebuilds the gallery unless it is up to date."""
        with contextlib.suppress(SketchZooError):
            photos = self._photos()
            if not gallery_is_current(self._gallery, self._checkpoint, photos):
                build_gallery(self._checkpoint, photos, self._gallery, wait=True)
            self._built = len(photos)

    def _photos(self) -> list[Photo]:
        return gallery_photos(open_photos(self._folder), self._starter)


if __name__ == "__main__":
    sys.exit(main())
