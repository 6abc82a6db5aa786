"""Runs side by side: precision by loss, backbone and embedding size, and against time."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from model.encoder.encoder import Encoder
from train.config import FitConfig
from train.data.pictures import Split
from train.errors import DataError
from train.networks.encoder import encoder_of
from train.reports import charts
from train.runs import SPLIT, Run, load_run

TIMED = 30
"""Times that each encoder embeds one sketch, after the warm-up; the median counts."""

WARM_UP = 3
"""Times that each encoder embeds one sketch before the timed ones."""


@dataclass(frozen=True)
class RunSummary:
    """A run: settings, metrics on its validation set, and time to embed one sketch."""

    run: str
    backbone: str
    loss: str
    embedding_size: int
    input_size: int
    precision_at_12: float
    precision_at_1: float
    map: float
    recall_at_1: float | None
    recall_at_1_in_class: float | None
    milliseconds: float
    minutes: float
    steps: int


def compare(runs: Sequence[Path], out: Path | None) -> tuple[list[RunSummary], bool]:
    """Summarises runs, and draws charts into `out`.

    Encoders take turns in one process, so that their times are comparable.

    Returns:
        The rows, and whether all runs hold out the same pictures of the same classes.

    Raises:
        DataError: a folder is no run, or has not been evaluated yet.
    """
    loaded = [load_run(run) for run in runs]
    metrics = [_metrics(run) for run in loaded]
    encoders = [
        encoder_of(run.network.for_inference(torch.device("cpu")), run.config.input_size)
        for run in loaded
    ]
    rows = [_summary(*each) for each in zip(loaded, metrics, _time(encoders), strict=True)]
    if out:
        _draw(rows, out)
    validation_sets = {
        (tuple(run.classes), Split.load(run.folder / SPLIT), of["photos"], of["sketches"])
        for run, of in zip(loaded, metrics, strict=True)
    }
    return rows, len(validation_sets) == 1


def _metrics(run: Run) -> dict[str, Any]:
    if run.metrics is None:
        why = "was blended, and never evaluated" if run.blended else "was never evaluated"
        raise DataError(f"{run.folder} {why}. Export it, and use 'evaluate'.")
    return run.metrics


def _summary(run: Run, metrics: dict[str, Any], milliseconds: float) -> RunSummary:
    return RunSummary(
        run=run.folder.name,
        backbone=run.config.backbone,
        loss=_loss_name(run.config),
        embedding_size=run.config.embedding_size,
        input_size=run.config.input_size,
        precision_at_12=metrics["precision_at_12"],
        precision_at_1=metrics["precision_at_1"],
        map=metrics["map"],
        recall_at_1=metrics.get("recall_at_1"),
        recall_at_1_in_class=metrics.get("recall_at_1_in_class"),
        milliseconds=milliseconds,
        minutes=metrics["minutes"],
        steps=run.step,
    )


def table(rows: Sequence[RunSummary]) -> str:
    """The rows as lines of Markdown, which a terminal shows well too."""
    head = ["run", "backbone", "loss", "embedding", "pixels"]
    head += ["P@12", "P@1", "mAP", "R@1", "in class", "ms/sketch", "minutes", "steps"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        values = [_cell(value) for value in asdict(row).values()]
        values[-3], values[-2] = f"{row.milliseconds:.1f}", f"{row.minutes:.1f}"
        lines.append(values)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _loss_name(config: FitConfig) -> str:
    if config.loss == "triplet":
        return f"triplet, {config.mining}"
    return config.loss


def _time(encoders: Sequence[Encoder]) -> list[float]:
    """Median milliseconds to embed one framed sketch, with each encoder."""
    frames = [np.full((e.input_size, e.input_size), 255, np.uint8) for e in encoders]
    spent: list[list[float]] = [[] for _ in encoders]
    for turn in tqdm(range(WARM_UP + TIMED), "timing", unit="turn"):
        for encoder, frame, times in zip(encoders, frames, spent, strict=True):
            began = time.perf_counter()
            encoder.embed_frame(frame)
            if turn >= WARM_UP:
                times.append(1000 * (time.perf_counter() - began))
    return [float(np.median(times)) for times in spent]


def _draw(rows: Sequence[RunSummary], out: Path) -> None:
    """A bar chart by each of three settings, and precision against time."""
    label = "P@12 on unseen photos and sketches"
    for name, title in (
        ("loss", "Precision by loss"),
        ("backbone", "Precision by backbone"),
        ("embedding_size", "Precision by embedding size"),
    ):
        others = [n for n in ("loss", "backbone", "embedding_size") if n != name]
        groups: dict[str, dict[str, float]] = {}
        for row in rows:
            group = groups.setdefault(str(getattr(row, name)), {})
            series = ", ".join(str(getattr(row, other)) for other in others)
            group[f"{series}, {row.run}" if series in group else series] = row.precision_at_12
        charts.save(charts.grouped_bars(groups, title, label), out / f"precision_by_{name}.png")
    times: dict[str, dict[str, float]] = {}
    for row in rows:
        times.setdefault(row.backbone, {})[row.run] = row.milliseconds
    figure = charts.grouped_bars(times, "Time by backbone", "milliseconds to embed a sketch", None)
    charts.save(figure, out / "milliseconds_by_backbone.png")
    points = [(row.run, row.milliseconds, row.precision_at_12) for row in rows]
    charts.save(charts.trade_off(points, label), out / "precision_against_time.png")
