"""Random views of a batch of frames, on whatever device the batch is."""

import math

import torch
from torch.nn import functional

from model.pictures.framing import MARGIN
from train.networks.inputs import normalise

CUT = 0.4
"""Largest share of a photo's side that is cut off."""

CUT_OF_POSED = 0.15
"""The same for photos whose pose is learned."""


class Chances:
    """Random numbers that are drawn on one device.

    Args:
        device: where they are drawn and used, so that nothing waits for a copy.
        generator: of that device; without it, PyTorch's own.
    """

    def __init__(self, device: torch.device, generator: torch.Generator | None = None) -> None:
        self.device, self.generator = device, generator

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Numbers from `low` to `high`."""
        empty = torch.empty(shape, device=self.device)
        return empty.uniform_(low, high, generator=self.generator)

    def rand(self, *shape: int) -> torch.Tensor:
        """Numbers from 0 to 1."""
        return torch.rand(shape, device=self.device, generator=self.generator)

    def normal(self, *shape: int) -> torch.Tensor:
        """Numbers of mean 0 and variance 1."""
        return torch.randn(shape, device=self.device, generator=self.generator)

    def happens(self, n: int, probability: float) -> torch.Tensor:
        """`(n, 1, 1, 1)` of true and false."""
        return self.rand(n, 1, 1, 1) < probability


def sketch_views(
    frames: torch.Tensor,
    size: int,
    strength: float = 1.0,
    generator: torch.Generator | None = None,
    mirrored: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sketches turned, stretched, bent, mirrored, shaky, half drawn, thicker, pale or grainy.

    Args:
        frames: `(n, h, w)` uint8, ink 0 on paper 255.
        size: side of the views in pixels.
        strength: 0 leaves only mirroring, 1 is the default range.
        generator: of the frames' device; without it, PyTorch's own.
        mirrored: `(n,)`, 1 for a mirrored view, 0 for one that is not, below 0 for either.

    Returns:
        `(n, 3, size, size)`, normalised as the encoder expects.
    """
    n, chances = len(frames), Chances(frames.device, generator)
    ink = 1 - frames.unsqueeze(1).float() / 255
    ink = torch.where(chances.happens(n, 0.25 * strength), _thicker(ink), ink)
    ink = torch.where(chances.happens(n, 0.15 * strength), _thicker(ink), ink)
    begun = ink * _side(ink, chances)
    some = begun.amax(dim=(1, 2, 3), keepdim=True) > 0.5
    halved = chances.happens(n, 0.35 * strength) & some
    ink = torch.where(halved, begun, ink)
    maps = _affine(
        chances,
        angle=strength * chances.uniform(n, low=-15, high=15),
        zoom=1 + strength * chances.uniform(n, low=-0.22, high=0.12),
        stretch=strength * chances.uniform(n, low=-0.2, high=0.2),
        shift=strength * chances.uniform(n, 2, low=-0.1, high=0.1),
        mirrored=mirrored,
    )
    centre, half = _extent(ink, halved.flatten())
    beside = torch.zeros(n, 2, 2, device=ink.device)
    maps = maps * half + torch.cat([beside, centre.unsqueeze(2)], dim=2)
    waves = _waves(chances, n, size, 5, 0.06) + _waves(chances, n, size, 16, 0.02)
    ink = _sample(ink, maps, size, "zeros", half.unsqueeze(3) * strength * waves)
    hole = chances.happens(n, 0.2 * strength) & _box(chances, n, size, 0.15, 0.45)
    ink = ink.masked_fill(hole, 0)
    pale = 1 - strength * 0.4 * chances.rand(n, 1, 1, 1)
    grain = strength * 0.2 * chances.rand(n, 1, 1, 1) * chances.rand(*ink.shape)
    grained = chances.happens(n, 0.1 * strength)
    ink = torch.where(grained, ink * pale + grain, ink).clamp(0, 1)
    return normalise((1 - ink).expand(-1, 3, -1, -1))


def photo_views(
    frames: torch.Tensor,
    size: int,
    strength: float = 1.0,
    generator: torch.Generator | None = None,
    mirrored: torch.Tensor | None = None,
) -> torch.Tensor:
    """Photos cropped, turned a little, mirrored, with other light and colour, some of them grey.

    Args:
        frames: `(n, h, w, 3)` uint8.
        size: side of the views in pixels.
        strength: 0 leaves only mirroring, 1 is the default range.
        generator: of the frames' device; without it, PyTorch's own.
        mirrored: `(n,)`, 1 for a mirrored view, 0 for one that is not, below 0 for either. Where
            it is told, a pose is to be seen, and less of the photo is cut off.

    Returns:
        `(n, 3, size, size)`, normalised as the encoder expects.
    """
    n, chances = len(frames), Chances(frames.device, generator)
    photos = frames.permute(0, 3, 1, 2).float() / 255
    cut = chances.uniform(n, low=0, high=CUT)
    if mirrored is not None:
        cut = torch.where(mirrored < 0, cut, cut * (CUT_OF_POSED / CUT))
    zoom = 1 / (1 - strength * cut)
    room = (1 - 1 / zoom).unsqueeze(1) + 0.04 * strength
    grid = _affine(
        chances,
        angle=strength * chances.uniform(n, low=-8, high=8),
        zoom=zoom,
        stretch=strength * chances.uniform(n, low=-0.15, high=0.15),
        shift=chances.uniform(n, 2, low=-1, high=1) * room * zoom.unsqueeze(1),
        mirrored=mirrored,
    )
    photos = _sample(photos, grid, size, "reflection")
    grey = photos.mean(dim=1, keepdim=True)
    colour = 1 + strength * chances.uniform(n, 1, 1, 1, low=-0.4, high=0.4)
    colour = colour.masked_fill(chances.happens(n, 0.15 * strength), 0)
    light = 1 + strength * chances.uniform(n, 1, 1, 1, low=-0.3, high=0.3)
    contrast = 1 + strength * chances.uniform(n, 1, 1, 1, low=-0.3, high=0.3)
    photos = grey + (photos - grey) * colour
    mean = photos.mean(dim=(1, 2, 3), keepdim=True)
    photos = (mean + (photos - mean) * contrast) * light
    return normalise(photos.clamp(0, 1))


