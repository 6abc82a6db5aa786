"""Depthwise convolutions that train fast in bf16 on CPUs.

Where a depthwise kernel has 5 x 5 weights or a stride of 2, PyTorch's CPU backend has no fast
backward pass in bf16: it takes up to 50 times as long as the forward pass. The gradients below are
the same numbers, put together from convolutions of stride 1 and of 3 x 3 weights, which are fast.
An EfficientNet-Lite2 then trains about twice as fast.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def speed_up_depthwise(network: nn.Module) -> None:
    """Replaces the depthwise convolutions inside of `network`; names of weights stay the same."""
    for name, child in network.named_children():
        if isinstance(child, nn.Conv2d) and child.groups == child.in_channels > 1:
            setattr(network, name, DepthwiseConv2d(child))
        else:
            speed_up_depthwise(child)


class DepthwiseConv2d(nn.Module):
    """A depthwise convolution with an odd square kernel and no bias, sharing its weight.

    Args:
        convolution: with zeros around its input as `padding` or, as in the EfficientNet-Lite
            package, as a layer `static_padding`.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.stride = convolution.weight, convolution.stride[0]
        given = getattr(convolution, "static_padding", None)
        vertical, horizontal = (int(p) for p in convolution.padding)
        around = (horizontal, horizontal, vertical, vertical)
        self.padding: nn.Module = given if given is not None else nn.ZeroPad2d(around)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        padded, weight = self.padding(batch), self.weight
        if torch.is_autocast_enabled(batch.device.type):
            padded, weight = padded.bfloat16(), weight.bfloat16()
        convolved: torch.Tensor = _Depthwise.apply(padded, weight, self.stride)
        return convolved


class _Depthwise(torch.autograd.Function):
    """`conv2d(batch, weight, stride=stride, groups=channels)` without padding."""

    @staticmethod
    def forward(
        context: Any, batch: torch.Tensor, weight: torch.Tensor, stride: int
    ) -> torch.Tensor:
        batch = batch.contiguous(memory_format=torch.channels_last)
        context.save_for_backward(batch, weight)
        context.stride = stride
        return functional.conv2d(batch, weight, stride=stride, groups=batch.shape[1])

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        batch, weight = context.saved_tensors
        channels, side = batch.shape[1], weight.shape[-1]
        height, width = batch.shape[2] - side + 1, batch.shape[3] - side + 1
        dense = gradient.contiguous(memory_format=torch.channels_last)
        if context.stride > 1:
            # As if the stride were 1, with zeros for the outputs that were left out.
            dense = gradient.new_zeros(len(batch), channels, height, width)
            dense = dense.contiguous(memory_format=torch.channels_last)
            dense[:, :, :: context.stride, :: context.stride] = gradient
        of_batch = functional.conv2d(dense, weight.flip(2, 3), padding=side - 1, groups=channels)
        of_weight = torch.empty_like(weight)
        corners = sorted({*range(0, side - 2, 3), side - 3})
        for top in corners:
            for left in corners:
                seen = batch[:, :, top : top + height + 2, left : left + width + 2]
                part = _weight_gradient(dense, seen, weight[:, :, :3, :3])
                of_weight[:, :, top : top + 3, left : left + 3] = part
        return of_batch, of_weight, None


def _weight_gradient(
    gradient: torch.Tensor, batch: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """The gradient of the weight of a depthwise convolution without stride or padding."""
    found: torch.Tensor = torch.ops.aten.convolution_backward(
        gradient,
        batch.contiguous(memory_format=torch.channels_last),
        weight.contiguous(),
        None,
        stride=[1, 1],
        padding=[0, 0],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=batch.shape[1],
        output_mask=[False, True, False],
    )[1]
    return found
