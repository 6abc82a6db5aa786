"""Counts the pictures of a data folder, and finds what is wrong with them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.errors import ImageError
from model.pictures.colours import flatten
from model.pictures.decoding import OWN, open_image
from model.text import composed
from train.data.classes import SETS
from train.data.pictures import Picture, find_classes, sketched_photo, sketchy_folders
from train.errors import DataError
from train.reports import charts

SHEET_CLASSES = 12
"""Classes on the sheet of samples."""

SHEET_PICTURES = 5
"""Photos, and sketches, of each of them."""

SAMPLE_SIDE = 96
"""Side of a picture on the sheet, in pixels."""

MOST_NAMED = 5
"""Files that are named for each problem."""


@dataclass
class Findings:
    """Counts by class, and files by problem."""

    photos: Counter[str] = field(default_factory=Counter)
    sketches: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> list[str]:
        """The findings as lines of text."""
        names = sorted({*self.photos, *self.sketches})
        lines = [f"{'class':20} {'photos':>7} {'sketches':>9}"]
        lines += [f"{n:20} {self.photos[n]:7} {self.sketches[n]:9}" for n in names]
        total = f"{len(names)} classes"
        lines += [f"{total:20} {self.photos.total():7} {self.sketches.total():9}", ""]
        for problem, files in sorted(self.problems.items()):
            lines.append(f"{problem} ({len(files)}):")
            lines += [f"  {name}" for name in files[:MOST_NAMED]]
            if len(files) > MOST_NAMED:
                lines.append(f"  and {len(files) - MOST_NAMED} more")
        return lines + ([] if self.problems else ["Nothing is wrong with these files."])


def inspect(sketchy: Path, more_photos: Sequence[Path], classes: str, out: Path) -> Findings:
    """Reads every picture, and draws charts and a sheet of samples into `out`.

    Args:
        sketchy: the unpacked Sketchy Database.
        more_photos: folders of further photos, with one folder a class in each.
        classes: `animals`, `mini`, `all`, or names with commas between them.
        out: folder for the charts.

    Raises:
        DataError: `sketchy` has another layout, or no pictures of these classes.
    """
    photo_folder, sketch_folder = sketchy_folders(sketchy)
    wanted = None if classes == "all" else set(SETS.get(classes, composed(classes).split(",")))
    findings = Findings()
    photos, sketches = (
        [p for root in roots for p in _pictures(root, drawn, wanted, findings)]
        for roots, drawn in (([photo_folder, *more_photos], False), ([sketch_folder], True))
    )
    findings.photos.update(p.label for p in photos)
    findings.sketches.update(p.label for p in sketches)
    if not photos and not sketches:
        raise DataError(f"There are no pictures of {classes}. Name classes that {sketchy} has.")
    if classes not in SETS:
        for label in sorted((wanted or set()) - {*findings.photos, *findings.sketches}):
            findings.problems["classes without a folder: correct --classes"].append(label)
    for label in sorted(findings.photos.keys() ^ findings.sketches.keys()):
        lacking = "sketches" if label in findings.photos else "photos"
        findings.problems[f"classes without {lacking}: add some, or leave the class out"].append(
            label
        )
    _read([*photos, *sketches], findings)
    charts.save(charts.counts(findings.photos, "Photos a class", charts.PHOTO), out / "photos.png")
    charts.save(
        charts.counts(findings.sketches, "Sketches a class", charts.SKETCH), out / "sketches.png"
    )
    charts.save(
        charts.against(findings.photos, findings.sketches), out / "photos_against_sketches.png"
    )
    rows = list(_samples(photos, sketches))
    if rows:
        charts.save(charts.sheet(rows, "Photos, and sketches of the class"), out / "samples.png")
    return findings


def _pictures(
    root: Path, drawn: bool, wanted: set[str] | None, findings: Findings
) -> Iterator[Picture]:
    """Pictures in the right places; all other files become problems."""
    problems = findings.problems
    classes = find_classes(root)
    for why, name, more in classes.left_out:
        folder = Path(name) if Path(name).parent == root else Path(name).parent
        if wanted is None or not folder.is_dir() or composed(folder.name) in wanted:
            problems[f"left out, {why}"].append(name + more)
    for label, paths in classes.files.items():
        if wanted is not None and label not in wanted:
            continue
        if not paths:
            problems["class folders without pictures: fill or remove them"].append(
                str(root / label)
            )
        for path in paths:
            if (photo_id := sketched_photo(path) if drawn else composed(path.stem)) is None:
                problems["sketches not named <photo id>-<k>: rename them"].append(str(path))
            else:
                yield Picture(path, label, photo_id)


def _read(pictures: Sequence[Picture], findings: Findings) -> None:
    """Decodes every picture; broken ones and duplicates become problems."""
    first: dict[str, Picture] = {}
    paths = [p.path for p in pictures]
    with ProcessPoolExecutor() as pool:
        digests = tqdm(pool.map(_digest, paths, chunksize=64), "reading", len(paths), unit="")
        for picture, digest in zip(pictures, digests, strict=True):
            if digest.startswith("broken: "):
                findings.problems["broken pictures: replace or delete them"].append(
                    f"{picture.path}: {digest.removeprefix('broken: ')}"
                )
                continue
            twin = first.setdefault(digest, picture)
            if twin is picture:
                continue
            kind = (
                "the same picture twice: delete one"
                if twin.label == picture.label
                else "the same picture in two classes: one label is wrong"
            )
            findings.problems[kind].append(f"{picture.path} = {twin.path}")


def _digest(path: Path) -> str:
    try:
        image = flatten(open_image(path, limits=OWN))
    except ImageError as error:
        return f"broken: {error}"
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()


def _samples(
    photos: Iterable[Picture], sketches: Iterable[Picture]
) -> Iterator[tuple[str, list[NDArray[np.uint8]]]]:
    """Some photos and sketches of evenly chosen classes."""
    of_class: dict[str, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for column, pictures in enumerate((photos, sketches)):
        for picture in pictures:
            of_class[picture.label][column].append(picture.path)
    names = sorted(name for name, (seen, drawn) in of_class.items() if seen and drawn)
    chosen = [
        names[i] for i in np.linspace(0, len(names) - 1, min(SHEET_CLASSES, len(names))).astype(int)
    ]
    for name in chosen:
        row = []
        for paths in of_class[name]:
            places = np.linspace(0, len(paths) - 1, min(SHEET_PICTURES, len(paths))).astype(int)
            for path in (paths[i] for i in places):
                try:
                    row.append(
                        np.asarray(
                            flatten(open_image(path, limits=OWN)).resize((SAMPLE_SIDE, SAMPLE_SIDE))
                        )
                    )
                except ImageError:
                    continue
        if row:
            yield name, row
