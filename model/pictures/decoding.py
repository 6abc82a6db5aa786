"""Decodes pictures safely: many formats, limited size, turned upright.

Uploads have stricter limits (`UPLOADS`) than the owner's own photos (`OWN`).
"""

import os
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, ImageFile
from pillow_heif import register_heif_opener

from model.errors import ImageError
from model.pictures.colours import flatten as flatten
from model.pictures.colours import is_transparent as is_transparent
from model.pictures.colours import join_bytes, low_bytes

MAX_PIXELS = 50_000_000
"""Limit for uploads."""

MAX_BYTES = 30_000_000
"""Limit for uploads."""

LARGE_PIXELS = 4_000_000
"""Pictures with more pixels are decoded one at a time, and shrunk to `LONGEST`."""

LONGEST = 1600
"""Pixels of the longer side of a large picture after decoding."""

MIN_SIDE = 8
"""Minimum pixels of the shorter side."""

FORMATS = ("PNG", "JPEG", "WEBP", "HEIF", "GIF", "BMP", "TIFF", "AVIF")

# The limits below list the decoders that Pillow knows, so they are registered first.
register_heif_opener()
Image.init()
_NOT_READ = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
"""Formats that Pillow recognises, but passes on to another program or cannot decode."""


@dataclass(frozen=True)
class Limits:
    """Which pictures are accepted.

    Attributes:
        formats: Pillow's names of the formats.
        pixels: maximum width x height.
        bytes: maximum size of the file.
    """

    formats: tuple[str, ...]
    pixels: int
    bytes: int


UPLOADS = Limits(FORMATS, MAX_PIXELS, MAX_BYTES)
OWN = Limits(
    (*FORMATS, *sorted(set(Image.OPEN) - {*FORMATS, *_NOT_READ})), 250_000_000, 2_000_000_000
)
"""Decoding takes up to 4 bytes per pixel for JPEG, 6 for PNG and TIFF, 10 for HEIF and AVIF, and
20 for WebP and JPEG 2000. So the largest picture takes 1, 1.5, 2.5 or 5 GB of memory."""

ENDINGS = frozenset(
    ending
    for ending, kind in Image.registered_extensions().items()
    if kind in OWN.formats or kind == "MPO"  # MPO is several JPEGs in one file.
)
"""Endings of picture files, such as `.jpg`."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn a picture of each EXIF orientation upright."""

_DAMAGED = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""Errors that decoders raise for damaged pictures."""

_pools: dict[int, ThreadPoolExecutor] = {}


@cache
def _configure_pillow() -> None:
    """Sets Pillow's limit above ours, and hides warnings with which uploads could fill the log."""
    Image.MAX_IMAGE_PIXELS = OWN.pixels // 2  # Pillow raises an error above twice this number.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _large_pictures() -> ThreadPoolExecutor:
    """The thread of this process that decodes large pictures, one at a time to limit memory."""
    # A forked child does not inherit threads, so it needs a pool of its own.
    return _pools.setdefault(os.getpid(), ThreadPoolExecutor(1, "large pictures"))


def open_image(
    source: Path | bytes, name: str | None = None, limits: Limits = UPLOADS
) -> Image.Image:
    """Decodes the first frame of a picture and turns it upright by its EXIF orientation.

    Size limits are checked in the header, before any pixel is decoded. Only one picture of more
    than `LARGE_PIXELS` is decoded at a time, so that a few small files cannot fill the memory.

    Args:
        source: a file, or its content.
        name: the name of the picture in messages; by default the name of the file.
        limits: which pictures are accepted.

    Returns:
        The picture in its own mode. A picture of more than `LARGE_PIXELS` is RGB, or RGBA if it is
        transparent, and its longer side has at most `LONGEST` pixels.

    Raises:
        ImageError: the file is not a picture, is damaged or exceeds the limits, or a side has less
            than `MIN_SIDE` pixels.
    """
    _configure_pillow()
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
                return _large_pictures().submit(_decode_small, image, opened, name, limits).result()
            loaded = _load(image, opened)
            check_size(loaded, name, limits)  # HEIF can be larger than its header says.
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
        OSError: the file cannot be read.
    """
    _configure_pillow()
    with path.open("rb") as file:
        try:
            Image.open(file, formats=(*FORMATS, "JPEG2000", "PSD", "QOI")).close()
        except _DAMAGED:
            return False
        except Image.DecompressionBombError:
            return True
    return True


def check_bytes(size: int, name: str = "the picture", limits: Limits = UPLOADS) -> None:
    """Raises ImageError if a file is too large."""
    if size > limits.bytes:
        raise ImageError(
            f"{name} has {size / 1e6:.0f} MB; the limit is {limits.bytes / 1e6:.0f} MB. "
            "Save it smaller and try again."
        )


def _load(image: ImageFile.ImageFile, opened: Callable[[], ImageFile.ImageFile]) -> Image.Image:
    """Decodes an opened picture. 16-bit colours keep both bytes if the high bytes are nearly 0."""
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
    """Decodes a large picture as RGB or RGBA, upright, with sides of at most `LONGEST` pixels."""
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
    """Turns a picture upright by the EXIF data of the original, unless they are damaged."""
    try:
        orientation = original.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Damaged EXIF data lead to errors of many kinds.
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def check_size(image: Image.Image, name: str = "the picture", limits: Limits = UPLOADS) -> None:
    """Raises ImageError if a picture has too many pixels, or too few to show anything."""
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
