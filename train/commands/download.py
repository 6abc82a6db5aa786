"""`download`: fetches the Sketchy Database, or open photos."""

import argparse
from pathlib import Path

from train.commands import download_photos
from train.commands.options import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "download",
        "fetch the Sketchy Database, or open photos",
        "If a download breaks off, give the same command again to go on.",
    )
    data = parser.add_subparsers(required=True, metavar="DATA")
    _add_sketchy(data)
    download_photos.add(data)


def _add_sketchy(data: Commands) -> None:
    parser = add_command(
        data, "sketchy", "fetch the Sketchy Database", "It may be used for research only."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to put it into")
    parser.add_argument("--url", default=argparse.SUPPRESS, help="another place to fetch it from")
    parser.add_argument("--sha256", default=argparse.SUPPRESS, help="the digest it must have")
    parser.set_defaults(run_command=run_sketchy)


def run_sketchy(arguments: argparse.Namespace) -> None:
    """Runs `download sketchy`."""
    from train.data.download import download_sketchy

    given = {k: v for k, v in vars(arguments).items() if k in ("url", "sha256")}
    print(f"--sketchy {download_sketchy(arguments.out, **given)}")
