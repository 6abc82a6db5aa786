"""Convolutions that train fast on CPUs; outputs and gradients are the same except for rounding.

For depthwise kernels of 5 x 5 weights or with a stride of 2, PyTorch's CPU backend has no fast
backward pass in bf16: it takes up to 50 times as long as the forward pass. Here the gradients are
composed of convolutions with a stride of 1 and 3 x 3 weights, which are fast. An EfficientNet-Lite2
then trains about twice as fast.

If maps are small and have many channels, as in the last two stages of a ResNet, the weight gradient
takes three to five times as long as the forward pass. Here it is one matrix product.

In fp32, multiplications limit the speed of a ResNet's 3 x 3 convolutions. `winograd` needs a
quarter of them, or four ninths on maps of 2 x 2.
"""

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

SMALL = 6
"""Side of the output up to which the weight gradient is a matrix product."""

SMALLEST = 3
"""Side of the output up to which forward pass and input gradient are matrix products, too."""

WINOGRAD = frozenset({2, 4, 8})
"""Sides of the maps for which saving multiplications is worth the copies."""


def speed_up_convolutions(network: nn.Module) -> None:
    """Replaces the convolutions of a network; names of weights stay the same."""
    for name, child in network.named_children():
        if not isinstance(child, nn.Conv2d):
            speed_up_convolutions(child)
        elif child.groups == child.in_channels > 1:
            setattr(network, name, DepthwiseConv2d(child))
        elif type(child) is nn.Conv2d and child.groups == 1 and child.bias is None:
            setattr(network, name, SmallMapConv2d(child))


