"""`download photos`: the command that fetches open photos of the animals."""

import argparse
from pathlib import Path

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.errors import GalleryError
from model.gallery.open_photos.animals import Animal, animals
from model.gallery.open_photos.download import Download, Report, fetcher_for
from model.gallery.open_photos.dry_run import dry_run
from model.gallery.open_photos.judge import Judge
from model.gallery.open_photos.services import services
from model.gallery.open_photos.store import DATABASE, Store

PER_CLASS = 40


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `download photos`."""
    parser.add_argument(
        "--per-class", type=int, default=PER_CLASS, metavar="N", help="photos of each animal"
    )
    parser.add_argument(
        "--classes", default="animals", help="animals for all 55, or names with commas between them"
    )
    parser.add_argument(
        "--contact",
        default="",
        metavar="ADDRESS",
        help="a web or mail address of yours, which services are told. Wikimedia Commons demands "
        "one and is asked only with it",
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
        help="ask for three photos of the first class, show what each service says, keep nothing",
    )


def run(given: argparse.Namespace) -> int:
    """Does what the command line asks for; returns the exit code.

    Raises:
        GalleryError: an option cannot be meant, or the folder cannot be used.
    """
    if given.remove:
        return remove(given.out, given.remove, given.per_class)
    if given.per_class < 1:
        raise GalleryError(
            f"--per-class {given.per_class} is no number of photos: it is 1 or more."
        )
    chosen = named(given.classes)
    asked = services(given.contact)
    fetcher = fetcher_for(asked, given.contact)
    if given.dry_run:
        for line in dry_run(asked, chosen[0], fetcher):
            print(line, flush=True)
        return 0
    if not given.contact:
        print("Wikimedia Commons is not asked: it demands a contact (--contact).")
    judge = Judge(Checkpoint.open(given.checkpoint))
    report = Download(given.out, chosen, given.per_class, asked, fetcher, judge).run()
    return told(report, given.out, given.per_class)


def named(classes: str) -> list[Animal]:
    """The animals of `--classes`.

    Raises:
        GalleryError: one of them is not known.
    """
    known = animals()
    names = list(known) if classes == "animals" else classes.replace(" ", "_").split(",")
    missing = [name for name in names if name not in known]
    if missing:
        raise GalleryError(
            f"No service is asked for {', '.join(missing)}. There are: {', '.join(known)}."
        )
    return [known[name] for name in dict.fromkeys(names)]


def remove(folder: Path, ids: list[str], per_class: int) -> int:
    """Removes photos for good; another one takes the place of each, where there is one.

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


def told(report: Report, folder: Path, per_class: int) -> int:
    """Says what a download brought; returns the exit code."""
    print(f"{sum(report.kept.values())} photos of {len(report.kept)} animals are in {folder}")
    few = {name: count for name, count in report.kept.items() if count < per_class}
    if few:
        named = ", ".join(f"{name} {count}" for name, count in few.items())
        print(f"fewer than {per_class}: {named}")
    for reason, count in report.left_out.most_common():
        print(f"left out: {count} {reason}")
    print(
        f"Credits are in {folder / 'CREDITS.md'}. Search them with: python app.py --photos {folder}"
    )
    for trouble in report.trouble.values():
        print(f"{trouble}")
    if report.trouble:
        print("Give the same command again later to go on.")
    return 1 if report.trouble else 0
