"""`download photos`: fetches openly licensed photos of the animals."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.errors import GalleryError
from model.gallery.open_photos.animals import Animal, animals, known_animals
from model.gallery.open_photos.download import Download, Report, fetcher_for
from model.gallery.open_photos.dry_run import dry_run
from model.gallery.open_photos.judge import Judge
from model.gallery.open_photos.services import services
from model.gallery.open_photos.store import DATABASE, Store
from train.commands.options import Commands, add_command

PER_CLASS = 40
"""Photos of each animal."""


def add(data: Commands) -> None:
    """Adds the command to those of `download`."""
    parser = add_command(
        data,
        "photos",
        "fetch openly licensed photos of the 55 animals",
        "Wild animals come from iNaturalist, domestic ones from Openverse, and all of them from "
        "Wikimedia Commons if you give a --contact. Only CC0, public domain, CC BY and CC BY-SA "
        "are taken. An encoder keeps photos that clearly show the animal, in many poses. 40 photos "
        "of each animal take about an hour, since the services allow about one request a second. "
        "The command has not been run against the real services yet: start with --dry-run.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to put them into")
    parser.add_argument(
        "--per-class", type=int, default=PER_CLASS, metavar="N", help="photos of each animal"
    )
    parser.add_argument(
        "--classes",
        default="animals",
        help="animals for all that the encoder knows, or names with commas between them",
    )
    parser.add_argument(
        "--contact",
        default="",
        metavar="ADDRESS",
        help="your web or mail address, which is sent to the services. Without it, Wikimedia "
        "Commons is left out, since it requires one",
    )
    parser.add_argument(
        "--checkpoint", type=Path, default=SHIPPED, help="the encoder that chooses photos"
    )
    parser.add_argument(
        "--remove", action="append", metavar="ID", help="remove the photo with this id for good"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="try one request to each service for the first class, and up to three photos of its "
        "answer; show what came back, and keep nothing",
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs it; returns the exit code.

    Raises:
        GalleryError: an option has an impossible value, or the folder cannot be used.
    """
    out, per_class = arguments.out, arguments.per_class
    if arguments.remove:
        return remove(out, arguments.remove)
    if per_class < 1:
        raise GalleryError(f"--per-class {per_class} must be 1 or more.")
    checkpoint = Checkpoint.open(arguments.checkpoint)
    chosen = choose_animals(arguments.classes, known_animals(checkpoint.manifest))
    asked = services(arguments.contact)
    fetcher = fetcher_for(asked, arguments.contact)
    if arguments.dry_run:
        for line in dry_run(asked, chosen[0], fetcher):
            print(line, flush=True)
        return 0
    if not arguments.contact:
        print("Wikimedia Commons is left out: it requires a contact (--contact).")
    report = Download(out, chosen, per_class, asked, fetcher, Judge(checkpoint)).run()
    return print_report(report, out, per_class)


def choose_animals(classes: str, known_to_encoder: Sequence[Animal]) -> list[Animal]:
    """The animals of `--classes`, among these.

    Raises:
        GalleryError: one of them is not among these.
    """
    known = {animal.name: animal for animal in known_to_encoder}
    names = list(known) if classes == "animals" else classes.replace(" ", "_").split(",")
    for there, said in ((animals(), "There are no open photos of"), (known, "The encoder lacks")):
        if missing := [name for name in names if name not in there]:
            raise GalleryError(f"{said} {', '.join(missing)}. Choose among: {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names)]


def remove(folder: Path, ids: list[str]) -> int:
    """Removes photos for good. The next download fetches others in their place.

    Raises:
        GalleryError: the folder holds no such photo.
    """
    if not (folder / DATABASE).is_file():
        raise GalleryError(f"{folder} holds no photos that were downloaded.")
    store = Store(folder)
    try:
        for each in ids:
            store.remove(each)
            print(f"removed {each}, which will not be fetched again")
        store.write_credits()
    finally:
        store.close()
    print("Give the command without --remove to fetch others in their place.")
    return 0


def print_report(report: Report, folder: Path, per_class: int) -> int:
    """Prints what a download has fetched; returns the exit code."""
    print(f"{sum(report.kept.values())} photos of {len(report.kept)} animals are in {folder}")
    few = {name: count for name, count in report.kept.items() if count < per_class}
    if few:
        counts = ", ".join(f"{name} {count}" for name, count in few.items())
        print(f"fewer than {per_class}: {counts}")
    for reason, count in report.left_out.most_common():
        print(f"left out: {count} {reason}")
    print(
        f"Credits are in {folder / 'CREDITS.md'}. Search them with: python app.py --photos {folder}"
    )
    for trouble in report.trouble.values():
        print(trouble)
    if report.trouble:
        print("Give the same command again later to go on.")
    return 1 if report.trouble else 0
