"""The starter gallery: animal photos from Debian packages.

The packages are installed; their photos are not part of this project. `assets/starter_gallery.csv`
lists the photos, which were selected by hand. Empty labels, credits and licences in this list come
from the packages.
"""

import csv
import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from model.checkpoint.records import Photo
from model.checkpoint.versions import Lock
from model.errors import GalleryError, ImageError
from model.files import replacing
from model.gallery.qt_resources import ResourceFile

CHOSEN = Path(__file__).parents[2] / "assets" / "starter_gallery.csv"
UNPACKED = Path(__file__).parents[2] / "galleries" / "starter-photos"
STAMPS = "tuxpaint-stamps-default"
TEMPLATES = "tuxpaint-data"
RESOURCES = "gcompris-qt-data"

MAX_BYTES = 10_000_000
"""Maximum size of a photo in a resource file."""

OPEN = re.compile(r"(CC0-1\.0|public domain|CC-BY(-SA)?-\d\.\d)$", re.IGNORECASE)
"""Open licences. Photos in resource files with other licences are left out."""

FIELD = re.compile(r"^(Copyright|Source|License|Comments): *(.+)$", re.MULTILINE)

ChosenPhoto = dict[str, str]
"""A row of the list of photos: package, file, label, credit and licence."""


def starter_photos(
    unpacked: Path = UNPACKED, chosen: Path = CHOSEN, system: Path = Path("/")
) -> list[Photo]:
    """The photos of the starter gallery that are installed, with label, credit and licence.

    Args:
        unpacked: folder for photos from resource files. Existing files there are kept.
        chosen: the list of photos.
        system: root of the file system where the packages are installed.

    Raises:
        GalleryError: none of the photos is installed, or `unpacked` cannot be written.
    """
    readers: dict[str, Callable[[list[ChosenPhoto], Path, Path], Iterator[Photo]]] = {
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
    """Packages that are not installed, with the number of their photos in the starter gallery."""
    return {
        package: len(rows)
        for package, rows in _rows(chosen).items()
        if not (system / "usr/share/doc" / package / "copyright").is_file()
    }


def _rows(chosen: Path) -> dict[str, list[ChosenPhoto]]:
    """The list of photos, by package."""
    rows: dict[str, list[ChosenPhoto]] = defaultdict(list)
    with chosen.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["package"]].append(row)
    return rows


def _tux_paint(rows: list[ChosenPhoto], system: Path, _: Path) -> Iterator[Photo]:
    """Photos of Tux Paint. They are files; a stamp has a text file with its description."""
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
    """The label of a stamp: `giraffe` for `A giraffe.`, the description's first line."""
    try:
        first = description.read_text(encoding="utf-8").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError):
        return description.stem.replace("_", " ")
    name = re.split(r"[.,!(]", first)[0].strip()
    return re.sub(r"^(an?|the|two)\s+", "", name, flags=re.IGNORECASE).lower()


def _terms(copyright_file: Path) -> tuple[str, str]:
    """Credit and licence of a package, from its machine-readable copyright file."""
    try:
        text = copyright_file.read_text(encoding="utf-8")
    except OSError:
        return "see the package", "see the package"
    stanza = re.search(r"^Files: \*\n(?:.+\n)+", text, flags=re.MULTILINE)
    holder = re.search(r"^Copyright: *(.+)$", stanza[0] if stanza else text, flags=re.MULTILINE)
    licence = re.search(r"^License: *(.+)$", stanza[0] if stanza else text, flags=re.MULTILINE)
    name = re.sub(r"\s*<[^>]*>", "", holder[1]) if holder else "its makers"
    return f"© {name}", licence[1] if licence else "see the package"


def _resources(rows: list[ChosenPhoto], system: Path, unpacked: Path) -> Iterator[Photo]:
    """Photos of GCompris, unpacked from its resource files.

    A photo is left out unless the package names its maker and an open licence.
    """
    by_file: dict[str, list[ChosenPhoto]] = defaultdict(list)
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
    """Writes a photo unless it exists; returns False if the resource file lacks it.

    Raises:
        GalleryError: the photo cannot be written.
    """
    try:
        data = resources.read(inside, MAX_BYTES)
    except ImageError:
        return False
    try:
        # The file gets the time of the package's file, so that unpacking again does not change it.
        if target.is_file() and target.stat().st_mtime_ns == changed:
            return True
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = Lock(target.parent, fcntl.LOCK_EX)  # Another server may start at the same time.
        try:
            with replacing(target) as unfinished:
                unfinished.write_bytes(data)
                os.utime(unfinished, ns=(changed, changed))
        finally:
            lock.release()
    except OSError as error:
        raise GalleryError(
            f"{target} cannot be written: {error.strerror}. Free some space, or name another "
            "folder with --galleries."
        ) from error
    return True


def _readme_terms(resources: ResourceFile) -> dict[str, tuple[str, str, str]]:
    """Credit, licence and page of pictures, from the READMEs in a resource file.

    A paragraph of a README has the fields Copyright, Source, License and Comments, and then the
    names of files.
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
