"""What several commands share: how a parser is made, and options that name pictures."""

import argparse
from pathlib import Path
from typing import Any

from model.checkpoint.checkpoint import SHIPPED

Commands = Any  # argparse does not export the type of what add_subparsers returns


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Names the default of an option unless it is None."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def add_command(
    commands: Commands, name: str, line: str, more: str = ""
) -> argparse.ArgumentParser:
    """Adds a command.

    Args:
        commands: what `add_subparsers` has returned.
        name: what is typed.
        line: what it does, for the list of all commands; without a full stop.
        more: further sentences for its own `--help`.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=line,
        description=f"{line[0].upper()}{line[1:]}. {more}",
        formatter_class=_Defaults,
    )
    return parser


def add_folders(
    parser: argparse.ArgumentParser, option: str, text: str, *, metavar: str | None = "DIR"
) -> None:
    """An option that takes any number of folders."""
    parser.add_argument(option, type=Path, nargs="*", default=[], metavar=metavar, help=text)


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--sketchy` and `--photos`: what a command trains on or reads."""
    parser.add_argument("--sketchy", type=Path, required=True, help="the unpacked Sketchy Database")
    add_folders(parser, "--photos", "more photos, one folder a class")


def add_cache(parser: argparse.ArgumentParser) -> None:
    """`--cache`: where decoded pictures are kept."""
    parser.add_argument(
        "--cache", type=Path, default=Path("cache"), help="folder for decoded pictures"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`: where the network runs."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Options for a checkpoint and the pictures to measure it with; see `pictures_of`."""
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="checkpoint folder")
    parser.add_argument("--sketchy", type=Path, help="the unpacked Sketchy Database")
    add_folders(parser, "--photos", "photos, one folder a class", metavar=None)
    add_folders(
        parser, "--sketches", "sketches <photo id>-<k>.png, one folder a class", metavar=None
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--split", type=Path, help="use only what this split.json holds out")
    chosen.add_argument("--all-pictures", action="store_true", help="use every picture")


def pictures_of(arguments: argparse.Namespace) -> tuple[list[Path], list[Path], Path | None]:
    """Folders of photos, folders of sketches, and the split that says which of them to use.

    Raises:
        DataError: no pictures are named.
    """
    from train.data.pictures import sketchy_folders
    from train.errors import DataError
    from train.runs import SPLIT

    photos, sketches = list(arguments.photos), list(arguments.sketches)
    if arguments.sketchy:
        own_photos, own_sketches = sketchy_folders(arguments.sketchy)
        photos, sketches = [own_photos, *photos], [own_sketches, *sketches]
    if not photos or not sketches:
        raise DataError("Name the pictures with --sketchy, or with --photos and --sketches.")
    split = arguments.split
    own_split = arguments.checkpoint / SPLIT
    if split is None and own_split.is_file() and not arguments.all_pictures:
        split = own_split
    return photos, sketches, split


def protocol_of(split: Path | None) -> str:
    """Which pictures were used to measure with, in a sentence."""
    if split:
        return (
            f"Only pictures whose photo id {split} holds out were used: no sketch of a training "
            "photo, and no copy of one, by its bytes or its name."
        )
    return (
        "All pictures were used. If some of them were trained on, the figures are too good: name "
        "the split.json of the checkpoint with --split to leave those out."
    )
