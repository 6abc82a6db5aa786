"""`plot`: draws the embeddings of a run."""

import argparse
from pathlib import Path

from train.commands.options import Commands, add_cache, add_command, add_data


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "plot",
        "draw the embeddings of a run in two dimensions",
        "An embedding of two numbers is drawn as it is, a larger one as its two principal "
        "components.",
    )
    parser.add_argument("what", choices=["embedding"], help="what to draw")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    add_data(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a .png, .svg or .pdf"
    )
    add_cache(parser)
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.reports.plot import plot_embedding

    given = arguments.sketchy, arguments.photos, arguments.out, arguments.cache
    print(plot_embedding(arguments.run, *given))
