"""`compare`: puts runs side by side."""

import argparse
from pathlib import Path

from train.commands.options import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "compare",
        "put runs side by side",
        "Prints a table: metrics on held-out pictures, the time to embed one sketch, and the "
        "minutes and steps of training until the best evaluation. With --out, also draws charts: "
        "P@12 by loss, by backbone and by embedding size, time by backbone, and P@12 against time.",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument("--out", type=Path, help="folder for the charts; none are drawn without it")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.reports.compare import compare, table

    summaries, comparable = compare(arguments.runs, arguments.out)
    print(table(summaries))
    if not comparable:
        print("These runs hold out different pictures, so their precisions are not comparable.")
