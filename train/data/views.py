"""Random views of a batch of frames, on whatever device the batch is.

Every sampled number comes from one generator, so that a batch depends on its seed only. How far
views may differ from their pictures is in `train.data.augmentation`.
"""

import math

import torch
from torch.nn import functional

from model.pictures.framing import MARGIN
from train.data.augmentation import (
    LEAST_HALF_SIDE,
    MIRROR_CHANCE,
    PHOTOS,
    SKETCHES,
    Range,
    Waves,
)
from train.networks.inputs import imagenet_normalised

AT_RANDOM, AS_IS, MIRRORED = -1, 0, 1
"""How a view is mirrored: with `MIRROR_CHANCE`, never, always."""

INK = 0.3
"""Ink from which a pixel counts as drawn, for framing; full ink is 1."""

BEGUN = 0.5
"""Ink that a half must have to count as a drawing that was begun."""

OUTSIDE = 2.0
"""A coordinate beyond any picture, which ends at -1 and 1."""


class RandomNumbers:
    """Random numbers on one device.

    Args:
        device: where they are drawn and used, so that nothing waits for a copy.
        generator: of that device; PyTorch's own if None.
    """

    def __init__(self, device: torch.device, generator: torch.Generator | None = None) -> None:
        self.device, self.generator = device, generator

    def uniform(self, *shape: int, within: Range) -> torch.Tensor:
        """Numbers of a range."""
        empty = torch.empty(shape, device=self.device)
        return empty.uniform_(*within, generator=self.generator)

    def rand(self, *shape: int) -> torch.Tensor:
        """Numbers from 0 to 1."""
        return torch.rand(shape, device=self.device, generator=self.generator)

    def normal(self, *shape: int) -> torch.Tensor:
        """Numbers of mean 0 and variance 1."""
        return torch.randn(shape, device=self.device, generator=self.generator)

    def happens(self, n: int, chance: float) -> torch.Tensor:
        """`(n, 1, 1, 1)`, true with this chance."""
        return self.rand(n, 1, 1, 1) < chance