def _affine(
    chances: Chances,
    *,
    angle: torch.Tensor,
    zoom: torch.Tensor,
    stretch: torch.Tensor,
    shift: torch.Tensor,
    mirrored: torch.Tensor | None,
) -> torch.Tensor:
    """`(n, 2, 3)` maps from output to input coordinates, half of them mirrored unless told.

    `shift` is in half image sides of the output; `zoom` above 1 enlarges.
    """
    radians = angle * (math.pi / 180)
    flipped = chances.rand(len(angle)) < 0.5
    if mirrored is not None:
        flipped = torch.where(mirrored < 0, flipped, mirrored == 1)
    mirror = 1 - 2 * flipped.float()
    x, y = (1 + stretch / 2) / zoom, (1 - stretch / 2) / zoom
    rows = torch.stack(
        [
            torch.stack([mirror * x * radians.cos(), -x * radians.sin(), shift[:, 0] / zoom], 1),
            torch.stack([mirror * y * radians.sin(), y * radians.cos(), shift[:, 1] / zoom], 1),
        ],
        1,
    )
    return rows


def _sample(
    batch: torch.Tensor,
    maps: torch.Tensor,
    size: int,
    padding: str,
    wobble: torch.Tensor | float = 0.0,
) -> torch.Tensor:
    n, channels = batch.shape[:2]
    grid = functional.affine_grid(maps, [n, channels, size, size], align_corners=False) + wobble
    return functional.grid_sample(batch, grid, padding_mode=padding, align_corners=False)


def _thicker(ink: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(ink, 3, stride=1, padding=1)


def _side(ink: torch.Tensor, chances: Chances) -> torch.Tensor:
    """`(n, 1, h, w)`, 1 on one side of a random line, which is often level: a drawing half done."""
    n, _, height, width = ink.shape
    level = chances.rand(n) < 0.5
    angle = chances.uniform(n, low=0, high=7).masked_fill(level, math.pi / 2)
    across, down = (torch.linspace(-1, 1, side, device=ink.device) for side in (width, height))
    along = angle.cos().view(n, 1, 1) * across + angle.sin().view(n, 1, 1) * down.unsqueeze(1)
    kept = along < chances.uniform(n, 1, 1, low=-0.2, high=0.4)
    return kept.unsqueeze(1).to(ink.dtype)


def _extent(ink: torch.Tensor, halved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where ink is that `frame_sketch` would frame anew: centre `(n, 2)`, half side `(n, 1, 1)`.

    In coordinates of -1 to 1; those that are not `halved` keep the frame they have.
    """
    seen = (ink > 0.3).squeeze(1)
    sides = []
    for axis in (1, 2):
        line = seen.any(dim=axis)
        places = (torch.arange(line.shape[1], device=ink.device) + 0.5) * 2 / line.shape[1] - 1
        step = 1 / line.shape[1]
        low = places.masked_fill(~line, 2).amin(dim=1) - step
        high = places.masked_fill(~line, -2).amax(dim=1) + step
        sides.append(torch.stack([low, high]))
    low, high = torch.stack(sides, dim=2)
    half = (high - low).amax(dim=1) / 2 * (1 + 2 * MARGIN)
    centre = ((low + high) / 2).masked_fill(~halved.unsqueeze(1), 0)
    return centre, half.masked_fill(~halved, 1).clamp(0.1, 1).view(-1, 1, 1)


def _waves(chances: Chances, n: int, size: int, points: int, most: float) -> torch.Tensor:
    """`(n, size, size, 2)` smooth random displacements, in half image sides; half are none."""
    height = chances.uniform(n, 1, 1, 1, low=0, high=most)
    height = height.masked_fill(chances.happens(n, 0.5), 0)
    coarse = height * chances.normal(n, 2, points, points).clamp(-2, 2)
    fine = functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def _box(chances: Chances, n: int, size: int, low: float, high: float) -> torch.Tensor:
    """`(n, 1, size, size)`, true in one random rectangle of each image."""
    line = torch.linspace(0, 1, size, device=chances.device)
    sides = chances.uniform(n, 2, low=low, high=high)
    start = chances.rand(n, 2) * (1 - sides)
    inside = [
        (line >= start[:, i, None]) & (line <= start[:, i, None] + sides[:, i, None])
        for i in (0, 1)
    ]
    return (inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(1)
