"""Feeds the app broken and hostile input until time is up, and reports whatever gets through.

python -m tools.fuzz images --seconds 600      damaged and hostile picture files
python -m tools.fuzz strokes --seconds 600     drawings and queries as a browser sends them
python -m tools.fuzz manifest --seconds 600    manifests of checkpoint folders

Every input must end in an answer or in a SketchZooError, within SECONDS and MEGABYTES. Hypothesis
makes the inputs, and shrinks what fails to the least that still does.
"""

import argparse
import copy
import functools
import io
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import MANIFEST
from model.errors import SketchZooError
from model.pictures.colours import flatten
from model.pictures.decoding import open_image
from model.pictures.framing import frame_box, frame_ink, frame_sketch
from model.pictures.paper import clean_page, find_ink
from model.pictures.strokes import parse_strokes, render_ink, render_strokes
from server.query import parse_query
from tests.conftest import make_checkpoint

SECONDS = 5.0
"""Processor time that one input may take."""

MEGABYTES = 1500
"""Memory that the process may grow by, over all inputs."""

SIDE = 64
"""Pixels of the frame that drawings are brought to."""

ROUND = 500
"""Inputs that Hypothesis makes from one seed."""


@functools.cache
def sound_pictures() -> tuple[bytes, ...]:
    """Small files in every format, mode and kind of metadata that is read, to be damaged."""
    drawing = Image.new("RGB", (48, 32), "white")
    ImageDraw.Draw(drawing).ellipse((8, 6, 40, 26), outline="black", width=3)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a drawing"
    exif.get_ifd(0x8769)[0x9286] = b"a comment"
    exif.get_ifd(0x8825)[1] = "N"
    pages = [drawing.rotate(angle) for angle in (90, 180)]
    clear = drawing.convert("RGBA")
    clear.putalpha(drawing.convert("L"))
    files = []
    variants: tuple[tuple[str, dict[str, Any]], ...] = (
        *((mode, {"format": "PNG"}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *((mode, {"format": "JPEG", "exif": exif}) for mode in ("L", "RGB", "CMYK")),
        ("RGB", {"format": "JPEG", "progressive": True, "comment": b"drawn"}),
        ("RGB", {"format": "MPO", "save_all": True, "append_images": pages}),
        ("RGBA", {"format": "WEBP", "exif": exif}),
        ("RGBA", {"format": "WEBP", "lossless": True}),
        ("RGB", {"format": "WEBP", "save_all": True, "append_images": pages}),
        ("P", {"format": "GIF", "save_all": True, "append_images": pages, "transparency": 0}),
        *((mode, {"format": "BMP"}) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(
            ("RGB", {"format": "TIFF", "compression": name})
            for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        ),
        ("1", {"format": "TIFF", "compression": "group4"}),
        ("RGB", {"format": "TIFF", "exif": exif}),
        ("RGB", {"format": "TIFF", "save_all": True, "append_images": pages}),
        ("F", {"format": "TIFF"}),
        ("LAB", {"format": "TIFF"}),
        ("RGB", {"format": "PNG", "exif": exif}),
        ("RGB", {"format": "PNG", "save_all": True, "append_images": pages}),
    )
    for mode, options in variants:
        data = io.BytesIO()
        if "append_images" in options:
            options["append_images"] = [page.copy() for page in pages]
        source = clear if mode in ("RGBA", "LA") else drawing
        (source.convert("L").convert(mode) if mode == "I;16" else source.convert(mode)).save(
            data, **options
        )
        files.append(data.getvalue())
    return tuple(files)


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A picture with bytes changed, cut out, repeated, or put together from two files."""
    data = bytearray(draw(st.sampled_from(sound_pictures())))
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2, 2, 3, 5, 8)))):
        # Headers are where decoders decide how much to believe, so half of the damage is there.
        end = len(data) if draw(st.booleans()) else min(len(data), 120)
        at = draw(st.integers(0, max(end - 1, 0)))
        kind = draw(st.sampled_from((0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6)))
        if kind == 0:
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == 1:
            data[at : at + 4] = draw(st.sampled_from(_EXTREMES))
        elif kind == 2:
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == 3:
            data[at:at] = draw(st.binary(min_size=1, max_size=32))
        elif kind == 4:
            data[at:at] = data[at : at + draw(st.integers(1, 200))] * draw(st.integers(1, 20))
        elif kind == 5:
            other = draw(st.sampled_from(sound_pictures()))
            data[at:] = other[draw(st.integers(0, len(other) - 1)) :]
        else:
            del data[at:]
    return bytes(data)


_EXTREMES = (
    *(number.to_bytes(4, order) for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, 50_000)
      for order in ("little", "big")),
    b"\xff\xd8\xff\xe1", b"II*\x00", b"MM\x00*", b"IDAT", b"<svg", b"%PDF", b"PK\x03\x04",
)  # fmt: skip


def read_picture(data: bytes) -> None:
    """All that the app does with an upload, up to the encoder."""
    image = open_image(data)
    flatten(image)
    cleaned = clean_page(image)
    frame_sketch(cleaned or image, SIDE)


_numbers = st.one_of(
    st.floats(-0.2, 1.2),
    st.floats(),
    st.integers(-5, 5),
    st.sampled_from([0, -0.0, 1e-320, 1e308, -1e308, 2**70, 10**400, "0.5", "1e999", "x", None]),
)
_points = st.one_of(
    st.lists(_numbers, min_size=2, max_size=3),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
_junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_stroke = st.one_of(
    st.fixed_dictionaries(
        {"width": _numbers, "points": st.lists(_points, max_size=12)},
        optional={"erase": st.one_of(st.booleans(), _junk)},
    ),
    st.builds(
        lambda points, times, width: {"width": width, "points": points * times},
        st.lists(_points, min_size=1, max_size=20),
        st.sampled_from([1, 10, 100, 1000, 3000]),
        st.sampled_from([0.001, 0.012, 0.2, 7]),
    ),
    _junk,
)
_drawing = st.one_of(
    st.lists(_stroke, max_size=6),
    st.builds(lambda stroke, times: [stroke] * times, _stroke, st.integers(1, 1100)),
    _junk,
)
_listed = st.one_of(st.lists(st.one_of(st.integers(), st.text(max_size=4)), max_size=6), _junk)
queries = st.one_of(
    st.fixed_dictionaries(
        {"strokes": _drawing},
        optional={
            "k": st.one_of(_numbers, _junk),
            "photo": st.one_of(st.integers(), _junk),
            "picture": _junk,
            **dict.fromkeys(("like", "unlike", "only", "without"), _listed),
        },
    ),
    _junk,
)
"""What a browser sends for a search, and what it never would."""

_PAPER = Image.new("RGBA", (300, 10), (200, 200, 200, 120))


def read_query(query: Any) -> None:
    """All that the app does with a query, up to the encoder."""
    strokes = (
        parse_strokes(query["strokes"]) if isinstance(query, dict) and query.get("strokes") else []
    )
    for ink in (render_ink(strokes), find_ink(render_strokes(strokes, _PAPER))):
        try:
            frame_ink(ink, SIDE)
            frame_box(ink)
        except SketchZooError:
            pass
    parse_query(query)


@functools.cache
def checkpoint_folder() -> Path:
    """A small checkpoint whose manifest the fuzzer rewrites."""
    folder = Path(tempfile.mkdtemp(prefix="sketchzoo-fuzz-")) / "checkpoint"
    make_checkpoint(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["photos"] = [{"path": "a.jpg", "label": "ant", "credit": "", "licence": ""}]
    manifest["calibration"] = {"temperature": 1.0, "error": 0.1, "least_similarity": 0.2}
    (folder / "sound.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """A manifest with fields changed, left out or added, or its text damaged."""
    manifest = json.loads((checkpoint_folder() / "sound.json").read_text(encoding="utf-8"))
    if draw(st.booleans()):
        manifest["photos"], manifest["calibration"] = [], None
    for _ in range(draw(st.integers(0, 3))):
        place: Any = manifest
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            kind = draw(st.integers(0, 4))
            if kind == 0:
                del place[key]
            elif kind == 1 and isinstance(place, dict):
                place[draw(st.text(max_size=6))] = draw(_junk)
            elif kind == 2:
                place[key] = copy.deepcopy(draw(st.sampled_from(_ODD)))
            else:
                place[key] = draw(_junk)
            break
    text = bytearray(json.dumps(manifest).encode())
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 9))] = draw(
            st.one_of(st.binary(max_size=9), st.sampled_from([b"[" * 3000, b"9" * 5000]))
        )
    return bytes(text)


_ODD: Sequence[Any] = (
    *(-1, 0, 1, 2**31, 2**63, 10**30, -1.5, float("nan"), float("inf"), True, None),
    *("", "../..", "/etc/passwd", "\0", "\ud800", "vgg19", [], {}, [None], [{}], {"": None}),
)


def read_manifest(data: bytes) -> None:
    """Opens a checkpoint with this manifest, and builds its encoder."""
    folder = checkpoint_folder()
    (folder / MANIFEST).write_bytes(data)
    Checkpoint.open(folder).encoder()


TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "images": (damaged_pictures(), read_picture),
    "strokes": (queries, read_query),
    "manifest": (manifests(), read_manifest),
}


def fuzz(target: str, start: int, rounds: int | None, seconds: float) -> Counter[str]:
    """Tries inputs and counts how each ended: answered, or refused with which error.

    Args:
        target: one of `TARGETS`.
        start: the first seed; each round has the next.
        rounds: of `ROUND` inputs; as many as there is time for if left out.
        seconds: after which no new round begins.

    Raises:
        Exception: whatever an input has caused that is no SketchZooError.
        AssertionError: an input took over `SECONDS`, or memory has grown by `MEGABYTES`.
    """
    inputs, read = TARGETS[target]
    ends: Counter[str] = Counter()
    before, deadline = _megabytes(), time.monotonic() + seconds

    def check(item: Any) -> None:
        began = time.process_time()
        try:
            read(item)
            ends["answered"] += 1
        except SketchZooError as error:
            ends[f"refused, {type(error).__name__}"] += 1
        took = time.process_time() - began
        assert took < SECONDS, f"one input took {took:.1f} s"
        assert _megabytes() - before < MEGABYTES, f"grown by {_megabytes() - before:.0f} MB"

    number = 0
    while (rounds is None or number < rounds) and time.monotonic() < deadline:
        configured = settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        seed(start + number)(configured(given(inputs)(check)))()
        number += 1
    return ends


def _megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(argv: list[str] | None = None) -> int:
    """Runs one target; what gets through is raised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument(
        "--seed", type=int, help="where to start (default: anywhere; it is printed)"
    )
    arguments = parser.parse_args(argv)
    start = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    print(f"{arguments.target}, seed {start}", flush=True)
    began = time.monotonic()
    try:
        ends = fuzz(arguments.target, start, None, arguments.seconds)
    finally:
        if checkpoint_folder.cache_info().currsize:
            shutil.rmtree(checkpoint_folder(), ignore_errors=True)
    for end, count in ends.most_common():
        print(f"{count:9}  {end}")
    print(f"{ends.total():9}  inputs in {time.monotonic() - began:.0f} s, {_megabytes():.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
