"""Colours and tones, compared with values computed in NumPy."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from model.pictures.colours import flatten
from model.pictures.decoding import open_image
from tests.harness.profiles import (
    cmyk_profile,
    grey_profile,
    rgb_profile,
    srgb_of_xyz,
    to_xyz,
    xyz_of_lab,
)

COLOURS = np.array(
    [[200, 80, 60], [40, 160, 90], [60, 70, 190], [250, 250, 250], [128, 128, 128], [0, 0, 0]],
    np.uint8,
)


def stripes(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`(16, 16 n, c)`: n colours side by side."""
    return np.repeat(np.repeat(colours[None], 16, axis=0), 16, axis=1)


def seen(image: Image.Image, kind: str, **options: Any) -> NDArray[np.int_]:
    """The RGB colour in the middle of each stripe, after saving and opening a file."""
    data = io.BytesIO()
    image.save(data, kind, **options)
    shown = flatten(open_image(data.getvalue()))
    assert shown.mode == "RGB"
    assert "icc_profile" not in shown.info
    assert flatten(shown).tobytes() == shown.tobytes(), "colours must not be converted twice"
    return np.asarray(shown)[8, 8::16].astype(int)


@pytest.mark.parametrize(("name", "gamma"), [("Display P3", 2.2), ("Adobe RGB", 2.19921875)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_colours_of_a_wide_space_become_srgb(name: str, gamma: float, kind: str) -> None:
    linear = (COLOURS / 255) ** gamma
    expected = srgb_of_xyz(linear @ to_xyz(name).T)
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
        "HEIF": {"quality": -1, "chroma": 444},
    }
    profile = rgb_profile(name, gamma)
    shown = seen(
        Image.fromarray(stripes(COLOURS)), kind, icc_profile=profile, **options.get(kind, {})
    )
    assert np.abs(shown - expected).max() <= 3
    assert np.abs(expected - COLOURS).max() > 15, "the space makes a difference"


def test_transparent_pictures_and_palettes_have_their_profile_applied() -> None:
    expected = srgb_of_xyz((COLOURS / 255) ** 2.2 @ to_xyz("Display P3").T)
    profile = rgb_profile("Display P3", 2.2)
    opaque = Image.fromarray(stripes(COLOURS))
    glass = opaque.convert("RGBA")
    glass.paste((0, 0, 0, 0), (0, 0, 16, 16))
    shown = seen(glass, "PNG", icc_profile=profile)
    assert shown[0].tolist() == [255, 255, 255]
    assert np.abs(shown[1:] - expected[1:]).max() <= 1
    shown = seen(opaque.quantize(16, dither=Image.Dither.NONE), "PNG", icc_profile=profile)
    assert np.abs(shown - expected).max() <= 1


def test_grey_with_a_profile_has_its_tones() -> None:
    tones = np.array([0, 30, 90, 128, 200, 255], np.uint8)
    expected = srgb_of_xyz((tones[:, None] / 255) ** 1.0 * [0.9642, 1, 0.8249])
    grey = Image.fromarray(stripes(tones))
    for image in (grey, grey.convert("LA")):
        shown = seen(image, "PNG", icc_profile=grey_profile(1.0))
        assert np.abs(shown - expected).max() <= 1
    assert expected[3, 0] > 180, "half of the light is a bright tone"


def test_a_cmyk_picture_has_the_colours_of_its_profile() -> None:
    corners = {
        (0, 0, 0, 0): (100, 0, 0),
        (1, 0, 0, 0): (60, -30, -40),
        (0, 1, 0, 0): (50, 65, -5),
        (0, 0, 1, 0): (90, -5, 80),
        (0, 1, 1, 0): (50, 60, 40),
    }
    inks = 255 * np.array(list(corners), np.uint8)
    # Unlike a real press, this profile gives pure white and black.
    expected = srgb_of_xyz(xyz_of_lab(list(corners.values())))
    image = Image.frombytes("CMYK", (80, 16), stripes(inks).tobytes())
    for kind in ("TIFF", "JPEG"):
        shown = seen(image, kind, icc_profile=cmyk_profile(corners), **{"quality": 100})
        assert np.abs(shown - expected).max() <= 6
    naive = np.asarray(image.convert("RGB"))[8, 8::16]
    assert np.abs(naive - expected).max() > 60, "the profile makes a difference"


def test_lab_pictures_have_their_colours() -> None:
    lab = np.array([[50, 60, 40], [60, -30, -40], [100, 0, 0], [0, 0, 0]])
    lab[:, 0] = np.round(lab[:, 0] * 2.55)
    image = Image.frombytes("LAB", (64, 16), stripes(lab.astype(np.uint8)).tobytes())
    lab[:, 0] = [50, 60, 100, 0]
    shown = seen(image, "TIFF")
    assert np.abs(shown - srgb_of_xyz(xyz_of_lab(lab))).max() <= 4


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"no profile",
        rgb_profile("Display P3", 2.2)[:200],
        rgb_profile("Display P3", 2.2)[:-20],
        b"\0" * 5000,
        grey_profile(1.0),  # for another mode
        cmyk_profile({}),
    ],
)
def test_a_damaged_or_foreign_profile_leaves_the_colours_as_they_are(profile: bytes) -> None:
    image = Image.fromarray(stripes(COLOURS))
    assert np.array_equal(seen(image, "PNG", icc_profile=profile), COLOURS)
    assert np.array_equal(seen(image, "TIFF", icc_profile=profile), COLOURS)


