"""Reading pictures safely: any format, mode or transparency, bounded in size."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from model.errors import ImageError

MAX_PIXELS = 50_000_000
MAX_BYTES = 30_000_000
MIN_SIDE = 8
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

_16_BIT_MODES = ("I;16", "I;16L", "I;16B", "I")


def open_image(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Decodes the first frame of a picture, turned upright by its EXIF orientation.

    Size limits are checked from the header, before any pixel is decoded.

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
        if size > MAX_BYTES:
            raise ImageError(
                f"{name} has {size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB. "
                "Save it smaller and try again."
            )
        with warnings.catch_warnings():
            # MAX_PIXELS is the limit here; Pillow's own, larger one would only warn.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(
                source if isinstance(source, Path) else BytesIO(source), formats=FORMATS
            ) as image:
                check_size(image, name)
                image.load()
                upright = ImageOps.exif_transpose(image)
                return upright if upright is not None else image.copy()
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} is far too large; the limit is {MAX_PIXELS / 1e6:.0f} million pixels. "
            "Shrink it and try again."
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f"{name} is not there any more. Check the path and try again.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(
            f"{name} cannot be read as a picture; it may be damaged, cut short or of another "
            f"kind. Use one of {', '.join(FORMATS)}."
        ) from error


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
    """Any mode to RGB; what is transparent becomes white paper, 16 bits become 8."""
    if image.mode in _16_BIT_MODES:
        tones = np.asarray(image.convert("I")).clip(0, 65535)
        eight_bits = tones // 257 if tones.max() > 255 else tones
        return Image.fromarray(eight_bits.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")
