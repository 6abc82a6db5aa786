"""Writes a gallery of any size, and measures how the app serves it.

    python -m benchmarks.million --galleries DIR [--photos 1000000] [--engine annoy] [--json FILE]
    python app.py --galleries DIR [--engine annoy]

The first command writes DIR/starter; the second one serves it. The gallery repeats the photos of
the starter gallery, each with its own noisy embedding (see `benchmarks.embeddings`). Search, map
and thumbnails have as much to do as with real photos. A million photos take about 4 GB.

With --json, the app is started on this gallery and on the real starter gallery. FILE then has, for
both: seconds until the app is ready, megabytes of memory, and the median milliseconds of a search
by Gradio's client, of a search as the board sends it, and of the map's data.
"""

import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, get_args

import psutil
from gradio_client import Client, handle_file
from tqdm import tqdm

from benchmarks.command import exit_code, new_parser
from benchmarks.embeddings import SyntheticEmbeddings
from benchmarks.latency import time_http
from model.checkpoint import versions
from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.checkpoint.files import EMBEDDINGS, THUMBNAILS
from model.checkpoint.records import EngineName
from model.files import write_json
from model.gallery.current import photos_key
from model.gallery.progress import thumbnail_of
from model.gallery.write import complete_version
from model.pictures.colours import flatten
from model.pictures.decoding import open_image
from model.pictures.strokes import parse_strokes, render_strokes
from tests.harness.apps import ROOT, running_app

SEARCHES = 50
"""Searches by Gradio's client."""


def main() -> int:
    """Parses the command line, writes the gallery if it is missing, and measures."""
    options = new_parser("million", __doc__)
    options.add_argument(
        "--galleries", type=Path, required=True, metavar="DIR", help="folder of the gallery"
    )
    options.add_argument(
        "--photos", type=int, default=1_000_000, help="number of photos (default: 1000000)"
    )
    options.add_argument(
        "--engine",
        choices=get_args(EngineName),
        help="search engine (default: by the number of photos)",
    )
    arguments = options.parse_args()
    folder = arguments.galleries / "starter"
    if not (folder / versions.CURRENT).exists():
        write_gallery(Checkpoint.open(SHIPPED), folder, arguments.photos, arguments.engine)
    if arguments.json:
        engine = ["--engine", arguments.engine] if arguments.engine else []
        with tempfile.TemporaryDirectory() as small:
            rows = [serve(Path(small), []), serve(arguments.galleries, engine)]
        write_json(arguments.json, rows)
        print(json.dumps(rows, indent=1))
    return 0


def write_gallery(
    checkpoint: Checkpoint, folder: Path, count: int, engine: EngineName | None
) -> None:
    """Writes a gallery that repeats the starter gallery's photos, `count` in all."""
    synthetic = SyntheticEmbeddings(checkpoint, sketches=False)
    with versions.building(folder):
        version = Path(tempfile.mkdtemp(prefix=versions.PREFIX, dir=folder))
        (version / THUMBNAILS).mkdir()
        centres = synthetic.write(version / EMBEDDINGS, count)
        firsts: dict[int, Path] = {}
        for number, centre in enumerate(tqdm(centres, "linking thumbnails", unit_scale=True)):
            path = version / THUMBNAILS / f"{number}.webp"
            if centre in firsts:
                os.link(firsts[centre], path)
            else:
                path.write_bytes(
                    thumbnail_of(flatten(open_image(Path(synthetic.photos[centre].path))))
                )
                firsts[centre] = path
        photos = [synthetic.photos[centre] for centre in centres]
        print("laying out the map, then building the index", flush=True)
        # The app looks for the key of the starter gallery's photos.
        complete_version(checkpoint, version, photos, photos_key(synthetic.photos), engine)


def serve(galleries: Path, options: list[str]) -> dict[str, Any]:
    """Starts the app on a folder of galleries; its figures."""
    examples = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
    drawing = examples[0]["strokes"]
    start = time.perf_counter()
    with (
        running_app("app.py", "--galleries", galleries, *options, seconds=1800) as address,
        tempfile.TemporaryDirectory() as folder,
    ):
        ready = time.perf_counter() - start
        sketch = Path(folder) / "sketch.png"
        render_strokes(parse_strokes(drawing)).save(sketch)
        client = Client(address, verbose=False)
        times = []
        for _ in range(SEARCHES):
            asked = time.perf_counter()
            matches = client.predict(handle_file(sketch), 12, api_name="/search")
            times.append((time.perf_counter() - asked) * 1e3)
            if len(matches) != 12:
                raise RuntimeError(f"the server answered {matches}")
        board = time_http(address, drawing)
        asked = time.perf_counter()
        points = len(urllib.request.urlopen(f"{address}/map.json").read())
        took = (time.perf_counter() - asked) * 1e3
        health = json.loads(urllib.request.urlopen(f"{address}/healthz").read())
        apps = [p for p in psutil.Process().children() if "app.py" in p.cmdline()]
        return {
            "photos": health["photos"],
            "ready_s": round(ready, 1),
            "megabytes": round(sum(p.memory_info().rss for p in apps) / 1e6),
            "search_median_ms": round(statistics.median(times), 1),
            "board_median_ms": round(statistics.median(board), 1),
            "map_ms": round(took, 1),
            "map_bytes": points,
        }


if __name__ == "__main__":
    sys.exit(exit_code(main))
