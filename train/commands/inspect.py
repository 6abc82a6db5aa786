"""`inspect`: counts, draws and checks the pictures of a data folder."""

import argparse
from pathlib import Path

from train.commands.options import Commands, add_command, add_data


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "inspect",
        "count, draw and check the pictures of a data folder",
        "Reads every picture. Names broken ones, duplicates, and files in the wrong place.",
    )
    add_data(parser)
    parser.add_argument("--classes", default="animals", help="animals, mini, all, or names")
    parser.add_argument("--out", type=Path, required=True, help="folder for charts and samples")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.reports.inspection import inspect

    findings = inspect(arguments.sketchy, arguments.photos, arguments.classes, arguments.out)
    print("\n".join(findings.lines()))
    print(f"Charts and a sheet of samples are in {arguments.out}.")
