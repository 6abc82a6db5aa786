"""Mixtures of pictures, and what a teacher says of them."""

import torch

from train.precision import autocast
from train.runs import Run


@torch.no_grad()
def mix(
    teacher: Run,
    views: torch.Tensor,
    others: torch.Tensor,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixtures of pictures in random shares, and the teacher's projections of them.

    A student that sees the same images as its teacher, and an endless supply of them, learns the
    teacher's function (Beyer et al. 2022, section 3.1, with mixup of Zhang et al. 2018).

    Args:
        teacher: its network is on the views' device.
        views: `(n, 3, h, w)`, of the teacher's input size.
        others: `(m, 3, h, w)` to mix them with, in order, starting again after the last.
        generator: of the views' device, for the shares; PyTorch's own if None.

    Returns:
        `(n, 3, h, w)` mixtures and `(n, projection_size)` projections.
    """
    share = torch.rand(len(views), 1, 1, 1, device=views.device, generator=generator)
    partners = others[torch.arange(len(views), device=others.device) % len(others)]
    mixed = share * views + (1 - share) * partners
    mixed = mixed.contiguous(memory_format=torch.channels_last)
    with autocast(mixed.device, amp=teacher.config.amp):
        return mixed, teacher.network.project(mixed).float()
