"""Pictures that tests make themselves."""

import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw


def fish(side: int = 256, width: int = 3, ink: Any = 0, paper: Any = 255) -> Image.Image:
    """A line drawing that is not symmetric: an oval with a tail and an eye."""
    page = Image.new("L", (side, side), paper)
    draw = ImageDraw.Draw(page)
    s = side / 256
    draw.ellipse((40 * s, 90 * s, 170 * s, 170 * s), outline=ink, width=width)
    draw.line(
        [(168 * s, 130 * s), (216 * s, 95 * s), (216 * s, 165 * s), (168 * s, 130 * s)], ink, width
    )
    draw.ellipse((65 * s, 115 * s, 75 * s, 125 * s), outline=ink, width=width)
    return page


def huge_png(side: int) -> bytes:
    """A valid header that promises side x side pixels, with hardly any data behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
