"""`match`: shows sketches with the photos that a checkpoint finds for them."""

import argparse
from pathlib import Path

from train.commands.options import Commands, add_command, add_pictures, pictures_of


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "match",
        "show sketches with the photos that a checkpoint finds for them",
        "Writes one picture, and prints the same as text. Photos of the right class have a green "
        "frame; the photo that the sketch was drawn from has a thick one.",
    )
    add_pictures(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sketch", type=Path, metavar="FILE", help="match this sketch")
    which.add_argument(
        "--random", type=int, default=10, metavar="N", help="match this many random sketches"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random sketches")
    parser.add_argument("--k", type=int, default=10, help="photos for each sketch, at most")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png or .svg")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.reports.match import draw, match

    found = match(
        arguments.checkpoint,
        *pictures_of(arguments),
        sketch=arguments.sketch,
        count=arguments.random,
        seed=arguments.seed,
        k=arguments.k,
    )
    drawn = draw(found, arguments.out)
    print("\n\n".join(map(str, found)))
    print(f"\n{drawn}")
