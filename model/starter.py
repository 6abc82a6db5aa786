"""The starter gallery: animal photos of Debian's package tuxpaint-stamps-default.

The package is installed, never copied into the project; `assets/starter_gallery.csv` names the
photos in it that were looked at and chosen, with what the package's changelog says of their
makers. What is left blank there comes from the description and copyright file of the package.
"""

import csv
import re
from pathlib import Path

from model.errors import GalleryError
from model.manifest import Photo

PACKAGE = "tuxpaint-stamps-default"
CHOSEN = Path(__file__).parent.parent / "assets" / "starter_gallery.csv"
STAMPS = Path("/usr/share/tuxpaint/stamps/animals")
COPYRIGHT = Path("/usr/share/doc") / PACKAGE / "copyright"


def starter_photos(
    stamps: Path = STAMPS, copyright_file: Path = COPYRIGHT, chosen: Path = CHOSEN
) -> list[Photo]:
    """The chosen photos that are installed, with label, credit and licence from the package.

    Raises:
        GalleryError: the package is not installed.
    """
    if not stamps.is_dir():
        raise GalleryError(
            f"The starter gallery is not installed. Install it with 'apt-get install {PACKAGE}' "
            "on Debian or Ubuntu, or search your own photos: python app.py --photos DIR"
        )
    credit, licence = _terms(copyright_file)
    photos = []
    with chosen.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = stamps / row["file"]
            if path.is_file():
                label = row["label"] or _label(path.with_suffix(".txt"))
                maker = f"Tux Paint stamps, {row['credit']}" if row["credit"] else credit
                photos.append(Photo(str(path), label, maker, row["licence"] or licence))
    if not photos:
        raise GalleryError(
            f"{stamps} holds none of the photos listed in {chosen.name}. Install {PACKAGE} "
            "again, or search your own photos: python app.py --photos DIR"
        )
    return photos


def _label(description: Path) -> str:
    """`A giraffe.` to `giraffe`: the first line of a stamp's description is in English."""
    try:
        first = description.read_text(encoding="utf-8").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError):
        return description.stem.replace("_", " ")
    name = re.split(r"[.,!(]", first)[0].strip()
    return re.sub(r"^(an?|the|two)\s+", "", name, flags=re.IGNORECASE).lower()


def _terms(copyright_file: Path) -> tuple[str, str]:
    """Credit and licence of all files, from the package's machine-readable copyright file."""
    try:
        text = copyright_file.read_text(encoding="utf-8")
    except OSError:
        return f"Tux Paint stamps ({PACKAGE})", "see the package"
    stanza = re.search(r"^Files: \*\n(?:.+\n)+", text, flags=re.MULTILINE)
    holder = re.search(r"^Copyright: *(.+)$", stanza[0] if stanza else text, flags=re.MULTILINE)
    licence = re.search(r"^License: *(.+)$", stanza[0] if stanza else text, flags=re.MULTILINE)
    name = re.sub(r"\s*<[^>]*>", "", holder[1]) if holder else PACKAGE
    return f"Tux Paint stamps, © {name}", licence[1] if licence else "see the package"
