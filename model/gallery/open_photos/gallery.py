"""The gallery of downloaded open photos together with the starter gallery."""

from pathlib import Path

from model.checkpoint.records import Photo
from model.errors import SketchZooError
from model.gallery.open_photos.store import open_photos
from model.gallery.starter import starter_photos


def gallery_photos(folder: Path, starter: Path) -> list[Photo]:
    """The photos of the starter gallery, and the photos that are already downloaded.

    Args:
        folder: folder of downloaded photos.
        starter: folder for unpacked photos of the starter gallery.

    Raises:
        GalleryError: there are no photos.
    """
    fetched = open_photos(folder)
    try:
        return [*starter_photos(starter), *fetched]
    except SketchZooError:
        if fetched:
            return fetched
        raise
