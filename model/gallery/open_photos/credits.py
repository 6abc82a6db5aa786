"""Credits of downloaded photos: a table for programs, and a page for people."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("file", "label", "credit", "licence", "page", "id", "title", "creator", "licence_url")


@dataclass(frozen=True)
class Kept:
    """A photo that is kept. `file` is its path in the folder of photos."""

    id: str
    animal: str
    file: str
    title: str
    creator: str
    spdx: str
    licence_url: str
    page: str

    def line(self) -> str:
        """The credit in one line, as the licences require it."""
        title = f"“{self.title}” by " if self.title else ""
        return f"{title}{self.creator or 'an unnamed maker'}"


def write_table(path: Path, kept: Sequence[Kept]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for photo in kept:
            table.writerow(
                [
                    *(photo.file, photo.animal.replace("_", " "), photo.line(), photo.spdx),
                    *(photo.page, photo.id, photo.title, photo.creator, photo.licence_url),
                ]
            )


def credits_page(kept: Sequence[Kept]) -> str:
    """The credits as a page in Markdown."""
    lines = ["# Credits", "", "The photos are unchanged, as the services hand them out.", ""]
    animal = ""
    for photo in kept:
        if photo.animal != animal:
            animal = photo.animal
            lines += ["", f"## {animal.replace('_', ' ')}", ""]
        line = _escaped(photo.line())
        lines.append(
            f"- [{line}](<{photo.page}>), [{photo.spdx}]({photo.licence_url}), `{photo.id}`"
        )
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Escapes the special characters of Markdown and HTML."""
    for sign in "\\`*_[]<>":
        text = text.replace(sign, f"\\{sign}")
    return text
