"""What is known of photos: labels, makers and terms, from tables and from the photos themselves."""

import os
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PIL import Image

from model.checkpoint.records import Photo
from model.errors import GalleryError
from model.gallery.tables import Row, read_table
from model.text import composed, one_line

ARTIST, COPYRIGHT = 0x013B, 0x8298
"""Tags of EXIF."""

WANTED = {"labels": ("label",), "credits": ("credit", "licence")}
"""Columns that are used of each table."""


def caption(
    photos: Sequence[Photo],
    folders: Sequence[Path],
    labels: Path | None = None,
    credits: Path | None = None,
) -> tuple[list[Photo], list[str]]:
    """Photos with what tables say of them; what they leave blank stays as it is.

    See `model.gallery.tables` for the form of tables. The column `file` holds paths: whole ones,
    those below a folder, or those with the folder's own name in front. A path that is below several
    folders means each of the photos there.

    Args:
        photos: what to label and credit.
        folders: where the photos were found.
        labels: a table with the column `label`.
        credits: a table with the columns `credit` and `licence`, or one of them.

    Returns:
        The photos, and notes about what is not used of the tables.

    Raises:
        GalleryError: a table cannot be read, lacks a column, or knows none of the photos.
    """
    tables = {kind: path for kind, path in (("labels", labels), ("credits", credits)) if path}
    captioned, notes, names = list(photos), [], _Names(photos, folders)
    for kind, path in tables.items():
        known = [key for other, its in tables.items() if its == path for key in WANTED[other]]
        table = read_table(path, WANTED[kind], known)
        notes += [*table.notes, *_apply(path, table.rows, captioned, names)]
    return captioned, notes


def _apply(path: Path, rows: Sequence[Row], photos: list[Photo], names: "_Names") -> list[str]:
    """Changes photos as the rows of a table say; returns notes about rows."""
    lost, several, again = [], [], []
    told: dict[int, dict[str, str]] = defaultdict(dict)
    for row in rows:
        numbers = names.meant_by(row.file)
        if not numbers:
            lost.append(row.file)
        elif len(numbers) > 1:
            several.append(row.file)
        for number in numbers:
            if any(told[number].get(key, text) != text for key, text in row.values.items()):
                again.append(row.file)
            told[number].update(row.values)
    if rows and len(lost) == len(rows):
        raise GalleryError(
            f"{path} names none of the photos. Its column 'file' holds paths below the folder "
            f"of photos, such as cats/1.jpg; the first row has {lost[0]}."
        )
    for number, values in told.items():
        photos[number] = replace(photos[number], **values)
    notes = []
    if lost:
        notes.append(f"{path}: {len(lost)} rows name no photo, such as {lost[0]}")
    if several:
        notes.append(
            f"{path}: {len(several)} rows name a photo in several folders, such as {several[0]}. "
            "All of them get it; put the folder's name in front to name one"
        )
    if again:
        notes.append(
            f"{path}: {len(again)} rows contradict one above, such as {again[0]}. The last counts"
        )
    return notes


class _Names:
    """Photos by the paths that people may give them."""

    def __init__(self, photos: Sequence[Photo], folders: Sequence[Path]) -> None:
        own = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100
        self.places = [own, [folder.parent for folder in own]]
        self.exact = {photo.path: number for number, photo in enumerate(photos)}
        self.composed: dict[str, list[int]] = defaultdict(list)
        for path, number in self.exact.items():
            self.composed[composed(path)].append(number)

    def meant_by(self, file: str) -> list[int]:
        """The numbers of the photos that a table means by this path."""
        for spelling in dict.fromkeys((file, file.strip(), file.strip().replace("\\", "/"))):
            for places in self.places:
                numbers = {n for place in places for n in self._at(place / spelling)}
                if numbers:
                    return sorted(numbers)
        return []

    def _at(self, path: Path) -> list[int]:
        try:
            real = os.path.realpath(path)
        except ValueError:  # It holds a null character.
            return []
        return [self.exact[real]] if real in self.exact else self.composed.get(composed(real), [])


def exif_terms(image: Image.Image) -> tuple[str, str]:
    """The maker and the terms of a photo, as its EXIF data name them; empty where they do not."""
    try:
        exif = image.getexif()
        found = exif.get(ARTIST), exif.get(COPYRIGHT)
    except Exception:  # Pillow raises whatever damaged EXIF data lead to.
        return "", ""
    artist, terms = (_text(value) for value in found)
    return artist, terms


def _text(value: object) -> str:
    """EXIF is meant to be ASCII, which Pillow reads as Latin-1; most cameras write UTF-8."""
    if not isinstance(value, str):
        return ""
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    return one_line(value)
