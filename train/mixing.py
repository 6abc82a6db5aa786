"""Mixtures of pictures, and what teachers say of them."""

from collections.abc import Sequence

import torch
from torch.nn.functional import interpolate, normalize

from train.precision import autocast
from train.runs import Run


@torch.no_grad()
def mix(
    teachers: Sequence[Run],
    views: torch.Tensor,
    others: torch.Tensor,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixtures of pictures in random shares, and the mean of the teachers' projections of them.

    A student that sees the same images as its teacher, and an endless supply of them, learns the
    teacher's function (Beyer et al. 2022, section 3.1, with mixup of Zhang et al. 2018).

    Args:
        teachers: their networks are on the views' device.
        views: `(n, 3, h, w)`, of the teachers' input size; smaller ones see them shrunk.
        others: `(m, 3, h, w)` to mix them with, in order, starting again after the last.
        generator: of the views' device, for the shares; PyTorch's own if None.

    Returns:
        `(n, 3, h, w)` mixtures and `(n, projection_size)` projections of length 1.
    """
    share = torch.rand(len(views), 1, 1, 1, device=views.device, generator=generator)
    partners = others[torch.arange(len(views), device=others.device) % len(others)]
    mixed = share * views + (1 - share) * partners
    mixed = mixed.contiguous(memory_format=torch.channels_last)
    said = []
    for teacher in teachers:
        seen = shrunk(mixed, teacher.config.input_size)
        with autocast(mixed.device, amp=teacher.config.amp):
            said.append(teacher.network.project(seen).float())
    return mixed, normalize(torch.stack(said).mean(dim=0), dim=1)


def shrunk(view: torch.Tensor, size: int) -> torch.Tensor:
    """Images of at most `size` pixels a side, by averaging over areas."""
    return interpolate(view, size, mode="area") if view.shape[-1] > size else view