def sketch_views(
    frames: torch.Tensor,
    size: int,
    strength: float = 1.0,
    generator: torch.Generator | None = None,
    mirroring: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sketches turned, stretched, bent, mirrored, shaky, half drawn, thicker, pale or grainy.

    Args:
        frames: `(n, h, w)` uint8, ink 0 on paper 255.
        size: side of the views in pixels.
        strength: 0 only mirrors, 1 uses the whole ranges.
        generator: of the frames' device; PyTorch's own if None.
        mirroring: `(n,)` of `AT_RANDOM`, `AS_IS` and `MIRRORED`; all random if None.

    Returns:
        `(n, 3, size, size)`, normalised as the encoder expects.
    """
    n, random, ranges = len(frames), RandomNumbers(frames.device, generator), SKETCHES
    ink = 1 - frames.unsqueeze(1).float() / 255
    for chance in ranges.thicker_chances:
        ink = torch.where(random.happens(n, chance * strength), _thicker(ink), ink)
    ink, halved = _half_drawn(ink, random, strength)
    maps = _affine(
        random,
        degrees=strength * random.uniform(n, within=ranges.degrees),
        zoom=1 + strength * random.uniform(n, within=ranges.zoom),
        stretch=strength * random.uniform(n, within=ranges.stretch),
        shift=strength * random.uniform(n, 2, within=ranges.shift),
        mirroring=mirroring,
    )
    centre, half_side = _extent(ink, halved)
    beside = torch.zeros(n, 2, 2, device=ink.device)
    maps = maps * half_side + torch.cat([beside, centre.unsqueeze(2)], dim=2)
    waves = torch.stack([_displacements(random, n, size, each) for each in ranges.waves]).sum(0)
    ink = _sample(ink, maps, size, "zeros", half_side.unsqueeze(3) * strength * waves)
    hole = random.happens(n, ranges.hole_chance * strength)
    ink = ink.masked_fill(hole & _box(random, n, size, ranges.hole_sides), 0)
    pale = 1 - strength * ranges.paler * random.rand(n, 1, 1, 1)
    grain = strength * ranges.grain * random.rand(n, 1, 1, 1) * random.rand(*ink.shape)
    grainy = random.happens(n, ranges.grain_chance * strength)
    ink = torch.where(grainy, ink * pale + grain, ink).clamp(0, 1)
    return imagenet_normalised((1 - ink).expand(-1, 3, -1, -1))


def photo_views(
    frames: torch.Tensor,
    size: int,
    strength: float = 1.0,
    generator: torch.Generator | None = None,
    mirroring: torch.Tensor | None = None,
) -> torch.Tensor:
    """Photos cropped, turned a little, mirrored, with other light and colour, some of them grey.

    Args:
        frames: `(n, h, w, 3)` uint8.
        size: side of the views in pixels.
        strength: 0 only mirrors, 1 uses the whole ranges.
        generator: of the frames' device; PyTorch's own if None.
        mirroring: `(n,)` of `AT_RANDOM`, `AS_IS` and `MIRRORED`; all random if None. Less is
            cut off photos that are not `AT_RANDOM`, since their pose is learned.

    Returns:
        `(n, 3, size, size)`, normalised as the encoder expects.
    """
    n, random, ranges = len(frames), RandomNumbers(frames.device, generator), PHOTOS
    photos = frames.permute(0, 3, 1, 2).float() / 255
    cut = random.uniform(n, within=ranges.cut)
    if mirroring is not None:
        less = ranges.cut_with_pose / ranges.cut[1]
        cut = torch.where(mirroring == AT_RANDOM, cut, cut * less)
    zoom = 1 / (1 - strength * cut)
    room = (1 - 1 / zoom).unsqueeze(1) + ranges.beyond * strength
    maps = _affine(
        random,
        degrees=strength * random.uniform(n, within=ranges.degrees),
        zoom=zoom,
        stretch=strength * random.uniform(n, within=ranges.stretch),
        shift=random.uniform(n, 2, within=(-1, 1)) * room * zoom.unsqueeze(1),
        mirroring=mirroring,
    )
    photos = _sample(photos, maps, size, "reflection")
    grey = photos.mean(dim=1, keepdim=True)
    saturation = 1 + strength * random.uniform(n, 1, 1, 1, within=ranges.saturation)
    saturation = saturation.masked_fill(random.happens(n, ranges.grey_chance * strength), 0)
    brightness = 1 + strength * random.uniform(n, 1, 1, 1, within=ranges.brightness)
    contrast = 1 + strength * random.uniform(n, 1, 1, 1, within=ranges.contrast)
    photos = grey + (photos - grey) * saturation
    mean = photos.mean(dim=(1, 2, 3), keepdim=True)
    photos = (mean + (photos - mean) * contrast) * brightness
    return imagenet_normalised(photos.clamp(0, 1))


def _affine(
    random: RandomNumbers,
    *,
    degrees: torch.Tensor,
    zoom: torch.Tensor,
    stretch: torch.Tensor,
    shift: torch.Tensor,
    mirroring: torch.Tensor | None,
) -> torch.Tensor:
    """`(n, 2, 3)` maps from output to input coordinates.

    `shift` is in half image sides of the output; `zoom` above 1 enlarges.
    """
    radians = degrees * (math.pi / 180)
    flipped = random.rand(len(degrees)) < MIRROR_CHANCE
    if mirroring is not None:
        flipped = torch.where(mirroring == AT_RANDOM, flipped, mirroring == MIRRORED)
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
    displacements: torch.Tensor | float = 0.0,
) -> torch.Tensor:
    n, channels = batch.shape[:2]
    grid = functional.affine_grid(maps, [n, channels, size, size], align_corners=False)
    return functional.grid_sample(
        batch, grid + displacements, padding_mode=padding, align_corners=False
    )


def _thicker(ink: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(ink, 3, stride=1, padding=1)


def _half_drawn(
    ink: torch.Tensor, random: RandomNumbers, strength: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sketches of which some lack a half, and `(n,)` which ones."""
    begun = ink * _side(ink, random)
    has_ink = begun.amax(dim=(1, 2, 3), keepdim=True) > BEGUN
    halved = random.happens(len(ink), SKETCHES.half_chance * strength) & has_ink
    return torch.where(halved, begun, ink), halved.flatten()


def _side(ink: torch.Tensor, random: RandomNumbers) -> torch.Tensor:
    """`(n, 1, h, w)`, 1 on one side of a random line, else 0."""
    n, _, height, width = ink.shape
    level = random.rand(n) < SKETCHES.half_level_chance
    angle = random.uniform(n, within=(0, 7)).masked_fill(level, math.pi / 2)  # 7: more than a turn
    across, down = (torch.linspace(-1, 1, side, device=ink.device) for side in (width, height))
    along = angle.cos().view(n, 1, 1) * across + angle.sin().view(n, 1, 1) * down.unsqueeze(1)
    kept = along < random.uniform(n, 1, 1, within=SKETCHES.half_line)
    return kept.unsqueeze(1).to(ink.dtype)


def _extent(ink: torch.Tensor, halved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The frame that `frame_sketch` would choose: centres `(n, 2)`, half sides `(n, 1, 1)`.

    In coordinates of -1 to 1. Sketches that are not `halved` keep the frame they have.
    """
    drawn = (ink > INK).squeeze(1)
    sides = []
    for axis in (1, 2):
        line = drawn.any(dim=axis)
        places = (torch.arange(line.shape[1], device=ink.device) + 0.5) * 2 / line.shape[1] - 1
        step = 1 / line.shape[1]
        low = places.masked_fill(~line, OUTSIDE).amin(dim=1) - step
        high = places.masked_fill(~line, -OUTSIDE).amax(dim=1) + step
        sides.append(torch.stack([low, high]))
    low, high = torch.stack(sides, dim=2)
    half_side = (high - low).amax(dim=1) / 2 * (1 + 2 * MARGIN)
    centre = ((low + high) / 2).masked_fill(~halved.unsqueeze(1), 0)
    return centre, half_side.masked_fill(~halved, 1).clamp(LEAST_HALF_SIDE, 1).view(-1, 1, 1)


def _displacements(random: RandomNumbers, n: int, size: int, waves: Waves) -> torch.Tensor:
    """`(n, size, size, 2)`, in half image sides."""
    height = random.uniform(n, 1, 1, 1, within=(0, waves.most))
    height = height.masked_fill(random.happens(n, waves.none_chance), 0)
    coarse = height * random.normal(n, 2, waves.points, waves.points).clamp(-2, 2)
    fine = functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def _box(random: RandomNumbers, n: int, size: int, sides: Range) -> torch.Tensor:
    """`(n, 1, size, size)`, true in one random rectangle of each image."""
    line = torch.linspace(0, 1, size, device=random.device)
    lengths = random.uniform(n, 2, within=sides)
    start = random.rand(n, 2) * (1 - lengths)
    inside = [
        (line >= start[:, i, None]) & (line <= start[:, i, None] + lengths[:, i, None])
        for i in (0, 1)
    ]
    return (inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(1)
