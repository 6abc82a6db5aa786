"""Finds the photos below folders, and their labels."""

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
    """Photos in the order of folders and paths, and the files that were left out."""

    photos: list[Photo]
    left_out: list[LeftOut]


def find_photos(folders: Sequence[Path], besides: Iterable[Path] = ()) -> FoundPhotos:
    """Finds all pictures below folders. The label of a photo is the name of its folder.

    Links are followed (see `model.gallery.walk.walk`). If a photo is found several times, its real
    location decides its label or, if that is not below the folders, the first link to it.

    Args:
        folders: where to look. A photo directly in one of them is labelled with its own name.
        besides: files and folders to skip, such as the gallery to build.

    Raises:
        GalleryError: one of them is not a folder, cannot be read, or contains no picture.
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
    for file, _ in sorted(met, key=lambda one: one[0].is_link):  # The sort is stable.
        if first.setdefault(file.real, file.path) != file.path:
            left_out.append(LeftOut(SAME, str(file.path), f" = {file.real}"))
    photos = [
        Photo(path=file.real, label=label, credit="", licence="")
        for file, label in met
        if first[file.real] == file.path
    ]
    return FoundPhotos(photos, left_out)


def photos_in(folder: Path) -> list[Photo]:
    """The photos below a folder. `find_photos` also lists the files that are left out."""
    return find_photos([folder]).photos


def _nothing_in(folder: Path, left_out: Sequence[LeftOut]) -> str:
    missing = (
        f"{folder} holds no photos. Put JPEG, PNG, WebP, HEIC, AVIF, TIFF or other pictures in it, "
        "or in folders below it, one for each label."
    )
    return "\n".join([missing, *named(left_out)])


def _label(path: Path, folder: Path) -> str:
    """The label of a file. Bytes that are not UTF-8 become question marks."""
    name = path.stem if path.parent == folder else path.parent.name
    return one_line(name.replace("_", " ").encode("utf-8", "replace").decode())
