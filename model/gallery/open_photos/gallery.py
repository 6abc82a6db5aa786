"""The gallery of downloaded open photos together with the starter gallery."""

from collections.abc import Sequence
from pathlib import Path

from model.checkpoint.records import Photo
from model.errors import SketchZooError
from model.gallery.starter import starter_photos


def gallery_photos(fetched: Sequence[Photo], starter: Path) -> list[Photo]:
    """The photos of the starter gallery, and downloaded photos.

    Args:
        fetched: the photos that are already downloaded.
        starter: folder for unpacked photos of the starter gallery.

    Raises:
        GalleryError: there are no photos.
    """
    try:
        return [*starter_photos(starter), *fetched]
    except SketchZooError:
        if fetched:
            return list(fetched)
        raise
