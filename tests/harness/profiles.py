"""Makes ICC profiles, following the ICC specification, version 2.4."""

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

D50 = (0.9642, 1.0, 0.8249)
D65 = (0.9505, 1.0, 1.0891)
PRIMARIES = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
}
"""x and y of red, green and blue. All three have the white point D65."""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_xyz(name: str) -> NDArray[np.float64]:
    """`(3, 3)`: linear colours of an RGB space to XYZ under D50, adapted by Bradford's matrix."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[name]]).T
    matrix = columns * np.linalg.solve(columns, np.array(D65))
    scale = (_BRADFORD @ D50) / (_BRADFORD @ D65)
    adapted: NDArray[np.float64] = np.linalg.solve(_BRADFORD, scale[:, None] * _BRADFORD) @ matrix
    return adapted


def srgb_of_xyz(xyz: ArrayLike) -> NDArray[np.float64]:
    """XYZ under D50, `(..., 3)`, as sRGB from 0 to 255, clipped (IEC 61966-2-1)."""
    linear = (np.asarray(xyz) @ np.linalg.inv(to_xyz("sRGB")).T).clip(0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(255 * curved)


def xyz_of_lab(lab: ArrayLike) -> NDArray[np.float64]:
    """L*, a*, b* under D50, `(..., 3)`, as XYZ (CIE 1976)."""
    lightness, a, b = np.moveaxis(np.asarray(lab, float), -1, 0)
    middle = (lightness + 16) / 116
    f = np.stack([middle + a / 500, middle, middle - b / 200], -1)
    return np.asarray(np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50)


def rgb_profile(name: str, gamma: float) -> bytes:
    """A profile with the primaries of a colour space and one gamma."""
    tags = {
        f"{letter}XYZ".encode(): _xyz(column)
        for letter, column in zip("rgb", to_xyz(name).T, strict=True)
    }
    curves = {f"{letter}TRC".encode(): _curve(gamma) for letter in "rgb"}
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags | curves)


def grey_profile(gamma: float) -> bytes:
    """A grey profile with one gamma."""
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": _curve(gamma)})


def cmyk_profile(
    corners: Mapping[tuple[int, int, int, int], tuple[float, float, float]],
) -> bytes:
    """A profile of a press.

    Args:
        corners: L*, a*, b* of combinations of inks, each 0 or 1. Other combinations are black.
    """
    grid = b""
    for number in range(16):
        inks = (number >> 3 & 1, number >> 2 & 1, number >> 1 & 1, number & 1)
        lightness, a, b = corners.get(inks, (0, 0, 0))
        grid += bytes([round(lightness * 2.55), round(a) + 128, round(b) + 128])
    ramp = bytes(range(256))
    one = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + one + 4 * ramp + grid + 3 * ramp
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": table, b"A2B1": table})


def _xyz(values: ArrayLike) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in np.ravel(values)))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _profile(space: bytes, between: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"test\0"
    described = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    copied = b"text" + bytes(4) + b"none\0"
    tags = {b"desc": described, b"cprt": copied, b"wtpt": _xyz(D50)} | tags
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"none", 0x02400000, kind, space, between
    )
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", *(round(v * 65536) for v in D50))
    return header.ljust(128, b"\0") + table + body