class SmallMapConv2d(nn.Module):
    """A convolution with a square kernel and no bias.

    Args:
        convolution: whose weight it shares.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = convolution.weight
        self.stride, self.padding = convolution.stride[0], int(convolution.padding[0])
        self._suits_winograd = (convolution.kernel_size[0], self.stride, self.padding) == (3, 1, 1)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        if torch.is_autocast_enabled(batch.device.type):
            batch, weight = batch.bfloat16(), weight.bfloat16()
        elif self._suits_winograd and set(batch.shape[2:]) <= WINOGRAD:
            return winograd(batch, weight)
        side = (max(batch.shape[2:]) + 2 * self.padding - weight.shape[2]) // self.stride + 1
        if side > SMALL:
            return functional.conv2d(batch, weight, stride=self.stride, padding=self.padding)
        convolved: torch.Tensor = _SmallMap.apply(
            batch, weight, self.stride, self.padding, side <= SMALLEST
        )
        return convolved


class _SmallMap(torch.autograd.Function):
    """`conv2d`: with `whole`, all passes as matrix products, else only the weight gradient."""

    @staticmethod
    def forward(
        context: Any,
        batch: torch.Tensor,
        weight: torch.Tensor,
        stride: int,
        padding: int,
        whole: bool,
    ) -> torch.Tensor:
        batch = batch.contiguous(memory_format=torch.channels_last)
        context.save_for_backward(batch, weight)
        context.stride, context.padding, context.whole = stride, padding, whole
        if not whole:
            return functional.conv2d(batch, weight, stride=stride, padding=padding)
        patches = _patches(batch, weight.shape[2], stride, padding)
        return (patches @ _rows(weight).T).permute(0, 3, 1, 2)

    @staticmethod
    def backward(
        context: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None, None, None]:
        batch, weight = context.saved_tensors
        side, stride, padding = weight.shape[2], context.stride, context.padding
        patches = _patches(batch, side, stride, padding).flatten(0, 2)
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
        weight_gradient = (rows.T @ patches).unflatten(1, (side, side, -1)).permute(0, 3, 1, 2)
        if not context.whole:
            batch_gradient = conv2d_input(
                batch.shape, weight, gradient, stride=stride, padding=padding
            )
            return batch_gradient, weight_gradient, None, None, None
        patch_gradient = (rows @ _rows(weight)).unflatten(1, (side, side, -1))
        down, across = gradient.shape[2:]
        patch_gradient = patch_gradient.unflatten(0, (-1, down, across))
        count, channels, height, width = batch.shape
        padded = torch.zeros(
            (count, height + 2 * padding, width + 2 * padding, channels),
            dtype=torch.promote_types(batch.dtype, torch.float32),
        )
        for top in range(side):
            for left in range(side):
                vertical = slice(top, top + stride * (down - 1) + 1, stride)
                horizontal = slice(left, left + stride * (across - 1) + 1, stride)
                padded[:, vertical, horizontal] += patch_gradient[:, :, :, top, left]
        inner = padded[:, padding : padding + height, padding : padding + width]
        return inner.to(batch.dtype).permute(0, 3, 1, 2), weight_gradient, None, None, None


def _patches(batch: torch.Tensor, side: int, stride: int, padding: int) -> torch.Tensor:
    """The inputs of each output: `(n, down, across, side * side * channels)`."""
    around = (0, 0, padding, padding, padding, padding)
    padded = functional.pad(batch.permute(0, 2, 3, 1), around)
    patches = padded.unfold(1, side, stride).unfold(2, side, stride)
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(3)


def _rows(weight: torch.Tensor) -> torch.Tensor:
    """`(outputs, side * side * channels)`."""
    return weight.permute(0, 2, 3, 1).flatten(1)


# F(2, 3) and F(4, 3) of Lavin and Gray 2016, sections 4.1 and 4.3: how inputs, the three weights
# and products are combined. 4 products make 2 outputs instead of 6, or 6 make 4 instead of 12.
_INPUTS = {
    2: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    4: (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
}
_WEIGHTS = {
    2: ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    4: (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
}
_OUTPUTS = {
    2: ((1, 1, 1, 0), (0, 1, -1, -1)),
    4: ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
}


def winograd(batch: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`conv2d(batch, weight, padding=1)` with fewer multiplications (Lavin and Gray 2016).

    Args:
        batch: `(n, channels, h, w)`, `h` and `w` 2 or a multiple of 4.
        weight: `(outputs, channels, 3, 3)`.
    """
    count, channels, height, width = batch.shape
    outputs = len(weight)
    inputs_down, weights_down, outputs_down = _transforms(height, batch.dtype)
    inputs_across, weights_across, outputs_across = _transforms(width, batch.dtype)
    down, across = len(weights_down), len(weights_across)  # products of a tile
    products = down * across
    each = torch.kron(weights_down, weights_across) @ weight.permute(2, 3, 1, 0).reshape(9, -1)
    rows = inputs_down @ batch.permute(0, 2, 3, 1).reshape(count, height, -1)
    tiles = inputs_across @ rows.view(-1, width, channels)
    tiles = tiles.view(count, -1, down, tiles.shape[1] // across, across, channels)
    tiles_down, tiles_across = tiles.shape[1], tiles.shape[3]
    tiles = tiles.permute(2, 4, 0, 1, 3, 5).reshape(products, -1, channels)
    made = torch.bmm(tiles, each.view(products, channels, outputs))
    made = made.view(down, across, count, tiles_down, tiles_across, outputs)
    made = made.permute(2, 3, 0, 4, 1, 5).reshape(count * tiles_down * down, -1, outputs)
    columns = (outputs_across @ made).view(count, tiles_down * down, -1)
    convolved = outputs_down @ columns
    return convolved.view(count, height, width, outputs).permute(0, 3, 1, 2)


@cache
def _transforms(side: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Matrices along one side of a map, which is cut into tiles of 4, or is one tile of 2.

    Returns:
        From the inputs of a row to those of all tiles `(tiles * products, side)`, from three
        weights to those of a tile `(products, 3)`, and from the products of all tiles to the
        outputs of a row `(side, tiles * products)`.
    """
    tile = min(side, 4)
    of_inputs, weight_blocks, output_blocks = (
        torch.tensor(numbers[tile], dtype=dtype) for numbers in (_INPUTS, _WEIGHTS, _OUTPUTS)
    )
    starts = range(0, side, tile)
    padded = torch.zeros(len(starts), len(of_inputs), side + 2, dtype=dtype)
    for number, start in enumerate(starts):
        padded[number, :, start : start + tile + 2] = of_inputs
    return (
        padded[:, :, 1:-1].flatten(0, 1),
        weight_blocks,
        torch.block_diag(*[output_blocks] * len(starts)),
    )


class DepthwiseConv2d(nn.Module):
    """A depthwise convolution with an odd square kernel and no bias.

    Args:
        convolution: whose weight it shares. It pads its input with zeros by `padding` or, as in
            the EfficientNet-Lite package, by a layer `static_padding`.
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
            # As if the stride were 1, with zeros as gradients of the skipped outputs.
            dense = gradient.new_zeros(len(batch), channels, height, width)
            dense = dense.contiguous(memory_format=torch.channels_last)
            dense[:, :, :: context.stride, :: context.stride] = gradient
        batch_gradient = functional.conv2d(
            dense, weight.flip(2, 3), padding=side - 1, groups=channels
        )
        weight_gradient = torch.empty_like(weight)
        corners = sorted({*range(0, side - 2, 3), side - 3})
        for top in corners:
            for left in corners:
                seen = batch[:, :, top : top + height + 2, left : left + width + 2]
                part = _weight_gradient(dense, seen, weight[:, :, :3, :3])
                weight_gradient[:, :, top : top + 3, left : left + 3] = part
        return batch_gradient, weight_gradient, None


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