def test_srgb_does_not_change_a_bit() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.info["icc_profile"] = profile
    assert np.array_equal(np.asarray(flatten(image)), noise)


def png(samples: NDArray[Any], colour_type: int) -> bytes:
    """A PNG with 16 bits per sample, built from its specification."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff(
    samples: NDArray[Any], kind: int, extra: int | None = None, *, packed: bool = False
) -> bytes:
    """A TIFF in the byte order of `samples`, built from its specification.

    Args:
        samples: `(height, width)` or `(height, width, channels)`.
        kind: 1 unsigned, 2 signed, 3 floating-point.
        extra: the meaning of the last channel; 2 is alpha.
        packed: whether it is compressed with zlib, so that libtiff reads it.
    """
    order = ">" if samples.dtype.byteorder == ">" else "<"
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    data = zlib.compress(samples.tobytes()) if packed else samples.tobytes()
    bits = 8 * samples.dtype.itemsize
    colours = channels - (extra is not None)
    tags = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels),
        (259, 3, [8 if packed else 1]),
        (262, 3, [2 if colours == 3 else 1]), (273, 4, [8]), (277, 3, [channels]),
        (278, 4, [height]), (279, 4, [len(data)]), (339, 3, [kind] * channels),
    ]  # fmt: skip
    if extra is not None:
        tags.insert(-1, (338, 3, [extra]))
    start = 8 + len(data) + len(data) % 2
    elsewhere, entries = b"", b""
    for tag, form, values in tags:
        value = struct.pack(f"{order}{len(values)}{'H' if form == 3 else 'I'}", *values)
        if len(value) > 4:
            place = start + 2 + 12 * len(tags) + 4 + len(elsewhere)
            elsewhere, value = elsewhere + value, struct.pack(f"{order}I", place)
        entries += struct.pack(f"{order}HHI", tag, form, len(values)) + value.ljust(4, b"\0")
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", start)
    count = struct.pack(f"{order}H", len(tags))
    return head + data + bytes(len(data) % 2) + count + entries + bytes(4) + elsewhere


def grey_of(data: bytes) -> NDArray[np.int_]:
    return np.asarray(flatten(open_image(data)))[..., 0].astype(int)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_tones_of_fewer_bits_in_16_fill_the_range(bits: int) -> None:
    full = 2**bits - 1
    ramp = np.tile(np.round(np.linspace(0, full, 256)), (12, 1))
    expected = np.round(ramp / full * 255)
    short = ramp.astype("<u2")
    for data in (png(ramp, 0), tiff(short, 1), tiff(ramp.astype(">u2"), 1)):
        assert np.abs(grey_of(data) - expected).max() <= 1
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        packed = io.BytesIO()
        Image.fromarray(ramp.astype(np.uint16)).save(packed, "TIFF", compression=compression)
        assert np.abs(grey_of(packed.getvalue()) - expected).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_colours_of_fewer_bits_in_16_fill_the_range(bits: int) -> None:
    full = 2**bits - 1
    ramp = np.round(np.linspace(0, full, 256))
    colours = np.stack([ramp, ramp[::-1], np.full(256, full // 3)], -1)
    tones = np.repeat(colours[None], 12, axis=0)
    expected = np.round(tones / full * 255)
    alpha = np.full((*tones.shape[:2], 1), 65535)
    glass = np.concatenate([tones, alpha], -1)
    for data in (
        png(tones, 2),
        png(glass, 6),
        tiff(tones.astype("<u2"), 1),
        tiff(tones.astype(">u2"), 1),
        tiff(tones.astype("<u2"), 1, packed=True),
        tiff(tones.astype(">u2"), 1, packed=True),
        tiff(glass.astype("<u2"), 1, extra=2, packed=True),
        tiff(glass.astype("<u2"), 1, extra=2),
    ):
        assert np.abs(np.asarray(flatten(open_image(data))) - expected).max() <= 1


def test_grey_with_alpha_of_fewer_bits_in_16_fills_the_range() -> None:
    ramp = np.tile(np.round(np.linspace(0, 4095, 256)), (12, 1))
    glass = np.stack([ramp, np.full(ramp.shape, 65535)], -1)
    glass[:4, :, 1] = 0
    shown = grey_of(png(glass, 4))
    assert (shown[:4] == 255).all()
    assert np.abs(shown[4:] - np.round(ramp[4:] / 4095 * 255)).max() <= 1


def test_a_dark_photo_of_16_bits_stays_dark() -> None:
    tones = np.tile(np.linspace(0, 20_000, 256), (12, 1))
    tones[0, 0] = 65535
    assert np.abs(grey_of(png(tones, 0))[1:] - np.round(tones[1:] / 257)).max() <= 1


@pytest.mark.parametrize(
    ("low", "high"), [(-32768, 32767), (0, 32767), (-2048, 2047), (0, 4095), (-1024, 3071)]
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_tones_fill_the_range(low: int, high: int, order: str) -> None:
    ramp = np.tile(np.round(np.linspace(low, high, 256)), (12, 1)).astype(f"{order}i2")
    expected = np.round((ramp.astype(float) - low) / (high - low) * 255)
    assert np.abs(grey_of(tiff(ramp, 2)) - expected).max() <= 1


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 255), (0, 4095), (0, 65535), (-1, 1), (-500, 800)]
)
def test_floating_point_tones_fill_the_range(low: float, high: float) -> None:
    ramp = np.tile(np.linspace(low, high, 256), (12, 1)).astype("<f4")
    expected = (ramp - low) / (high - low) * 255
    assert np.abs(grey_of(tiff(ramp, 3)) - expected).max() <= 1


def test_floating_point_tones_with_highlights_and_holes_are_not_black() -> None:
    tones = np.tile(np.linspace(0, 1, 256), (12, 1)).astype("<f4")
    expected = tones * 255
    tones[0, :20], tones[1, :20], tones[2, :20] = 7.5, np.nan, np.inf
    shown = grey_of(tiff(tones, 3))
    assert np.abs(shown[3:] - expected[3:]).max() <= 1
    assert (shown[0, :20] == 255).all()


@pytest.mark.parametrize("mode", ["PA", "La", "RGBa", "RGBX", "YCbCr", "HSV", "LAB"])
def test_further_modes_become_rgb(mode: str) -> None:
    assert flatten(Image.new(mode, (20, 20))).mode == "RGB"
