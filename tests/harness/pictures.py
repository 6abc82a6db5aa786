"""Makes pictures."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


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


def draw_photos(folder: Path) -> Path:
    """Six plain photos of 90 x 60 pixels in two folders, named by their labels."""
    for label, hue in (("red_panda", "darkred"), ("blue_whale", "navy")):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            photo = Image.new("RGB", (90, 60), "white")
            draw = ImageDraw.Draw(photo)
            draw.ellipse((10 * number, 10, 60 + 10 * number, 50), fill=hue)
            photo.save(folder / label / f"{number}.jpg")
    return folder


def huge_png(side: int) -> bytes:
    """A PNG whose header claims side x side pixels, with hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def pencil_on_paper(sketch: Image.Image, random: np.random.Generator) -> Image.Image:
    """A photo by a phone: grey pencil on off-white paper, with grain, blur and a shadow."""
    width, height = sketch.size
    paper, pencil = np.array([238.0, 233.0, 220.0]), np.array([112.0, 112.0, 116.0])
    soft = np.asarray(sketch.filter(ImageFilter.GaussianBlur(0.6)), np.float64)[..., None] / 255
    angle = random.uniform(0, 2 * np.pi)
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    along = across * np.cos(angle) + down * np.sin(angle)
    light = 1 - 0.45 / (1 + np.exp(-6 * (along - random.uniform(-0.4, 0.4))))
    page = (pencil + (paper - pencil) * soft) * light[..., None]
    page += random.normal(0, 5, page.shape)
    return Image.fromarray(page.clip(0, 255).astype(np.uint8))
