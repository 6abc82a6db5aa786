"""Opens the galleries to serve; indexes photos where they are new or have changed."""

import hashlib
import itertools
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.checkpoint.records import EngineName, Photo
from model.errors import GalleryError, SketchZooError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.open_photos.animals import known_animals
from model.gallery.open_photos.gallery import gallery_photos
from model.gallery.open_photos.store import open_photos
from model.gallery.photos import find_photos
from model.gallery.starter import missing_packages
from model.gallery.walk import LeftOut, named
from server.galleries import Galleries
from server.open_photos import OpenPhotosFetcher

ROOT = Path(__file__).parent.parent

OPEN_PHOTOS_PER_CLASS = 40
"""Open photos of each animal."""


def open_galleries(
    checkpoint: Path,
    photos: Path | None,
    indexes: Path,
    built: Sequence[Path] = (),
    engine: EngineName | None = None,
    *,
    with_open: bool = False,
) -> Galleries:
    """Opens galleries that are built already, and one of photos.

    Args:
        checkpoint: folder of the encoder for `photos`.
        photos: a folder of pictures; without it and without `built`, the starter gallery is served.
        indexes: where galleries of photos are kept between starts.
        built: folders of galleries.
        engine: what searches `photos`; None chooses by their number.
        with_open: whether the starter gallery holds the open photos that were fetched, too.

    Raises:
        CheckpointError: the checkpoint or a gallery is incomplete or damaged.
        GalleryError: `photos` is not a folder of pictures, `indexes` cannot be written, or one of
            `built` holds no photos.
    """
    folders: dict[str, Path] = {}
    for folder in built:
        folders[unused_name(folder_name(folder), folders)] = folder
    if photos or not built:
        name = folder_name(photos) if photos else "starter"
        name = f"{name} (photos)" if name in folders else name
        folders[unused_name(name, folders)] = prepare_photos(
            checkpoint, photos, indexes, engine, with_open=with_open
        )
    galleries = Galleries(folders, fallback=checkpoint if with_open else None)
    for name, folder in folders.items():
        if folder in built and not galleries.get_search(name).photos:
            raise GalleryError(
                f"{folder} holds no photos. Make a gallery with 'python -m train index'."
            )
    return galleries


def prepare_photos(
    checkpoint_folder: Path,
    photos: Path | None,
    galleries: Path,
    engine: EngineName | None,
    *,
    with_open: bool = False,
) -> Path:
    """Indexes photos if they are new or have changed; returns the gallery's folder.

    Without the starter gallery's photos the app still starts and says how to get some. The folder
    is that of the checkpoint then, or with open photos one where a gallery is built later.
    """
    checkpoint, left_out = Checkpoint.open(checkpoint_folder), list[LeftOut]()
    chosen: Sequence[Photo]
    if photos is not None:
        folder = own_folder(checkpoint_folder, galleries, photos)
        found = find_photos([photos], [galleries])
        left_out += found.left_out
        known = {photo.path: photo for photo in open_photos(photos)}
        chosen = [known.get(photo.path, photo) for photo in found.photos]
    else:
        folder = starter_folder(checkpoint_folder, galleries, with_open=with_open)
        try:
            chosen = find_starter_photos(galleries, with_open=with_open)
        except SketchZooError as error:
            print(f"note: {error}", file=sys.stderr)
            return folder if with_open else checkpoint_folder
    if not gallery_is_current(folder, checkpoint, chosen, engine):
        left_out += build_gallery(checkpoint, chosen, folder, engine, wait=True).left_out
    for line in named(left_out):
        print(line, file=sys.stderr)
    return folder


def find_starter_photos(galleries: Path, *, with_open: bool) -> Sequence[Photo]:
    """The starter gallery's photos; prints which packages of them are missing.

    Raises:
        SketchZooError: there are none.
    """
    fetched: Sequence[Photo] = []
    if with_open:
        try:
            fetched = open_photos(galleries / "open-photos")
        except SketchZooError as error:
            print(f"note: the open photos are left out: {error}", file=sys.stderr)
    photos = gallery_photos(fetched, galleries / "starter-photos")
    for package, count in missing_packages().items():
        print(
            f"note: {count} photos of the starter gallery are missing. Install them with "
            f"'apt-get install {package}' and start again.",
            file=sys.stderr,
        )
    return photos


def open_photos_fetcher(checkpoint: Path, galleries: Path, contact: str) -> OpenPhotosFetcher:
    """What fetches open photos into the starter gallery while the app serves it.

    Args:
        checkpoint: folder of the encoder.
        galleries: where galleries and photos are kept.
        contact: address that the services of open photos are told; may be empty.

    Raises:
        CheckpointError: the checkpoint is incomplete or damaged.
        GalleryError: the encoder knows none of the animals.
    """
    wanted = known_animals(Checkpoint.open(checkpoint).manifest)
    folder = galleries / "open-photos"
    gallery = starter_folder(checkpoint, galleries, with_open=True)
    arguments: list[str | Path] = [
        *("-m", "model.gallery.open_photos", "--folder", folder.resolve()),
        *("--starter", (galleries / "starter-photos").resolve()),
        *("--gallery", gallery.resolve(), "--checkpoint", checkpoint.resolve()),
        *("--per-class", str(OPEN_PHOTOS_PER_CLASS), "--contact", contact),
    ]
    names = [animal.name for animal in wanted]
    return OpenPhotosFetcher(arguments, folder, names, OPEN_PHOTOS_PER_CLASS)


def default_galleries() -> Path:
    """Where galleries are kept; on a Space in its persistent storage, if it has some."""
    storage = Path("/data")
    if "SPACE_ID" in os.environ and storage.is_dir() and os.access(storage, os.W_OK):
        return storage / "sketchzoo"
    return ROOT / "galleries"


def starter_folder(checkpoint: Path, galleries: Path, *, with_open: bool) -> Path:
    """Where the starter gallery is indexed; with open photos it has another folder."""
    return galleries / with_digest("open" if with_open else "starter", other_checkpoint(checkpoint))


def own_folder(checkpoint: Path, galleries: Path, photos: Path) -> Path:
    """Where a folder of photos is indexed."""
    return galleries / with_digest(folder_name(photos), [*other_checkpoint(checkpoint), photos])


def other_checkpoint(checkpoint: Path) -> list[Path]:
    """The checkpoint, if it is not the one that comes with SketchZoo.

    Each checkpoint gets its own gallery folder, since two apps with different checkpoints may run
    at once.
    """
    return [] if checkpoint.resolve() == SHIPPED.resolve() else [checkpoint]


def with_digest(name: str, folders: Sequence[Path]) -> str:
    """The name of a gallery's folder, with a digest of the folders that it depends on."""
    if not folders:
        return name
    joined = os.fsencode(os.pathsep.join(str(folder.resolve()) for folder in folders))
    return f"{name}-{hashlib.sha256(joined).hexdigest()[:8]}"


def folder_name(folder: Path) -> str:
    """A folder's name, with question marks for bytes that are not UTF-8."""
    return folder.resolve().name.encode("utf-8", "replace").decode()


def unused_name(name: str, used: Collection[str]) -> str:
    """The name, with a number behind it if it is used already."""
    numbered = (name if number == 1 else f"{name} {number}" for number in itertools.count(1))
    return next(each for each in numbered if each not in used)
