"""SketchZoo in the browser: draw an animal and see the nearest photos while you draw.

python app.py                 serve the starter gallery on http://127.0.0.1:7860
python app.py --photos DIR    serve your own photos instead
python app.py --gallery DIR   serve a gallery that 'python -m train index' has made, or several
python app.py --open-photos   fetch openly licensed photos meanwhile; the gallery grows
python app.py --mcp           let assistants search too, over the Model Context Protocol
"""

import argparse
import gc
import hashlib
import ipaddress
import itertools
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import uvicorn

from model import Checkpoint, GalleryError, SketchZooError
from model.checkpoint.checkpoint import SHIPPED
from model.checkpoint.records import EngineName
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.open_photos.animals import animals
from model.gallery.open_photos.gallery import gallery_photos
from model.gallery.open_photos.store import open_photos
from model.gallery.photos import find_photos
from model.gallery.starter import missing_packages, starter_photos
from model.gallery.walk import LeftOut, named
from server.galleries import Galleries
from server.growing import Growing
from server.limits import RATE, default_proxies, read_proxies
from server.requests import start_log
from server.running import Server, leave
from server.site import build_app

ROOT = Path(__file__).parent
PER_CLASS = 40
"""Open photos of each animal."""


def main(argv: list[str] | None = None) -> int:
    """Parses the command line, opens the gallery and serves; returns the exit code."""
    arguments = parse_arguments(argv)
    start_log(arguments.log_format)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        check_port(arguments.host, arguments.port)
        proxies = read_proxies(arguments.proxy)
        galleries = open_galleries(
            arguments.checkpoint,
            arguments.photos,
            arguments.galleries,
            arguments.gallery,
            arguments.engine,
            with_open=arguments.open_photos,
        )
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    growing = None
    if arguments.open_photos and not arguments.photos and not arguments.gallery:
        growing = open_photos_for(arguments)
        growing.start()
    served = build_app(
        galleries,
        mcp=arguments.mcp,
        rate=arguments.rate,
        proxies=proxies,
        names=own_names(arguments.host) if not proxies else None,
        more=way_to_more(arguments),
        coming=growing.told if growing else lambda: None,
    )
    config = uvicorn.Config(
        served,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    gc.collect()
    gc.freeze()  # What lives as long as the server need not be looked through for garbage again.
    try:
        with suppress(KeyboardInterrupt):
            Server(config, served).run()
    finally:
        if growing:
            growing.stop()
    return 0


def way_to_more(arguments: argparse.Namespace) -> str:
    """How somebody who draws gets more photos: only whoever may have started the app can."""
    is_own = arguments.host in ("127.0.0.1", "::1", "localhost") and "SPACE_ID" not in os.environ
    is_starter = not (arguments.photos or arguments.gallery or arguments.open_photos)
    return "make run PHOTOS=open" if is_own and is_starter else ""


def open_photos_for(arguments: argparse.Namespace) -> Growing:
    """What fetches open photos into the gallery that is served."""
    folder = arguments.galleries / "open-photos"
    command = [
        *("-m", "model.gallery.open_photos", "--folder", folder.resolve()),
        *("--starter", (arguments.galleries / "starter-photos").resolve()),
        *("--gallery", starter_folder(arguments.checkpoint, arguments.galleries, True).resolve()),
        *("--checkpoint", arguments.checkpoint.resolve(), "--per-class", str(PER_CLASS)),
        *("--contact", arguments.contact),
    ]
    return Growing(command, folder, PER_CLASS * len(animals()))


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line, with the environment variables that Gradio and Spaces use as defaults."""
    parser = argparse.ArgumentParser(
        description="Draw an animal in the browser and see the nearest photos while you draw.",
        epilog="example: python app.py --photos ~/Pictures --port 8000",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="search your own photos: every picture below DIR, labelled by its folder's name",
    )
    parser.add_argument(
        "--gallery",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="search galleries made by 'python -m train index', each with the encoder it was made "
        "with; the board lets one choose. One that is built anew meanwhile is taken over",
    )
    parser.add_argument(
        "--open-photos",
        action="store_true",
        default=os.environ.get("SKETCHZOO_OPEN_PHOTOS", "").lower() in ("1", "true", "yes"),
        help="fetch openly licensed photos of 55 animals while the app runs, about an hour long, "
        "and add them to the starter gallery (default: $SKETCHZOO_OPEN_PHOTOS)",
    )
    parser.add_argument(
        "--contact",
        default=os.environ.get("SKETCHZOO_CONTACT", ""),
        metavar="ADDRESS",
        help="a web or mail address of yours, which the services of open photos are told; "
        "Wikimedia Commons is asked only with one (default: $SKETCHZOO_CONTACT)",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=SHIPPED,
        metavar="DIR",
        help="the trained encoder to use for photos (default: the one that comes with SketchZoo)",
    )
    parser.add_argument(
        "--galleries",
        type=Path,
        default=default_galleries(),
        metavar="DIR",
        help="where indexes of photos, and open photos, are kept between starts (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=get_args(EngineName),
        help="what searches photos (default: exact up to 20000, annoy above)",
    )
    environment = os.environ.get
    parser.add_argument(
        "--host",
        default=environment("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=environment("GRADIO_SERVER_PORT") or environment("PORT") or "7860",
        help="port to listen on (default: %(default)s)",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        default=environment("GRADIO_MCP_SERVER", "").lower() == "true",
        help="offer the search to assistants, over the Model Context Protocol",
    )
    parser.add_argument(
        "--log-format",
        choices=["text", "json"],
        default="text",
        help="text tells of problems alone; json writes a line about every request, too",
    )
    parser.add_argument(
        "--rate",
        type=searches_a_second,
        default=RATE,
        metavar="N",
        help="searches a second that one client may make; 0 for any number (default: %(default)s)",
    )
    parser.add_argument(
        "--proxy",
        default=default_proxies(),
        metavar="NETWORKS",
        help="addresses or networks of proxies, with commas between them, that tell in "
        "X-Forwarded-For whom they ask for; * for one at any address (default: "
        "$FORWARDED_ALLOW_IPS)",
    )
    return parser.parse_args(argv)


def own_names(host: str) -> list[str] | None:
    """The names that the app has where it listens on its own machine alone, else None."""
    try:
        is_alone = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_alone = host == "localhost"
    named = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).hostname
    return ([named] if named else []) if is_alone else None


def default_galleries() -> Path:
    """Where galleries are kept; on a Space that has storage there, so that they outlive it."""
    storage = Path("/data")
    if "SPACE_ID" in os.environ and storage.is_dir() and os.access(storage, os.W_OK):
        return storage / "sketchzoo"
    return ROOT / "galleries"


def searches_a_second(text: str) -> float:
    """The value of `--rate`."""
    rate = float(text)
    if not 0 <= rate < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no rate: it is 0 or more")
    return rate


def check_port(host: str, port: int) -> None:
    """Raises SketchZooError when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError as error:
            raise SketchZooError(f"{port} is no port; they go from 1 to 65535.") from error
        except socket.gaierror as error:
            raise SketchZooError(f"{host} is no address of this machine.") from error
        except OSError as error:
            raise SketchZooError(
                f"Port {port} on {host} cannot be used: {error.strerror}. Stop the program that "
                "uses it or choose another with --port (PORT= with make run)."
            ) from error


def open_galleries(
    checkpoint: Path,
    photos: Path | None,
    indexes: Path,
    built: Sequence[Path] = (),
    engine: EngineName | None = None,
    *,
    with_open: bool = False,
) -> Galleries:
    """Opens the galleries to serve: those that are built, and that of `photos`.

    Args:
        checkpoint: folder of the encoder for `photos`.
        photos: a folder of pictures; without it and without `built`, the starter gallery is served.
        indexes: where galleries of photos are kept between starts.
        built: folders of galleries.
        engine: what searches `photos`; by their number if None.
        with_open: whether the starter gallery holds open photos that were fetched, too.

    Raises:
        CheckpointError: the checkpoint or a gallery is incomplete or damaged.
        GalleryError: `photos` is not a folder of pictures, `indexes` cannot be written, or one of
            `built` holds no photos.
    """
    folders: dict[str, Path] = {}
    for folder in built:
        folders[unused_name(name_of(folder), folders)] = folder
    if photos or not built:
        name = name_of(photos) if photos else "starter"
        name = f"{name} (photos)" if name in folders else name
        folders[unused_name(name, folders)] = prepare_photos(
            checkpoint, photos, indexes, engine, with_open=with_open
        )
    galleries = Galleries(folders)
    for name, folder in folders.items():
        if folder in built and not galleries.search(name).photos:
            raise GalleryError(
                f"{folder} holds no photos. Make a gallery with 'python -m train index'."
            )
    return galleries


def name_of(folder: Path) -> str:
    """A folder's name; bytes in it that are no UTF-8 become question marks."""
    return folder.resolve().name.encode("utf-8", "replace").decode()


def unused_name(name: str, used: Collection[str]) -> str:
    """The name, with a number behind it if it is used already."""
    numbered = (name if number == 1 else f"{name} {number}" for number in itertools.count(1))
    return next(each for each in numbered if each not in used)


def prepare_photos(
    checkpoint_folder: Path,
    photos: Path | None,
    galleries: Path,
    engine: EngineName | None,
    *,
    with_open: bool = False,
) -> Path:
    """Indexes photos where they are new or have changed; returns the gallery's folder.

    Without the starter gallery's photos the app still starts, and says how to get some: the folder
    is that of the checkpoint then, or one where open photos are indexed once they come.
    """
    checkpoint, left_out = Checkpoint.open(checkpoint_folder), list[LeftOut]()
    if photos is not None:
        found = find_photos([photos], [galleries])
        left_out += found.left_out
        known = {photo.path: photo for photo in open_photos(photos)}
        chosen = [known.get(photo.path, photo) for photo in found.photos]
        folder = galleries / folder_name(name_of(photos), [*places(checkpoint_folder), photos])
    else:
        folder = starter_folder(checkpoint_folder, galleries, with_open)
        unpacked = galleries / "starter-photos"
        try:
            fetched = galleries / "open-photos"
            chosen = gallery_photos(fetched, unpacked) if with_open else starter_photos(unpacked)
        except SketchZooError as error:
            print(f"note: {error}", file=sys.stderr)
            return checkpoint_folder
        for package, count in missing_packages().items():
            print(
                f"note: {count} photos of the starter gallery are missing. Install them with "
                f"'apt-get install {package}' and start again.",
                file=sys.stderr,
            )
    if not gallery_is_current(folder, checkpoint, chosen, engine):
        left_out += build_gallery(checkpoint, chosen, folder, engine, wait=True).left_out
    for line in named(left_out):
        print(line, file=sys.stderr)
    return folder


def starter_folder(checkpoint: Path, galleries: Path, with_open: bool) -> Path:
    """Where the starter gallery is indexed; with open photos it is one of its own."""
    return galleries / folder_name("open" if with_open else "starter", places(checkpoint))


def places(checkpoint: Path) -> list[Path]:
    """What the folder of a gallery depends on, beside its photos.

    Another checkpoint has another folder: an app may be serving that of the shipped one.
    """
    return [] if checkpoint.resolve() == SHIPPED.resolve() else [checkpoint]


def folder_name(name: str, within: Sequence[Path]) -> str:
    """The name of a gallery's folder, with a digest of the folders that it depends on."""
    if not within:
        return name
    together = os.fsencode(os.pathsep.join(str(place.resolve()) for place in within))
    return f"{name}-{hashlib.sha256(together).hexdigest()[:8]}"


if __name__ == "__main__":
    leave(main())
