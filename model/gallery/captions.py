"""Labels, credits and licences of photos, from tables and from EXIF data."""

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
"""EXIF tags."""

WANTED = {"labels": ("label",), "credits": ("credit", "licence")}
"""Columns that are read from each table."""


def caption(
    photos: Sequence[Photo],
    folders: Sequence[Path],
    labels: Path | None = None,
    credits: Path | None = None,
) -> tuple[list[Photo], list[str]]:
    """Adds labels and credits from tables to photos. Empty cells change nothing.

    `model.gallery.tables` describes the form of tables. The column `file` holds absolute paths,
    paths relative to a folder, or such paths with the folder's own name in front. A path that
    exists in several folders means the photos in all of them.

    Args:
        photos: the photos to label and credit.
        folders: where the photos were found.
        labels: a table with the column `label`.
        credits: a table with the column `credit`, `licence` or both.

    Returns:
        The photos, and notes about parts of the tables that are not used.

    Raises:
        GalleryError: a table cannot be read, lacks a column, or names none of the photos.
    """
    tables = {kind: path for kind, path in (("labels", labels), ("credits", credits)) if path}
    captioned, notes, names = list(photos), [], _Names(photos, folders)
    for kind, path in tables.items():
        known = [key for other, its in tables.items() if its == path for key in WANTED[other]]
        table = read_table(path, WANTED[kind], known)
        notes += [*table.notes, *_apply(path, table.rows, captioned, names)]
    return captioned, notes


def _apply(path: Path, rows: Sequence[Row], photos: list[Photo], names: "_Names") -> list[str]:
    """Applies the rows of a table to photos; returns notes about rows with problems."""
    unknown, ambiguous, contradictory = [], [], []
    values_of: dict[int, dict[str, str]] = defaultdict(dict)
    for row in rows:
        numbers = names.meant_by(row.file)
        if not numbers:
            unknown.append(row.file)
        elif len(numbers) > 1:
            ambiguous.append(row.file)
        for number in numbers:
            known = values_of[number]
            if any(known.get(key, text) != text for key, text in row.values.items()):
                contradictory.append(row.file)
            known.update(row.values)
    if rows and len(unknown) == len(rows):
        raise GalleryError(
            f"{path} names none of the photos. Its column 'file' has to hold paths relative to the "
            f"folder of photos, such as cats/1.jpg; the first row has {unknown[0]}."
        )
    for number, values in values_of.items():
        photos[number] = replace(photos[number], **values)
    notes = []
    if unknown:
        notes.append(f"{path}: {len(unknown)} rows name no photo, such as {unknown[0]}")
    if ambiguous:
        notes.append(
            f"{path}: {len(ambiguous)} rows name a photo in several folders, such as "
            f"{ambiguous[0]}. All of them are changed; put the folder's name in front to name one"
        )
    if contradictory:
        notes.append(
            f"{path}: {len(contradictory)} rows contradict one above, such as {contradictory[0]}. "
            "The last counts"
        )
    return notes


class _Names:
    """Finds photos by the paths that people write in tables."""

    def __init__(self, photos: Sequence[Photo], folders: Sequence[Path]) -> None:
        own = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100
        self.places = [own, [folder.parent for folder in own]]
        self.exact = {photo.path: number for number, photo in enumerate(photos)}
        self.composed: dict[str, list[int]] = defaultdict(list)
        for path, number in self.exact.items():
            self.composed[composed(path)].append(number)

    def meant_by(self, file: str) -> list[int]:
        """The numbers of the photos that a path in a table means."""
        for spelling in dict.fromkeys((file, file.strip(), file.strip().replace("\\", "/"))):
            for places in self.places:
                numbers = {n for place in places for n in self._at(place / spelling)}
                if numbers:
                    return sorted(numbers)
        return []

    def _at(self, path: Path) -> list[int]:
        try:
            real = os.path.realpath(path)
        except ValueError:  # The path contains a null character.
            return []
        return [self.exact[real]] if real in self.exact else self.composed.get(composed(real), [])


def exif_terms(image: Image.Image) -> tuple[str, str]:
    """Artist and copyright from a photo's EXIF data; empty if missing."""
    try:
        exif = image.getexif()
        found = exif.get(ARTIST), exif.get(COPYRIGHT)
    except Exception:  # Damaged EXIF data lead to errors of many kinds.
        return "", ""
    artist, terms = (_text(value) for value in found)
    return artist, terms


def _text(value: object) -> str:
    """Decodes an EXIF text. Pillow assumes Latin-1, but most cameras write UTF-8."""
    if not isinstance(value, str):
        return ""
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    return one_line(value)
