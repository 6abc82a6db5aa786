"""The starter gallery: animal photos of Debian packages.

The packages are installed, never copied into the project. `assets/starter_gallery.csv` names the
photos that were looked at and chosen. Labels, makers and licences that it leaves blank come from
the packages themselves.
"""

import csv
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from model.checkpoint.records import Photo
from model.errors import GalleryError, ImageError
from model.files import replacing
from model.gallery.qt_resources import ResourceFile

CHOSEN = Path(__file__).parents[2] / "assets" / "starter_gallery.csv"
UNPACKED = Path(__file__).parents[2] / "galleries" / "starter-photos"
STAMPS = "tuxpaint-stamps-default"
TEMPLATES = "tuxpaint-data"
RESOURCES = "gcompris-qt-data"

MAX_BYTES = 10_000_000
"""Of a photo in a resource file."""

OPEN = re.compile(r"(CC0-1\.0|public domain|CC-BY(-SA)?-\d\.\d)$", re.IGNORECASE)
"""Licences that a photo in a resource file may have."""

FIELD = re.compile(r"^(Copyright|Source|License|Comments): *(.+)$", re.MULTILINE)

Row = dict[str, str]


def starter_photos(
    unpacked: Path = UNPACKED, chosen: Path = CHOSEN, system: Path = Path("/")
) -> list[Photo]:
    """The chosen photos that are installed, with label, credit and licence.

    Args:
        unpacked: where photos go that lie inside of resource files. What is there is kept.
        chosen: the list of photos.
        system: the root of the file system that the packages are installed in.

    Raises:
        GalleryError: none of the photos is installed, or `unpacked` cannot be written.
    """
    readers: dict[str, Callable[[list[Row], Path, Path], Iterator[Photo]]] = {
        STAMPS: _tux_paint,
        TEMPLATES: _tux_paint,
        RESOURCES: _resources,
    }
    rows = _rows(chosen)
    photos = [p for name, own in rows.items() for p in readers[name](own, system, unpacked)]
    if not photos:
        raise GalleryError(
            f"The starter gallery is not installed. Install it with 'apt-get install "
            f"{' '.join(rows)}' on Debian or Ubuntu, or search your own photos: "
            "python app.py --photos DIR"
        )
    return photos


def missing_packages(chosen: Path = CHOSEN, system: Path = Path("/")) -> dict[str, int]:
    """Packages of the starter gallery that are not installed, with the number of their photos."""
    return {
        package: len(rows)
        for package, rows in _rows(chosen).items()
        if not (system / "usr/share/doc" / package / "copyright").is_file()
    }


def _rows(chosen: Path) -> dict[str, list[Row]]:
    """The chosen photos by package."""
    rows: dict[str, list[Row]] = defaultdict(list)
    with chosen.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["package"]].append(row)
    return rows


def _tux_paint(rows: list[Row], system: Path, _: Path) -> Iterator[Photo]:
    """Photos of Tux Paint, which are files; stamps have their description beside them."""
    package = rows[0]["package"]
    title = "Tux Paint stamps" if package == STAMPS else "Tux Paint"
    maker, licence = _terms(system / "usr/share/doc" / package / "copyright")
    for row in rows:
        path = system / "usr/share/tuxpaint" / row["file"]
        if path.is_file():
            label = row["label"] or _label(path.with_suffix(".txt"))
            credit = f"{title}, {row['credit'] or maker}"
            yield Photo(str(path), label, credit, row["licence"] or licence)


def _label(description: Path) -> str:
    """`A giraffe.` to `giraffe`: the first line of a stamp's description is in English."""
    try:
        first = description.read_text(encoding="utf-8").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError):
        return description.stem.replace("_", " ")
    name = re.split(r"[.,!(]", first)[0].strip()
    return re.sub(r"^(an?|the|two)\s+", "", name, flags=re.IGNORECASE).lower()


def _terms(copyright_file: Path) -> tuple[str, str]:
    """Maker and licence of all files, from the package's machine-readable copyright file."""
    try:
        text = copyright_file.read_text(encoding="utf-8")
    except OSError:
        return "see the package", "see the package"
    stanza = re.search(r"^Files: \*\n(?:.+\n)+", text, flags=re.MULTILINE)
    holder = re.search(r"^Copyright: *(.+)$", stanza[0] if stanza else text, flags=re.MULTILINE)
    licence = re.search(r"^License: *(.+)$", stanza[0] if stanza else text, flags=re.MULTILINE)
    name = re.sub(r"\s*<[^>]*>", "", holder[1]) if holder else "its makers"
    return f"© {name}", licence[1] if licence else "see the package"


def _resources(rows: list[Row], system: Path, unpacked: Path) -> Iterator[Photo]:
    """Photos of GCompris, unpacked from its resource files.

    Those whose maker and open licence the package does not name are left out.
    """
    by_file: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_file[row["file"].partition("/")[0]].append(row)
    for name, named in by_file.items():
        path = system / "usr/share/gcompris-qt/rcc" / name
        try:
            resources = ResourceFile(path)
            changed = path.stat().st_mtime_ns
        except (ImageError, OSError):
            continue
        terms = _readme_terms(resources)
        for row in named:
            inside = row["file"].partition("/")[2]
            if inside not in terms:
                continue
            target = unpacked / name.removesuffix(".rcc") / Path(inside).name
            if _unpack(resources, inside, target, changed):
                yield Photo(str(target.resolve()), row["label"], *terms[inside])


def _unpack(resources: ResourceFile, inside: str, target: Path, changed: int) -> bool:
    """Writes one photo, unless it is there; returns whether there is one.

    Raises:
        GalleryError: it cannot be written.
    """
    try:
        data = resources.read(inside, MAX_BYTES)
    except ImageError:
        return False
    try:
        # With the time of the package's file, a photo that is unpacked again is not a new one.
        if target.is_file() and target.stat().st_mtime_ns == changed:
            return True
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as unfinished:
            unfinished.write_bytes(data)
            os.utime(unfinished, ns=(changed, changed))
    except OSError as error:
        raise GalleryError(
            f"{target} cannot be written: {error.strerror}. Free some space, or name another "
            "folder with --galleries."
        ) from error
    return True


def _readme_terms(resources: ResourceFile) -> dict[str, tuple[str, str, str]]:
    """Credit, licence and page of the pictures that the resource file's READMEs name.

    Their paragraphs have the fields Copyright, Source, License and Comments, and after Files the
    names of the files.
    """
    terms = {}
    for readme in resources.names:
        if not readme.endswith("/README"):
            continue
        try:
            text = resources.read(readme, MAX_BYTES).decode("utf-8", "replace")
        except ImageError:
            continue
        for paragraph in re.split(r"\n\s*\n", text):
            fields = dict(FIELD.findall(paragraph))
            licence = fields.get("License", "").strip()
            if not OPEN.match(licence) or not fields.get("Copyright"):
                continue
            changes = f" ({fields['Comments'].strip()})" if "Comments" in fields else ""
            credit = f"{fields['Copyright'].strip()}, via GCompris{changes}"
            licence = "public domain" if licence.lower() == "public domain" else licence
            for file in re.findall(r"\S+\.webp$", paragraph, re.M):
                found = (credit, licence, fields.get("Source", "").strip())
                terms[f"{readme.removesuffix('README')}{file}"] = found
    return terms
