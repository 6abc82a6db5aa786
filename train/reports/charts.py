"""Charts of data, runs and results, drawn with Matplotlib."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.files import replacing

SKETCH, PHOTO = "#d1495b", "#00798c"
QUIET = "#6b7280"
styled = matplotlib.rc_context(
    {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": QUIET,
        "axes.titlelocation": "left",
        "figure.dpi": 110,
    }
)
"""Draws in our style what a function draws; other figures of the process keep theirs."""


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


@styled
def save(figure: Figure, path: Path) -> Path:
    """Writes a figure in the format that the ending of `path` names; PNG if it has none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix.lstrip(".") or "png")
    return path


@styled
def to_png(figure: Figure) -> bytes:
    """The figure as a PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


@styled
def counts(numbers: Mapping[str, int], title: str, colour: str) -> Figure:
    """Horizontal bars, one a class, largest first."""
    ordered = sorted(numbers.items(), key=lambda item: (item[1], item[0]))
    figure, axes = new_figure(7, max(2.2, 0.2 * len(ordered) + 1))
    axes.barh([name for name, _ in ordered], [count for _, count in ordered], color=colour)
    for place, (_, count) in enumerate(ordered):
        axes.text(count, place, f" {count}", va="center", fontsize=8, color=QUIET)
    axes.set_title(title)
    axes.margins(y=0.01)
    return figure


@styled
def against(photos: Mapping[str, int], sketches: Mapping[str, int]) -> Figure:
    """How many photos and sketches each class has, as points."""
    figure, axes = new_figure(7, 5)
    for name in photos:
        axes.plot(photos[name], sketches.get(name, 0), "o", color=PHOTO, alpha=0.6)
        axes.annotate(name, (photos[name], sketches.get(name, 0)), fontsize=7, color=QUIET)
    axes.set_xlabel("photos")
    axes.set_ylabel("sketches")
    axes.set_title("Photos against sketches, one point a class")
    return figure


@styled
def sheet(rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]], title: str) -> Figure:
    """Rows of pictures, with names on the left."""
    columns = max(len(pictures) for _, pictures in rows)
    figure = Figure(figsize=(1 + columns, 0.4 + len(rows)), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, (name, pictures) in enumerate(rows):
        grid[row, 0].text(
            -0.1, 0.5, name, ha="right", va="center", fontsize=8, transform=grid[row, 0].transAxes
        )
        for column, picture in enumerate(pictures):
            grid[row, column].imshow(picture, cmap="gray", vmin=0, vmax=255)
    return figure


@styled
def grouped_bars(
    groups: Mapping[str, Mapping[str, float]], title: str, label: str, most: float | None = 1.0
) -> Figure:
    """Horizontal bars in groups.

    Args:
        groups: by name of a group and name of a bar, the bar's length.
        title: of the chart.
        label: of the axis.
        most: where the axis ends; None ends it at the longest bar.
    """
    rows = sum(len(bars) for bars in groups.values()) + len(groups)
    figure, axes = new_figure(7, 0.26 * rows + 0.9)
    place, places, names = 0.0, [], []
    for i, (group, bars) in enumerate(groups.items()):
        axes.text(0.0, place, group, fontweight="bold", va="center")
        for name, length in bars.items():
            place += 1
            axes.barh(place, length, 0.8, color=f"C{i % 10}")
            axes.text(length, place, f" {length:.2f}", va="center", fontsize=8, color=QUIET)
            places.append(place)
            names.append(name)
        place += 1.2
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, most)
    axes.set_xlabel(label)
    axes.set_title(title)
    return figure


@styled
def trade_off(points: Sequence[tuple[str, float, float]], label: str) -> Figure:
    """Runs as points: name, milliseconds a sketch, and precision."""
    figure, axes = new_figure(7, 4.2)
    for name, milliseconds, precision in points:
        axes.plot(milliseconds, precision, "o", color=PHOTO)
        axes.annotate(
            name, (milliseconds, precision), (4, 3), textcoords="offset points", fontsize=7
        )
    axes.set_xlim(left=0)
    axes.margins(x=0.25)
    axes.set_xlabel("milliseconds to embed one sketch")
    axes.set_ylabel(label)
    axes.set_ylim(0, 1)
    axes.set_title("Precision against time")
    return figure


@styled
def scatter(
    sketches: NDArray[np.float32],
    photos: NDArray[np.float32],
    sketch_labels: NDArray[np.str_],
    photo_labels: NDArray[np.str_],
    title: str,
) -> Figure:
    """`(n, 2)` points: sketches as crosses, photos as circles, one colour a class."""
    figure, axes = new_figure(7, 6)
    colours = matplotlib.colormaps[
        "tab10" if len(set(photo_labels.tolist())) <= 10 else "gist_ncar"
    ]
    labels = sorted({*photo_labels.tolist(), *sketch_labels.tolist()})
    for i, label in enumerate(labels):
        colour = colours(i if len(labels) <= 10 else i / len(labels))
        drawn = sketches[sketch_labels == label]
        seen = photos[photo_labels == label]
        axes.plot(*drawn.T, "x", color=colour, alpha=0.35, markersize=4)
        axes.plot(*seen.T, "o", color=colour, markeredgecolor="white", label=label)
    axes.set_aspect("equal", "datalim")
    axes.set_title(title)
    axes.legend(
        frameon=False,
        fontsize=7,
        ncols=1 + len(labels) // 20,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    return figure


@styled
def confusion(shares: NDArray[np.float64], classes: Sequence[str]) -> Figure:
    """A confusion matrix: for sketches of a class (row), the share of found classes (columns)."""
    side = max(4.0, 0.16 * len(classes) + 1.5)
    figure, axes = new_figure(side + 1, side)
    image = axes.imshow(shares, cmap="magma_r", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=7)
    axes.set_yticks(range(len(classes)), classes, fontsize=7)
    axes.set_xlabel("photos among the first 12")
    axes.set_ylabel("sketches of")
    figure.colorbar(image, ax=axes, shrink=0.6)
    return figure


@styled
def precision_curve(precision: Mapping[int, float]) -> Figure:
    """Precision at k over k."""
    figure, axes = new_figure(5, 3)
    axes.plot(list(precision), list(precision.values()), "o-", color=PHOTO)
    axes.set_xlabel("k")
    axes.set_ylabel("precision at k")
    axes.set_ylim(0, 1)
    return figure
