"""Picture files that are made to exhaust, mislead or break the decoder."""

import contextlib
import io
import resource
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.errors import ImageError
from model.pictures.decoding import LONGEST, open_image
from model.pictures.framing import frame_sketch
from model.pictures.paper import clean_page
from tests.harness.apps import ROOT


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def drawn() -> Image.Image:
    image = Image.new("RGB", (60, 40), "white")
    ImageDraw.Draw(image).ellipse((10, 8, 50, 30), outline="black", width=3)
    return image


def png_of(width: int, height: int) -> bytes:
    """A small file of a grey PNG of any size, with equal pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_from_its_header() -> None:
    bomb = png_of(20_000, 20_000)
    assert len(bomb) < 500_000
    began = time.perf_counter()
    with pytest.raises(ImageError, match="limit is 50 million pixels"):
        open_image(bomb)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "bomb",
    [
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 1, 1, 24, *[0] * 6),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60000, -60000, 1, 1, *[0] * 6),
        b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\xff" * 2,
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xd9",
    ],
    ids=["GIF", "BMP", "BMP upside down", "WebP", "JPEG"],
)
def test_a_header_with_too_many_pixels_is_refused(bomb: bytes) -> None:
    with pytest.raises(ImageError):
        open_image(bomb)


def test_many_bombs_at_once_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Eight pictures of 49 million pixels in 50 kB each; together they would take 390 MB."""
    (tmp_path / "bomb.png").write_bytes(png_of(7000, 7000))
    script = (
        "import resource, sys, threading; from pathlib import Path\n"
        "from model.pictures.decoding import open_image\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "kept = []\n"
        "threads = [threading.Thread(target=lambda: kept.append(open_image(Path(sys.argv[1]))))"
        " for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(peak() - before)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "bomb.png"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(ran.stdout) < 300


def test_a_large_picture_comes_back_smaller_and_upright() -> None:
    page = Image.new("L", (3000, 2000), 255)
    ImageDraw.Draw(page).rectangle((0, 0, 1000, 2000), fill=0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        image = open_image(encoded(page.convert("RGB"), kind, exif=exif))
        assert image.mode == "RGB"
        assert image.size[1] == LONGEST and abs(image.size[0] - LONGEST * 2 / 3) <= 1
        tones = np.asarray(image.convert("L").resize((30, 30)))
        assert tones[:9].max() < 20
        assert tones[11:].min() > 235


def test_only_the_first_frame_of_an_animation_or_document_is_read() -> None:
    page = drawn().convert("P")
    others = [Image.new("P", (60, 40), i % 250) for i in range(300)]
    for kind in ("GIF", "TIFF"):
        many = encoded(page, kind, save_all=True, append_images=others)
        began = time.process_time()
        image = open_image(many)
        assert time.process_time() - began < 0.5
        assert image.convert("L").getpixel((0, 0)) == 255
        frame_sketch(image, 32)


def test_circular_pages_of_a_tiff_end(tmp_path: Path) -> None:
    data = bytearray(encoded(drawn(), "TIFF"))
    start = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, start)[0]
    struct.pack_into("<I", data, start + 2 + 12 * entries, start)
    assert open_image(bytes(data)).size == (60, 40)


def exif_block(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """EXIF with one directory of (tag, type, count, value)."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed
        + struct.pack("<I", following)
    )  # fmt: skip


@pytest.mark.parametrize(
    "exif",
    [
        exif_block([(0x8769, 4, 1, 8)], 8),
        exif_block([(0x8769, 4, 1, 26), (0x8825, 4, 1, 8)], 8) + b"\x01\0",
        exif_block([(0x0112, 3, 2**32 - 1, 6)]),
        exif_block([(0x0112, 3, 1, 99)]),
        exif_block([(0x0112, 12, 1, 2**32 - 1)]),
        exif_block([(0x010E, 2, 2**31, 8)] * 2000),
        exif_block([(i, 7, 60000, 8) for i in range(5000)]),
        b"Exif\0\0" + b"MM\0*\xff\xff\xff\xff",
        b"Exif\0\0",
        *(b"Exif\0\0" + short for short in (b"MM\0*", b"II*\0\0\0\0", b"II+\0" + bytes(12))),
    ],
    ids=[
        *("pointing to itself", "in a circle", "long orientation", "odd orientation"),
        *("orientation elsewhere", "long texts", "many tags", "beyond the end", "empty"),
        *("without a directory", "cut short", "of a large file"),
    ],
)
def test_circular_huge_or_damaged_exif_is_harmless(exif: bytes) -> None:
    for kind in ("JPEG", "WEBP", "PNG"):
        data = encoded(drawn(), kind, exif=exif[:65000])
        began = time.process_time()
        with contextlib.suppress(ImageError):
            assert open_image(data).size in ((60, 40), (40, 60))
        assert time.process_time() - began < 1


SVG = b"""<?xml version="1.0"?>
<!DOCTYPE svg [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" width="99999999" height="99999999">
<script>alert(1)</script><text>&secret;</text><image href="http://example.invalid/a.png"/></svg>"""


@pytest.mark.parametrize(
    "data",
    [
        *(SVG, SVG[SVG.index(b"<svg") :], b"%PDF-1.4\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox"),
        *(b"PK\x03\x04", b"#!/bin/sh\n", b"<html><script>", b"8BPS\0\x01", b"\0\0\x01\0\x01\0"),
        *(b"#define x_width 8\n", b"P6\n9 9\n255\n", b"II\x2a\0\xff\xff\xff\xff", b"qoif", b""),
        b"gimp xcf file\0",
    ],
)
def test_files_of_other_formats_are_never_parsed(data: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        open_image(data.ljust(200, b"\0"))


@pytest.mark.parametrize("tail", [SVG, b"<script>alert(1)</script>", b"PK\x03\x04", b"<?php"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_of_a_file_of_two_formats_only_the_picture_is_read(kind: str, tail: bytes) -> None:
    clean = encoded(drawn(), kind)
    both = open_image(clean + tail * 10)
    assert both.tobytes() == open_image(clean).tobytes()
    assert tail not in encoded(both, "PNG")


def test_compressed_texts_in_a_png_are_not_unpacked() -> None:
    text = b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)
    chunk = b"zTXt" + text
    png = encoded(drawn(), "PNG")
    packed = png[:33] + struct.pack(">I", len(text)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError):
        open_image(packed + png[33:])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_decoding_in_many_threads_does_not_deadlock() -> None:
    data = png_of(3000, 2000)
    threads = [threading.Thread(target=open_image, args=[data], daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert clean_page(open_image(data)) is None
