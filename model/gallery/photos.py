"""The photos of a gallery: which there are below some folders, and their labels."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint.records import Photo
from model.errors import GalleryError
from model.gallery.walk import SAME, LeftOut, PictureFile, named, walk
from model.text import one_line


@dataclass(frozen=True)
class FoundPhotos:
    """Photos in the order of their folders and paths, and what is not among them."""

    photos: list[Photo]
    left_out: list[LeftOut]


def find_photos(folders: Sequence[Path], besides: Iterable[Path] = ()) -> FoundPhotos:
    """All pictures below some folders, each labelled with the folder that it is in.

    Links are followed, see `model.gallery.walk.walk`. A photo met several times has the label
    of where it really lies if that is below the folders, else that of the first link to it.

    Args:
        folders: where to look; a photo that lies in one of them itself is its own label.
        besides: files and folders to pass over, such as the gallery that is built.

    Raises:
        GalleryError: one is not a folder, may not be read, or holds no picture.
    """
    besides, seen = list(besides), set[str]()
    met: list[tuple[PictureFile, str]] = []
    left_out: list[LeftOut] = []
    for folder in folders:
        is_new = os.path.realpath(folder) not in seen
        found = walk(folder, besides, seen)
        if is_new and not found.files:
            raise GalleryError(_nothing_in(folder, found.left_out))
        left_out += found.left_out
        met += [(file, _label(file.path, folder)) for file in found.files]
    first: dict[str, Path] = {}
    for file, _ in sorted(met, key=lambda one: one[0].is_link):  # The order stays otherwise.
        if first.setdefault(file.real, file.path) != file.path:
            left_out.append(LeftOut(SAME, str(file.path), f" = {file.real}"))
    photos = [
        Photo(path=file.real, label=label, credit="", licence="")
        for file, label in met
        if first[file.real] == file.path
    ]
    return FoundPhotos(photos, left_out)


def photos_in(folder: Path) -> list[Photo]:
    """The photos below a folder; `find_photos` also tells what is left out."""
    return find_photos([folder]).photos


def _nothing_in(folder: Path, left_out: Sequence[LeftOut]) -> str:
    lacking = (
        f"{folder} holds no photos. Put JPEG, PNG, WebP, HEIC, AVIF, TIFF or other pictures in it, "
        "or in folders below it, one a label."
    )
    return "\n".join([lacking, *named(left_out)])


def _label(path: Path, folder: Path) -> str:
    """A file's label; bytes in it that are no UTF-8 become question marks."""
    name = path.stem if path.parent == folder else path.parent.name
    return one_line(name.replace("_", " ").encode("utf-8", "replace").decode())
