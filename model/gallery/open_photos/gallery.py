"""The gallery that open photos and the starter gallery make together."""

from pathlib import Path

from model.checkpoint.records import Photo
from model.errors import SketchZooError
from model.gallery.open_photos.store import open_photos
from model.gallery.starter import starter_photos


def gallery_photos(folder: Path, starter: Path) -> list[Photo]:
    """The photos of the starter gallery, and those that were fetched so far.

    Args:
        folder: where photos are fetched into.
        starter: where photos of the starter gallery are unpacked.

    Raises:
        GalleryError: there is none at all.
    """
    fetched = open_photos(folder)
    try:
        return [*starter_photos(starter), *fetched]
    except SketchZooError:
        if fetched:
            return fetched
        raise
