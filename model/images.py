"""Reading pictures safely: any format, mode or transparency, bounded in size."""

import os
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from pillow_heif import register_heif_opener

from model.errors import ImageError

MAX_PIXELS = 50_000_000
MAX_BYTES = 30_000_000
LARGE_PIXELS = 4_000_000
LONGEST = 1600
MIN_SIDE = 8
FORMATS = ("PNG", "JPEG", "WEBP", "HEIF", "GIF", "BMP", "TIFF")
ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".heic", ".heif", ".gif", ".bmp", ".tif", ".tiff"}
)

# MAX_PIXELS is the limit here; Pillow's own, larger one would only warn. What it says of damaged
# metadata helps nobody, and would let strangers fill the log.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _begin() -> None:
    """Makes the thread that decodes large pictures: one at a time, so that its memory is enough."""
    global _large_pictures
    _large_pictures = ThreadPoolExecutor(1, "large pictures")


_large_pictures: ThreadPoolExecutor
_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)  # A child has no threads but the one that forked.

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""

_16_BIT_MODES = ("I;16", "I;16L", "I;16B", "I")

_DAMAGED = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""What decoders raise over damaged pictures."""

register_heif_opener()


def read_picture(path: Path) -> bytes:
    """The bytes of a picture's file, for `open_image`.

    Raises:
        ImageError: it cannot be read, or is over `MAX_BYTES`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read: {error.strerror}.") from error
    check_bytes(max(size, len(data)), path.name)
    return data


def open_image(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Decodes the first frame of a picture, turned upright by its EXIF orientation.

    Size limits are checked from the header, before any pixel is decoded. A picture of over
    `LARGE_PIXELS` comes back as RGB, or RGBA where it is transparent, at most `LONGEST` pixels a
    side; of those, only one is decoded at a time, so that a few small files cannot fill the memory.

    Args:
        source: a file, or the bytes of one.
        name: what to call the picture in messages; the file's name if left out.

    Raises:
        ImageError: not a picture, truncated, over `MAX_BYTES` or `MAX_PIXELS`, or with a side
            under `MIN_SIDE` pixels.
    """
    name = name or (source.name if isinstance(source, Path) else "the picture")
    try:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        check_bytes(size, name)
        with Image.open(
            source if isinstance(source, Path) else BytesIO(source), formats=FORMATS
        ) as image:
            check_size(image, name)
            if image.width * image.height > LARGE_PIXELS:
                return _large_pictures.submit(_decode_small, image, name).result()
            image.load()
            check_size(image, name)  # HEIF may turn out larger than its header says.
            return _upright(image.copy(), image)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} is far too large; the limit is {MAX_PIXELS / 1e6:.0f} million pixels. "
            "Shrink it and try again."
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f"{name} is not there any more. Check the path and try again.") from error
    except _DAMAGED as error:
        raise ImageError(
            f"{name} cannot be read as a picture; it may be damaged, cut short or of another "
            f"kind. Use one of {', '.join(FORMATS)}."
        ) from error


def check_bytes(size: int, name: str = "the picture") -> None:
    """Raises ImageError when a file is too large."""
    if size > MAX_BYTES:
        raise ImageError(
            f"{name} has {size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB. "
            "Save it smaller and try again."
        )


def _decode_small(image: Image.Image, name: str) -> Image.Image:
    """Decodes a large picture as RGB or RGBA, upright and at most `LONGEST` pixels a side."""
    width, height = image.size
    image.draft(None, (LONGEST, LONGEST))
    image.load()
    check_size(image, name)
    original = image
    factor = max(image.size) // (2 * LONGEST)
    if factor > 1 and image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        image = image.reduce(factor)
    small = image.convert("RGBA") if is_transparent(image) else flatten(image)
    small.thumbnail((LONGEST, LONGEST), reducing_gap=2.0)
    if min(small.size) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels, which is too long and narrow. Crop it and try "
            "again."
        )
    return _upright(small, original)


def _upright(image: Image.Image, original: Image.Image) -> Image.Image:
    """A picture turned as the EXIF data of the original ask for; not at all if they are damaged."""
    try:
        orientation = original.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises whatever damaged EXIF data lead to.
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def check_size(image: Image.Image, name: str = "the picture") -> None:
    """Raises ImageError when a picture has too many pixels, or too few to show anything."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} is {width} x {height} pixels; the limit is {MAX_PIXELS / 1e6:.0f} million "
            "pixels. Shrink it and try again."
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels; both sides need at least {MIN_SIDE}. "
            "Use a larger picture."
        )


def flatten(image: Image.Image) -> Image.Image:
    """Any mode to RGB; what is transparent becomes white paper, 16 bits become 8.

    Floating-point tones are from 0 to 255, or to 1 where none is above that.
    """
    if image.mode == "F":
        tones = np.asarray(image)
        image = Image.fromarray(tones * 255) if 0 < tones.max() <= 1 else image
    if image.mode in _16_BIT_MODES:
        tones = np.asarray(image.convert("I")).clip(0, 65535)
        eight_bits = tones // 257 if tones.max() > 255 else tones
        return Image.fromarray(eight_bits.astype(np.uint8)).convert("RGB")
    if is_transparent(image):
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")


def is_transparent(image: Image.Image) -> bool:
    """Whether parts of a picture may be transparent."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
