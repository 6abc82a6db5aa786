"""Reads the tables that people make about their photos. Columns may have the usual names."""

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from model.errors import GalleryError
from model.text import composed, one_line

COLUMNS = {
    "file": {"file", "file name", "filename", "file path", "filepath", "path", "photo", "image"},
    "label": {"label", "labels", "class", "category", "species", "animal"},
    "credit": {
        *("credit", "credits", "creator", "creators", "author", "authors", "artist", "maker"),
        *("photographer", "attribution", "credit line", "by"),
    },
    "licence": {
        *("licence", "license", "licences", "licenses", "licence name", "license name"),
        *("licence type", "license type", "rights", "terms", "usage terms", "copyright"),
    },
}
"""Accepted names of columns. Case, spaces, `_` and `-` do not matter."""


class Row(NamedTuple):
    """A file and its values, by the keys of `COLUMNS`. Empty cells have no value."""

    file: str
    values: dict[str, str]


@dataclass(frozen=True)
class Table:
    """The rows that name a file, and notes about parts that are not used."""

    rows: list[Row]
    notes: list[str]


def read_table(path: Path, wanted: Sequence[str], known: Collection[str] = ()) -> Table:
    """Reads a CSV file in UTF-8 with a header. Commas, semicolons or tabs separate columns.

    The texts of several columns for the credit or the licence are joined.

    Args:
        path: the table.
        wanted: keys of `COLUMNS`. The table needs the column `file` and one of these.
        known: keys that are used elsewhere. There is no note about them.

    Raises:
        GalleryError: the table cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = list(_lines(file)) or [[]]
    except OSError as error:
        raise GalleryError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise GalleryError(f"{path} is no CSV file in UTF-8. Save it as CSV (UTF-8).") from error
    keys = _keys(header)
    if "file" not in keys or not set(wanted) & set(keys):
        raise GalleryError(
            f"{path} needs a header with the column 'file' and "
            f"{' or '.join(repr(key) for key in wanted)}; it has: {', '.join(header)}."
        )
    read = [_row(row, keys, wanted) for row in rows]
    notes = []
    if unused := [
        name for name, key in zip(header, keys, strict=True) if key not in ("file", *wanted, *known)
    ]:
        notes.append(f"{path}: columns that are not used: {', '.join(unused)}")
    if long := [row.file for row, cells in zip(read, rows, strict=True) if any(cells[len(keys) :])]:
        notes.append(
            f"{path}: {len(long)} rows have more values than columns, such as {long[0]}. "
            "Put texts with commas into quotes"
        )
    return Table([row for row in read if row.file], notes)


def _lines(file: TextIO) -> Iterator[list[str]]:
    first = file.readline()
    file.seek(0)
    return csv.reader(file, delimiter=max(",;\t", key=first.count))


def _keys(header: Sequence[str]) -> list[str]:
    """The key of each column; empty if unknown, or if `file` or `label` occurs again."""
    keys = []
    for name in header:
        plain = " ".join(composed(name).casefold().replace("_", " ").replace("-", " ").split())
        keys.append(next((key for key, names in COLUMNS.items() if plain in names), ""))
    for key in ("file", "label"):
        columns = [number for number, its in enumerate(keys) if its == key]
        columns.sort(key=lambda number: header[number].strip().casefold() != key)
        for number in columns[1:]:
            keys[number] = ""
    return keys


def _row(cells: Sequence[str], keys: Sequence[str], wanted: Sequence[str]) -> Row:
    texts_of: dict[str, dict[str, None]] = {key: {} for key in ("file", *wanted)}
    for key, cell in zip(keys, cells, strict=False):
        if key in texts_of and (text := cell if key == "file" else one_line(cell)):
            texts_of[key][text] = None
    values = {key: one_line(", ".join(texts)) for key, texts in texts_of.items() if texts}
    return Row("".join(texts_of["file"]), {key: values[key] for key in wanted if key in values})
