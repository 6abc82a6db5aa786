"""Sketches with the photos that a checkpoint finds for them, as a picture and as text."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.checkpoint.checkpoint import Checkpoint
from model.pictures.colours import flatten
from model.pictures.decoding import OWN, open_image
from train.data.pictures import Picture, sketched_photo
from train.errors import DataError
from train.evaluate import choose_pictures, embed
from train.reports import charts

ENDINGS = (".png", ".svg")
SIDE = 160
"""Largest side of a picture that is shown, in pixels."""

RIGHT, WRONG = "#2a9d4a", "#d0d4da"
"""Colours of the frames."""


@dataclass(frozen=True)
class Found:
    """A photo that was found, and its similarity, at most 1."""

    photo: Picture
    similarity: float


@dataclass(frozen=True)
class Matches:
    """A sketch, and the photos nearest to it, nearest first."""

    sketch: Picture
    found: list[Found]

    def is_right(self, photo: Picture) -> bool:
        """Whether a photo has the class of the sketch."""
        return photo.label == self.sketch.label

    def is_own(self, photo: Picture) -> bool:
        """Whether the sketch was drawn from this photo."""
        return self.is_right(photo) and photo.photo_id == self.sketch.photo_id

    def __str__(self) -> str:
        lines = [f"{self.sketch.path.name} ({self.sketch.label})"]
        for rank, found in enumerate(self.found, 1):
            photo = found.photo
            mark = "the very photo" if self.is_own(photo) else "right class"
            mark = mark if self.is_right(photo) else ""
            line = f"{rank:4}  {found.similarity:.3f}  {photo.label:16} {photo.path.name:32} {mark}"
            lines.append(line.rstrip())
        return "\n".join(lines)


def match(
    checkpoint: Path,
    photos: Sequence[Path],
    sketches: Sequence[Path],
    split: Path | None,
    *,
    sketch: Path | None,
    count: int,
    seed: int,
    k: int,
) -> list[Matches]:
    """Finds photos for one sketch, or for some at random.

    Args:
        checkpoint: a checkpoint folder.
        photos, sketches, split: which pictures there are; see `train.evaluate.evaluate`.
        sketch: a picture file. Its name and folder name its photo and class, as in the Sketchy
            Database; for any other file, no photo is right. None draws random sketches.
        count: random sketches.
        seed: of the random sketches.
        k: photos for each sketch, at most.

    Raises:
        DataError: there are too few pictures, or none can be read.
        ImageError: `sketch` is no picture.
    """
    if k < 1 or count < 1:
        raise DataError("--k and --random must be 1 or more.")
    opened = Checkpoint.open(checkpoint)
    gallery, queries = choose_pictures(opened, photos, sketches, split)
    if sketch:
        open_image(sketch, limits=OWN)
        queries = [Picture(sketch, sketch.resolve().parent.name, sketched_photo(sketch) or "")]
    else:
        chosen = np.random.default_rng(seed).permutation(len(queries))[:count]
        queries = [queries[i] for i in chosen]
    encoder = opened.encoder()
    photo_rows, gallery = embed(encoder.embed_photos, gallery, "photos")
    sketch_rows, queries = embed(encoder.embed_sketches, queries, "sketches")
    if not gallery or not queries:
        raise DataError("None of the photos, or none of the sketches, can be read.")
    # Sketch by sketch: all differences at once would take gigabytes.
    apart = np.stack([np.linalg.norm(photo_rows - row, axis=1) for row in sketch_rows])
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :k]
    return [
        Matches(query, [Found(gallery[j], 1 - float(apart[i, j]) ** 2 / 2) for j in nearest[i]])
        for i, query in enumerate(queries)
    ]


@charts.styled
def draw(rows: Sequence[Matches], out: Path) -> Path:
    """Writes one picture: a row for each sketch, its photos on the right.

    Raises:
        DataError: `out` has another ending than .png or .svg.
    """
    if out.suffix not in ENDINGS:
        raise DataError(f"{out} must end in {' or '.join(ENDINGS)}.")
    columns = 1 + max(len(row.found) for row in rows)
    figure = Figure(figsize=(1.25 * columns, 1.5 * len(rows) + 0.6), layout="constrained")
    figure.suptitle(
        "Green: a photo of the right class. Thick: the photo that was drawn.",
        x=0.01,
        ha="left",
        fontsize=9,
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for row, line in zip(rows, grid, strict=True):
        _show(line[0], row.sketch)
        for found, axes in zip(row.found, line[1:], strict=False):
            _show(axes, found.photo)
            own = row.is_own(found.photo)
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(RIGHT if row.is_right(found.photo) else WRONG)
            axes.spines[:].set_linewidth(5 if own else 2)
    return charts.save(figure, out)


def _show(axes: Axes, picture: Picture) -> None:
    image = flatten(open_image(picture.path, limits=OWN))
    image.thumbnail((SIDE, SIDE))
    axes.imshow(np.asarray(image.convert("RGB")))
    axes.set_title(textwrap.shorten(picture.label, 18), fontsize=8, loc="center")
