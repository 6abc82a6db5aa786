"""`evaluate`: measures how well a checkpoint finds photos of the right class."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.commands.options import Commands, add_command, add_pictures, pictures_of, protocol_of

if TYPE_CHECKING:
    from train.evaluate import Evaluation


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "evaluate",
        "measure P@12, P@1, mAP and more of a checkpoint",
        "Ranks all photos for every sketch and prints means over the sketches.",
    )
    parser.epilog = (
        "A run's split.json lists the photo ids that were held out: neither these photos nor "
        "sketches of them were trained on. With --split, only these pictures are used. If the "
        "checkpoint's folder has a split.json, it is used unless you give --all-pictures."
    )
    add_pictures(parser)
    parser.add_argument(
        "--shared", action="store_true", help="embed photos with the network for sketches too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with pictures")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from model.files import write_json
    from train.errors import DataError
    from train.evaluate import evaluate
    from train.reports.report import table, write_report

    for path in (arguments.json, arguments.html):
        if path and not path.resolve().parent.is_dir():
            raise DataError(f"{path.parent} is not a folder, so nothing can be written there.")
    photos, sketches, split = pictures_of(arguments)
    evaluation = evaluate(arguments.checkpoint, photos, sketches, split, shared=arguments.shared)
    figures = evaluation.figures()
    protocol = protocol_of(split)
    print(table(evaluation), end="\n\n")
    print("\n".join([*_lines(evaluation, figures), protocol]))
    if arguments.json:
        write_json(arguments.json, figures)
    if arguments.html:
        write_report(evaluation, figures, arguments.html, protocol)


def _lines(evaluation: "Evaluation", figures: dict[str, Any]) -> list[str]:
    """The means over all sketches, one a line."""
    lines = []
    for name, value in asdict(evaluation.metrics).items():
        if name.startswith("recall"):
            continue
        lines.append(f"{name:16} {value:.4f}" if isinstance(value, float) else f"{name:16} {value}")
    for name, where in (("recall_at", ""), ("recall_at_in_class", " among photos of its class")):
        for k, share in figures[name].items():
            if share is not None:
                lines.append(f"recall_at_{k:6} {share:.4f}{where}")
    if figures["perfect_precision_at_12"] < 1:
        lines.append(
            f"A perfect ranking reaches {figures['perfect_precision_at_12']:.4f} at 12 here. If "
            "the photos of each class counted as 12, this ranking would reach "
            f"{figures['balanced_precision_at_12']:.4f} of 1."
        )
    return lines
