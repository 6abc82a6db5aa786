"""SketchZoo in the browser: draw an animal and see the nearest photos while you draw.

python app.py                 serve the starter gallery on http://127.0.0.1:7860
python app.py --photos DIR    serve your own photos instead
python app.py --gallery DIR   serve a gallery made by 'python -m train index', or several
python app.py --open-photos   fetch openly licensed photos while the app runs; the gallery grows
python app.py --mcp           let assistants search too, over the Model Context Protocol
"""

import argparse
import math
import signal
import sys
import threading
from os import environ
from pathlib import Path
from typing import Any, get_args

from model.checkpoint.checkpoint import SHIPPED
from model.checkpoint.records import EngineName
from model.encoder.runtime import limit_blas
from model.errors import SketchZooError
from server.application import build_app
from server.galleries import Galleries
from server.lifecycle import Lifecycle, check_port, exit_now, serve
from server.log import start_log
from server.middleware.allowed_hosts import own_names
from server.middleware.forwarded import Proxies, default_proxies, read_proxies
from server.middleware.rate_limit import RATE
from server.routes.galleries import FetchProgress
from server.startup import default_galleries, open_galleries, open_photos_fetcher


def main(argv: list[str] | None = None) -> int:
    """Opens the galleries and serves them; returns the exit code."""
    arguments = parse_arguments(argv)
    start_log(arguments.log_format)
    limit_blas()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    fetcher = None
    try:
        check_port(arguments.host, arguments.port)
        proxies = read_proxies(arguments.proxy)
        if arguments.open_photos:
            given = arguments.checkpoint, arguments.galleries, arguments.contact
            fetcher = open_photos_fetcher(*given)
        galleries = open_galleries(
            arguments.checkpoint,
            arguments.photos,
            arguments.galleries,
            arguments.gallery,
            arguments.engine,
            with_open=arguments.open_photos,
        )
        if fetcher:
            fetcher.start()
        build_and_serve(
            arguments, galleries, proxies, fetcher.progress if fetcher else lambda: None
        )
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if fetcher:
            fetcher.stop()
    return 0


def build_and_serve(
    arguments: argparse.Namespace, galleries: Galleries, proxies: Proxies, progress: FetchProgress
) -> None:
    """Builds the application, and serves it until the process is told to stop."""
    lifecycle = Lifecycle()
    app = build_app(
        galleries,
        lifecycle=lifecycle,
        mcp=arguments.mcp,
        rate=arguments.rate,
        proxies=proxies,
        names=own_names(arguments.host) if not proxies else None,
        more_photos=more_photos_command(arguments),
        progress=progress,
    )
    serve(app, lifecycle, arguments.host, arguments.port)


def more_photos_command(arguments: argparse.Namespace) -> str:
    """The command that gets more photos, if whoever draws may have started the app; else empty."""
    is_own = arguments.host in ("127.0.0.1", "::1", "localhost") and "SPACE_ID" not in environ
    is_starter = not (arguments.photos or arguments.gallery or arguments.open_photos)
    return "make run PHOTOS=open" if is_own and is_starter else ""


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line; environment variables of Gradio and Spaces give defaults."""
    parser = argparse.ArgumentParser(
        description="Draw an animal in the browser and see the nearest photos while you draw.",
        epilog="example: python app.py --photos ~/Pictures --port 8000",
    )
    add_gallery_options(parser)
    add_server_options(parser)
    arguments = parser.parse_args(argv)
    has_starter = not (arguments.photos or arguments.gallery)
    if arguments.open_photos and not has_starter:
        parser.error("--open-photos adds to the starter gallery: leave out --photos and --gallery")
    arguments.open_photos = has_starter and (arguments.open_photos or wants_open_photos())
    return arguments


def wants_open_photos() -> bool:
    """Whether `SKETCHZOO_OPEN_PHOTOS` switches open photos on."""
    return environ.get("SKETCHZOO_OPEN_PHOTOS", "").lower() in ("1", "true", "yes")


def add_gallery_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which photos to search."""
    add = parser.add_argument
    folder: dict[str, Any] = {"type": Path, "metavar": "DIR"}
    add(
        "--photos",
        help="search your own photos: every picture below DIR, labelled by its folder's name",
        **folder,
    )
    add(
        "--gallery",
        nargs="+",
        default=[],
        help="search galleries made by 'python -m train index'; the board offers a choice of "
        "them. Rebuilt galleries are reloaded automatically",
        **folder,
    )
    add(
        "--open-photos",
        action="store_true",
        help="fetch openly licensed photos of 55 animals while the app runs, which takes about an "
        "hour, and add them to the starter gallery; not with --photos or --gallery (default: "
        "$SKETCHZOO_OPEN_PHOTOS, ignored with these)",
    )
    add(
        "--contact",
        default=environ.get("SKETCHZOO_CONTACT", ""),
        metavar="ADDRESS",
        help="your web or mail address, to send to the services of open photos; Wikimedia Commons "
        "requires one and is left out otherwise (default: $SKETCHZOO_CONTACT)",
    )
    add(
        "--checkpoint",
        default=SHIPPED,
        help="the trained encoder for --photos or the starter gallery; galleries of --gallery hold "
        "their own (default: the one that comes with SketchZoo)",
        **folder,
    )
    add(
        "--galleries",
        default=default_galleries(),
        help="where to keep indexes of photos, and open photos (default: %(default)s)",
        **folder,
    )
    add(
        "--engine",
        choices=get_args(EngineName),
        help="what searches --photos or the starter gallery; galleries of --gallery keep theirs "
        "(default: exact up to 20000 photos, annoy above)",
    )


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the server."""
    add = parser.add_argument
    add(
        "--host",
        default=environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )
    add(
        "--port",
        type=int,
        default=environ.get("GRADIO_SERVER_PORT") or environ.get("PORT") or "7860",
        help="port to listen on (default: %(default)s)",
    )
    add(
        "--mcp",
        action="store_true",
        default=environ.get("GRADIO_MCP_SERVER", "").lower() == "true",
        help="offer the search to assistants, over the Model Context Protocol",
    )
    add(
        "--log-format",
        choices=["text", "json"],
        default="text",
        help="text logs warnings only; json logs every request, too",
    )
    add(
        "--rate",
        type=searches_per_second,
        default=RATE,
        metavar="N",
        help="searches per second for one client; requests for files count little; 0 for no limit "
        "(default: %(default)s)",
    )
    add(
        "--proxy",
        default=default_proxies(),
        metavar="NETWORKS",
        help="addresses or networks of trusted proxies, separated by commas, whose "
        "X-Forwarded-For names the client; * for one proxy at any address (default: "
        "$FORWARDED_ALLOW_IPS)",
    )


def searches_per_second(text: str) -> float:
    """Reads the value of `--rate`."""
    rate = float(text)
    if not 0 <= rate < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no rate: it is 0 or more")
    return rate


if __name__ == "__main__":
    exit_now(main())
