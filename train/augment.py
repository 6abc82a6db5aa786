"""Random views of a batch of frames, on whatever device the batch is."""

import math

import torch
from torch.nn import functional

from model.preprocess import MARGIN
from train.networks.inputs import normalise


def sketch_views(frames: torch.Tensor, size: int, strength: float = 1.0) -> torch.Tensor:
    """Sketches turned, stretched, bent, mirrored, shaky, half drawn, thicker, pale or grainy.

    Args:
        frames: `(n, h, w)` uint8, ink 0 on paper 255.
        size: side of the views in pixels.
        strength: 0 leaves only mirroring, 1 is the default range.

    Returns:
        `(n, 3, size, size)`, normalised as the encoder expects.
    """
    n = len(frames)
    ink = 1 - frames.unsqueeze(1).float() / 255
    ink = torch.where(_chance(ink, 0.25 * strength), _thicker(ink), ink)
    ink = torch.where(_chance(ink, 0.15 * strength), _thicker(ink), ink)
    begun = ink * _side(ink)
    some = begun.amax(dim=(1, 2, 3), keepdim=True) > 0.5
    halved = _chance(ink, 0.35 * strength) & some
    ink = torch.where(halved, begun, ink)
    maps = _affine(
        n,
        angle=strength * _uniform(n, -15, 15),
        zoom=1 + strength * _uniform(n, -0.22, 0.12),
        stretch=strength * _uniform(n, -0.2, 0.2),
        shift=strength * _uniform((n, 2), -0.1, 0.1),
    )
    centre, half = _extent(ink, halved.flatten().cpu())
    maps = maps * half + torch.cat([torch.zeros(n, 2, 2), centre.unsqueeze(2)], dim=2)
    wobble = half.unsqueeze(3) * strength * (_waves(n, size, 5, 0.06) + _waves(n, size, 16, 0.02))
    ink = _sample(ink, maps.to(ink.device), size, "zeros", wobble.to(ink.device))
    hole = _chance(ink, 0.2 * strength) & _box(n, size, 0.15, 0.45, ink.device)
    ink = ink.masked_fill(hole, 0)
    pale = 1 - strength * 0.4 * torch.rand(n, 1, 1, 1, device=ink.device)
    grain = strength * 0.2 * torch.rand(n, 1, 1, 1, device=ink.device) * torch.rand_like(ink)
    ink = torch.where(_chance(ink, 0.1 * strength), ink * pale + grain, ink).clamp(0, 1)
    return normalise((1 - ink).expand(-1, 3, -1, -1))


def photo_views(frames: torch.Tensor, size: int, strength: float = 1.0) -> torch.Tensor:
    """Photos cropped, turned a little, mirrored, with other light and colour, some of them grey.

    Args:
        frames: `(n, h, w, 3)` uint8.
        size: side of the views in pixels.
        strength: 0 leaves only mirroring, 1 is the default range.

    Returns:
        `(n, 3, size, size)`, normalised as the encoder expects.
    """
    n = len(frames)
    photos = frames.permute(0, 3, 1, 2).float() / 255
    zoom = 1 / (1 - strength * _uniform(n, 0, 0.4))
    room = (1 - 1 / zoom).unsqueeze(1) + 0.04 * strength
    grid = _affine(
        n,
        angle=strength * _uniform(n, -8, 8),
        zoom=zoom,
        stretch=strength * _uniform(n, -0.15, 0.15),
        shift=_uniform((n, 2), -1, 1) * room * zoom.unsqueeze(1),
    )
    photos = _sample(photos, grid.to(photos.device), size, "reflection")
    grey = photos.mean(dim=1, keepdim=True)
    colour = 1 + strength * _uniform((n, 1, 1, 1), -0.4, 0.4).to(photos.device)
    colour = colour.masked_fill(_chance(photos, 0.15 * strength), 0)
    light = 1 + strength * _uniform((n, 1, 1, 1), -0.3, 0.3).to(photos.device)
    contrast = 1 + strength * _uniform((n, 1, 1, 1), -0.3, 0.3).to(photos.device)
    photos = grey + (photos - grey) * colour
    mean = photos.mean(dim=(1, 2, 3), keepdim=True)
    photos = (mean + (photos - mean) * contrast) * light
    return normalise(photos.clamp(0, 1))


def _affine(
    n: int,
    *,
    angle: torch.Tensor,
    zoom: torch.Tensor,
    stretch: torch.Tensor,
    shift: torch.Tensor,
) -> torch.Tensor:
    """`(n, 2, 3)` maps from output to input coordinates, half of them mirrored.

    `shift` is in half image sides of the output; `zoom` above 1 enlarges.
    """
    radians = angle * (math.pi / 180)
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
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


def _side(ink: torch.Tensor) -> torch.Tensor:
    """`(n, 1, h, w)`, 1 on one side of a random line, which is often level: a drawing half done."""
    n, _, height, width = ink.shape
    angle = torch.where(torch.rand(n) < 0.5, torch.full((n,), math.pi / 2), _uniform(n, 0, 7))
    across, down = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
    along = angle.cos().view(n, 1, 1) * across + angle.sin().view(n, 1, 1) * down.unsqueeze(1)
    return (along < _uniform((n, 1, 1), -0.2, 0.4)).unsqueeze(1).to(ink)


def _extent(ink: torch.Tensor, halved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where ink is that `frame_sketch` would frame anew: centre `(n, 2)`, half side `(n, 1, 1)`.

    In coordinates of -1 to 1; those that are not `halved` keep the frame they have.
    """
    seen = (ink > 0.3).squeeze(1).cpu()
    sides = []
    for axis in (1, 2):
        line = seen.any(dim=axis)
        places = (torch.arange(line.shape[1]) + 0.5) * 2 / line.shape[1] - 1
        step = 1 / line.shape[1]
        low = places.masked_fill(~line, 2).amin(dim=1) - step
        high = places.masked_fill(~line, -2).amax(dim=1) + step
        sides.append(torch.stack([low, high]))
    low, high = torch.stack(sides, dim=2)
    half = (high - low).amax(dim=1) / 2 * (1 + 2 * MARGIN)
    centre = ((low + high) / 2).masked_fill(~halved.unsqueeze(1), 0)
    return centre, half.masked_fill(~halved, 1).clamp(0.1, 1).view(-1, 1, 1)


def _waves(n: int, size: int, points: int, most: float) -> torch.Tensor:
    """`(n, size, size, 2)` smooth random displacements, in half image sides; half are none."""
    height = _uniform((n, 1, 1, 1), 0, most).masked_fill(torch.rand(n, 1, 1, 1) < 0.5, 0)
    coarse = height * torch.randn(n, 2, points, points).clamp(-2, 2)
    fine = functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def _uniform(shape: int | tuple[int, ...], low: float, high: float) -> torch.Tensor:
    return torch.empty(shape).uniform_(low, high)


def _chance(batch: torch.Tensor, probability: float) -> torch.Tensor:
    """`(n, 1, 1, 1)` of true and false."""
    return torch.rand(len(batch), 1, 1, 1, device=batch.device) < probability


def _box(n: int, size: int, low: float, high: float, device: torch.device) -> torch.Tensor:
    """`(n, 1, size, size)`, true in one random rectangle of each image."""
    line = torch.linspace(0, 1, size, device=device)
    sides = _uniform((n, 2), low, high).to(device)
    start = torch.rand(n, 2, device=device) * (1 - sides)
    inside = [
        (line >= start[:, i, None]) & (line <= start[:, i, None] + sides[:, i, None])
        for i in (0, 1)
    ]
    return (inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(1)
