"""An evaluation as a table for the terminal and as one HTML file with its pictures inside."""

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from matplotlib.figure import Figure

from model.files import replacing
from model.pictures.colours import flatten
from model.pictures.decoding import OWN, open_image
from train.data.pictures import Picture
from train.evaluate import Evaluation
from train.reports import charts

SHOWN = 8
"""Photos shown beside each of the hardest sketches."""

SIDE = 96
"""Largest side of a picture in the report, in pixels."""

CONFUSED = 15
"""Rows of the table of the most frequent confusions."""


def table(evaluation: Evaluation) -> str:
    """The figures of each class, worst first, as lines of text."""
    lines = [f"{'class':16} {'P@12':>6} {'P@1':>6} {'mAP':>6} {'photos':>7} {'sketches':>9}"]
    for label, of in _worst_first(evaluation):
        lines.append(
            f"{label:16} {of['precision_at_12']:6.3f} {of['precision_at_1']:6.3f} "
            f"{of['map']:6.3f} {of['photos']:7.0f} {of['sketches']:9.0f}"
        )
    return "\n".join(lines)


def write_report(
    evaluation: Evaluation, figures: dict[str, Any], path: Path, protocol: str
) -> None:
    """Writes the report as one file that includes all pictures.

    Args:
        evaluation: of a checkpoint.
        figures: what `evaluation.figures()` has returned.
        path: of the file.
        protocol: a sentence on which pictures were used.
    """
    ranking, shares = evaluation.ranking, evaluation.confusion()
    precision = {k: float(ranking.precision_at(k).mean()) for k in ranking.depths}
    template = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
    ).get_template("report.html")
    page = template.render(
        name=evaluation.checkpoint,
        metrics=evaluation.metrics,
        protocol=protocol,
        recall=figures["recall_at"],
        recall_in_class=figures["recall_at_in_class"],
        curve=_chart(charts.precision_curve(precision)),
        per_class=_worst_first(evaluation),
        confused=_confused(evaluation),
        confusion=_chart(charts.confusion(shares, evaluation.classes)),
        hardest=[
            (
                _shown(evaluation.sketches[i]),
                [_shown(evaluation.photos[j]) for j in ranking.first[i][:SHOWN]],
            )
            for i in evaluation.hardest()
        ],
    )
    with replacing(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _worst_first(evaluation: Evaluation) -> list[tuple[str, dict[str, float]]]:
    return sorted(evaluation.per_class().items(), key=lambda item: item[1]["precision_at_12"])


def _confused(evaluation: Evaluation) -> list[tuple[str, str, float]]:
    shares = evaluation.confusion()
    np.fill_diagonal(shares, 0)
    largest = np.dstack(np.unravel_index(np.argsort(-shares, axis=None), shares.shape))[0]
    names = evaluation.classes
    return [
        (names[i], names[j], float(shares[i, j])) for i, j in largest[:CONFUSED] if shares[i, j] > 0
    ]


def _shown(picture: Picture) -> dict[str, str]:
    return {"label": picture.label, "image": _thumbnail(picture.path)}


@cache
def _thumbnail(path: Path) -> str:
    image = flatten(open_image(path, limits=OWN))
    image.thumbnail((SIDE, SIDE), reducing_gap=3.0)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=80)
    return _inline(data.getvalue(), "webp")


def _chart(figure: Figure) -> str:
    return _inline(charts.to_png(figure), "png")


def _inline(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
