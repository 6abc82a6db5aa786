"""What is known of photos: labels, makers and terms, from tables and from the photos themselves."""

import csv
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PIL import Image

from model.errors import GalleryError
from model.manifest import Photo

LONGEST = 300
"""Letters that are kept of a label, a credit or a licence."""

ARTIST, COPYRIGHT = 0x013B, 0x8298
"""Tags of EXIF."""


def caption(
    photos: Sequence[Photo],
    folders: Sequence[Path],
    labels: Path | None = None,
    credits: Path | None = None,
) -> tuple[list[Photo], list[str]]:
    """Photos with what tables say of them; what they leave blank stays as it is.

    A table is a CSV file in UTF-8 with a header. Its column `file` holds paths, whole ones or below
    one of the folders.

    Args:
        folders: where the photos were found.
        labels: a table with the column `label`.
        credits: a table with the columns `credit` and `licence`, or one of them.

    Returns:
        The photos, and a note about each table that has rows for photos that were not found.

    Raises:
        GalleryError: a table cannot be read, lacks a column, or knows none of the photos.
    """
    known = {photo.path: number for number, photo in enumerate(photos)}
    captioned, notes = list(photos), []
    for table, columns in ((labels, ("label",)), (credits, ("credit", "licence"))):
        if table is None:
            continue
        lost = []
        rows = _rows(table, columns)
        for row in rows:
            numbers = [
                known[path]
                for path in (str((folder / row["file"]).resolve()) for folder in folders)
                if path in known
            ]
            if not numbers:
                lost.append(row["file"])
                continue
            given = {name: one_line(row.get(name) or "") for name in columns}
            filled = {name: text for name, text in given.items() if text}
            captioned[numbers[0]] = replace(captioned[numbers[0]], **filled)
        if rows and len(lost) == len(rows):
            raise GalleryError(
                f"{table} names none of the photos. Its column 'file' holds paths below the folder "
                f"of photos, such as cats/1.jpg; the first row has {lost[0]}."
            )
        if lost:
            notes.append(f"{table}: {len(lost)} rows name no photo, such as {lost[0]}")
    return captioned, notes


def _rows(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            if "file" not in header or not set(columns) & set(header):
                raise GalleryError(
                    f"{table} needs a header with the column 'file' and "
                    f"{' or '.join(repr(name) for name in columns)}; it has: {', '.join(header)}."
                )
            return [row for row in reader if row["file"]]
    except OSError as error:
        raise GalleryError(f"{table} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise GalleryError(f"{table} is no CSV file in UTF-8. Save it as one.") from error


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


def one_line(text: str) -> str:
    """A text for a label or a credit: one line of what can be shown, not too long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:LONGEST]
