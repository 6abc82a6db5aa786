"""Converts pictures of any mode, bit depth and colour space to 8-bit sRGB."""

import sys
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

Tones = NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]

DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes with one channel of more than 8 bits."""

MAX_PROFILE = 16_000_000
"""Bytes of the largest ICC profile that is applied. Profiles of printing presses reach 3 MB."""

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""Pillow's mode for each colour space of ICC profiles."""

_FIT = {"RGB": ("L", "P", "RGB", "RGBX", "YCbCr", "HSV"), "L": ("1", "L")}
"""Modes of pictures that a profile for another mode also fits."""

_NATIVE, _OTHER = ("L", "B") if sys.byteorder == "little" else ("B", "L")
_SWAPPED = {"16B": "16L", "16L": "16B", "16N": f"16{_OTHER}"}
"""The other byte order: read with it, the low byte of a 16-bit sample comes first."""


def flatten(image: Image.Image) -> Image.Image:
    """Converts any mode to RGB in 8-bit sRGB. Transparent parts become white.

    An ICC profile is applied and then removed. Without a profile, or with a damaged one, sRGB is
    assumed. Deeper tones become 8 bits (see `eight_bits`).
    """
    profile = image.info.get("icc_profile")
    info = {k: v for k, v in image.info.items() if k not in ("icc_profile", "transparency")}
    if image.mode in DEEP_MODES:
        image = eight_bits(image)
    if is_transparent(image):
        colours = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(_to_srgb(image.convert(colours), profile), mask=image.getchannel("A"))
    else:
        flat = _to_srgb(image, profile)
    flat.info = info
    return flat


def is_transparent(image: Image.Image) -> bool:
    """Whether parts of a picture may be transparent."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def eight_bits(image: Image.Image) -> Image.Image:
    """Converts one channel of deep tones to mode L.

    Cameras and scanners often use only some of 16 bits. So integers are scaled by the smallest
    usual bit depth that holds them: 8, 10, 12, 14 or 16 bits; signed integers by 8 to 15 bits.
    Floating-point tones go from 0 to 1 if less than 1 % exceed 1; otherwise they are scaled like
    integers. If there are negative tones, the lowest becomes black and the highest white.
    """
    tones = np.asarray(image)
    if image.mode == "F":
        tones = np.nan_to_num(tones, nan=0, posinf=0, neginf=0)
    low, high = float(tones.min()), float(tones.max())
    if low < 0:
        span = high - low
    elif image.mode == "F" and high > 0 and np.quantile(tones, 0.99) <= 1:
        low, span = 0, 1
    else:
        low, span = 0, _full_scale(high, signed=image.mode == "I")
    if tones.dtype.itemsize == 2:
        return Image.fromarray(_scale(np.arange(65536, dtype=np.uint16), low, span)[tones])
    return Image.fromarray(_scale(tones, low, span))


def _full_scale(highest: float, *, signed: bool = False) -> float:
    """The largest number of the smallest usual bit depth that holds `highest`."""
    depths = (8, 10, 12, 14, 15, 16, 24, 31) if signed else (8, 10, 12, 14, 16, 24, 32)
    return next((2.0**bits - 1 for bits in depths if highest < 2.0**bits), highest)


def _scale(tones: Tones, low: float, span: float) -> NDArray[np.uint8]:
    scaled = (tones.astype(np.float32) - np.float32(low)) * np.float32(255 / max(span, 1e-30))
    return scaled.round().clip(0, 255).astype(np.uint8)


def low_bytes(image: ImageFile.ImageFile) -> list[ImageFile._Tile] | None:
    """A value for `image.tile` that makes Pillow load the low bytes of 16-bit colours.

    Pillow only loads the high bytes. They are nearly 0 if the tones use just 10 to 14 of 16 bits.

    Args:
        image: an opened picture that is not loaded yet.

    Returns:
        The tiles; None if the picture has no 16-bit colours.
    """
    tiles = []
    for tile in image.tile:
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        mode, _, depth = str(arguments[0]).partition(";")
        if mode == "LA" and depth:
            swapped = "RGBA"  # There is no "LA;16L". This reads all four bytes of grey and alpha.
        elif mode in ("RGB", "RGBX", "RGBA") and depth in _SWAPPED:
            swapped = f"{mode};{_SWAPPED[depth]}"
        else:
            return None
        changed = (swapped, *arguments[1:]) if isinstance(tile.args, tuple) else swapped
        tiles.append(tile._replace(args=changed))
    return tiles or None


def join_bytes(high: Image.Image, low: Image.Image, *, grey: bool) -> Image.Image:
    """Joins high and low bytes to 16-bit colours and scales them to 8 bits by their bit depth.

    Args:
        high: the high bytes, in mode RGB or RGBA.
        low: the low bytes, in mode RGB or RGBA.
        grey: whether the four channels of `low` are both bytes of grey and of alpha.
    """
    lows = [low.getchannel(i) for i in ((1, 1, 1, 3) if grey else range(len(high.getbands())))]
    deep = [
        np.asarray(one, np.uint16) << 8 | np.asarray(other, np.uint16)
        for one, other in zip(high.split(), lows, strict=True)
    ]
    spans = [_full_scale(max(int(band.max()) for band in deep[:3]))] * 3
    spans += [_full_scale(int(band.max())) for band in deep[3:]]
    bands = [Image.fromarray(_scale(band, 0, span)) for band, span in zip(deep, spans, strict=True)]
    joined = Image.merge(high.mode, bands)
    joined.info = dict(high.info)
    return joined


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    flat = None
    try:
        if isinstance(profile, bytes) and len(profile) <= MAX_PROFILE:
            flat = _apply(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        pass  # The profile is damaged.
    if flat is None and image.mode == "LAB":
        flat = _apply(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    return flat or image.convert("RGB")


def _apply(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image | None:
    """Applies a profile; None if it is for other modes or changes nothing."""
    mode = _MODES.get(profile.profile.xcolor_space.strip(), "")
    if image.mode != mode and image.mode not in _FIT.get(mode, ()):
        return None
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "RGB" and _changes_nothing(transform):
        return None
    return transform.apply(image if image.mode == mode else image.convert(mode))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform leaves colours as they are, like that of an sRGB profile."""
    steps = np.array(np.meshgrid(*[[0, 32, 96, 160, 224, 255]] * 3), np.uint8).reshape(3, 1, -1)
    colours = np.ascontiguousarray(steps.transpose(1, 2, 0))
    shown = np.asarray(transform.apply(Image.fromarray(colours)))
    return int(np.abs(shown.astype(int) - colours).max()) <= 1
