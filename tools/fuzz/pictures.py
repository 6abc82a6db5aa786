"""Damaged and hostile picture files."""

import functools
import io
from typing import Any

from hypothesis import strategies as st
from PIL import Image, ImageDraw

from model.pictures.colours import flatten
from model.pictures.decoding import open_image
from model.pictures.framing import frame_sketch
from model.pictures.paper import clean_page

SIDE = 64
"""Pixels of the frame."""


@functools.cache
def valid_pictures() -> tuple[bytes, ...]:
    """Small, valid files in every format, mode and kind of metadata that the app reads."""
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
    """A picture with bytes changed, removed or repeated, or joined from two files."""
    data = bytearray(draw(st.sampled_from(valid_pictures())))
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2, 2, 3, 5, 8)))):
        # Half of the damage is in the header, from which decoders take sizes and offsets.
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
            other = draw(st.sampled_from(valid_pictures()))
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
    """Does all that the app does with an upload, up to the encoder."""
    image = open_image(data)
    flatten(image)
    cleaned = clean_page(image)
    frame_sketch(cleaned or image, SIDE)
