"""Reading pictures safely: any format, bounded in size, upright.

Uploads of strangers and the owner's own photos have limits of their own, `UPLOADS` and `OWN`.
"""

import os
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, ImageFile
from pillow_heif import register_heif_opener

from model.errors import ImageError
from model.pictures.colours import flatten as flatten
from model.pictures.colours import is_transparent as is_transparent
from model.pictures.colours import join_bytes, low_bytes

MAX_PIXELS = 50_000_000
MAX_BYTES = 30_000_000
LARGE_PIXELS = 4_000_000
LONGEST = 1600
MIN_SIDE = 8
FORMATS = ("PNG", "JPEG", "WEBP", "HEIF", "GIF", "BMP", "TIFF", "AVIF")

register_heif_opener()
Image.init()
_NOT_READ = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
"""What Pillow recognises, but hands to another program, or cannot decode."""


@dataclass(frozen=True)
class Limits:
    """What is read: formats, by their names in Pillow, and at most so many pixels and bytes."""

    formats: tuple[str, ...]
    pixels: int
    bytes: int


UPLOADS = Limits(FORMATS, MAX_PIXELS, MAX_BYTES)
OWN = Limits(
    (*FORMATS, *sorted(set(Image.OPEN) - {*FORMATS, *_NOT_READ})), 250_000_000, 2_000_000_000
)
"""Decoding one of the owner's photos takes at most 4 bytes a pixel of JPEG, 6 of PNG and TIFF, 10
of HEIF and AVIF, and 20 of WebP and JPEG 2000: up to 1, 1.5, 2.5 and 5 GB."""

ENDINGS = frozenset(
    ending
    for ending, kind in Image.registered_extensions().items()
    if kind in OWN.formats or kind == "MPO"  # MPO is several JPEGs in one file.
)

# The limits here are checked first; Pillow's own allows twice this. What it says of damaged
# metadata helps nobody, and would let strangers fill the log.
Image.MAX_IMAGE_PIXELS = OWN.pixels // 2
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

_DAMAGED = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""What decoders raise over damaged pictures."""


def open_image(
    source: Path | bytes, name: str | None = None, limits: Limits = UPLOADS
) -> Image.Image:
    """Decodes the first frame of a picture, turned upright by its EXIF orientation.

    Size limits are checked from the header, before any pixel is decoded. A picture of over
    `LARGE_PIXELS` comes back as RGB, or RGBA where it is transparent, at most `LONGEST` pixels a
    side; of those, only one is decoded at a time, so that a few small files cannot fill the memory.

    Args:
        source: a file, or the bytes of one.
        name: what to call the picture in messages; the file's name if left out.
        limits: what is read.

    Raises:
        ImageError: not a picture, truncated, over the limits, or with a side under `MIN_SIDE`
            pixels.
    """
    name = name or (source.name if isinstance(source, Path) else "the picture")

    def opened() -> ImageFile.ImageFile:
        return Image.open(
            source if isinstance(source, Path) else BytesIO(source), formats=limits.formats
        )

    try:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        check_bytes(size, name, limits)
        with opened() as image:
            check_size(image, name, limits)
            if image.width * image.height > LARGE_PIXELS:
                return _large_pictures.submit(_decode_small, image, opened, name, limits).result()
            loaded = _load(image, opened)
            check_size(loaded, name, limits)  # HEIF may turn out larger than its header says.
            return _upright(loaded.copy(), image)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} is far too large; the limit is {limits.pixels / 1e6:.0f} million pixels. "
            "Shrink it and try again."
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f"{name} is not there any more. Check the path and try again.") from error
    except PermissionError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise ImageError(
            f"{name} takes more memory than there is. Save it smaller and try again."
        ) from error
    except _DAMAGED as error:
        raise ImageError(
            f"{name} cannot be read as a picture; it may be damaged, cut short or of another "
            f"kind. Use one of {', '.join(FORMATS)}."
        ) from error


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its first bytes, whatever its name.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            Image.open(file, formats=(*FORMATS, "JPEG2000", "PSD", "QOI")).close()
        except _DAMAGED:
            return False
        except Image.DecompressionBombError:
            return True
    return True


def check_bytes(size: int, name: str = "the picture", limits: Limits = UPLOADS) -> None:
    """Raises ImageError when a file is too large."""
    if size > limits.bytes:
        raise ImageError(
            f"{name} has {size / 1e6:.0f} MB; the limit is {limits.bytes / 1e6:.0f} MB. "
            "Save it smaller and try again."
        )


def _load(image: ImageFile.ImageFile, opened: Callable[[], ImageFile.ImageFile]) -> Image.Image:
    """Decodes an opened picture; of 16-bit colours both bytes, where the high ones say little."""
    is_grey = any(tile.args == "LA;16B" for tile in image.tile)
    tiles = low_bytes(image)
    image.load()
    if tiles is None or any(sum(band.histogram()[64:]) for band in image.split()[:3]):
        return image
    with opened() as again:
        again.tile = tiles
        again.load()
        return join_bytes(image, again, grey=is_grey)


def _decode_small(
    image: ImageFile.ImageFile,
    opened: Callable[[], ImageFile.ImageFile],
    name: str,
    limits: Limits,
) -> Image.Image:
    """Decodes a large picture as RGB or RGBA, upright and at most `LONGEST` pixels a side."""
    width, height = image.size
    image.draft(None, (LONGEST, LONGEST))
    loaded = _load(image, opened)
    check_size(loaded, name, limits)
    factor = max(loaded.size) // (2 * LONGEST)
    if factor > 1 and loaded.mode in ("L", "LA", "RGB", "RGBA", "RGBX", "CMYK", "LAB", "I", "F"):
        loaded = loaded.reduce(factor)
    small = loaded.convert("RGBA") if is_transparent(loaded) else flatten(loaded)
    small.thumbnail((LONGEST, LONGEST), reducing_gap=2.0)
    if min(small.size) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels, which is too long and narrow. Crop it and try "
            "again."
        )
    return _upright(small, image)


def _upright(image: Image.Image, original: Image.Image) -> Image.Image:
    """A picture turned as the EXIF data of the original ask for; not at all if they are damaged."""
    try:
        orientation = original.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises whatever damaged EXIF data lead to.
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def check_size(image: Image.Image, name: str = "the picture", limits: Limits = UPLOADS) -> None:
    """Raises ImageError when a picture has too many pixels, or too few to show anything."""
    width, height = image.size
    if width * height > limits.pixels:
        raise ImageError(
            f"{name} is {width} x {height} pixels; the limit is {limits.pixels / 1e6:.0f} million "
            "pixels. Shrink it and try again."
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels; both sides need at least {MIN_SIDE}. "
            "Use a larger picture."
        )
