import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from train.networks import convolutions
from train.networks.convolutions import (
    DepthwiseConv2d,
    SmallMapConv2d,
    speed_up_convolutions,
    winograd,
)
from train.networks.siamese import SiameseNetwork


def compare(plain: nn.Conv2d, other: nn.Module, batch: torch.Tensor, *, within: float) -> None:
    """Output, gradient of the batch and gradient of the weight of two layers."""
    found = []
    for layer in (plain, other):
        given = batch.clone().requires_grad_()
        output = layer(given)
        weight = next(layer.parameters())
        found.append((output, *torch.autograd.grad(output.sin().sum(), (given, weight))))
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=within)


@pytest.mark.parametrize(
    ("side", "stride", "size"), [(3, 1, 9), (5, 1, 9), (3, 2, 10), (5, 2, 11), (7, 1, 12)]
)
def test_outputs_and_gradients_are_those_of_the_convolution(
    side: int, stride: int, size: int
) -> None:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"stride": stride, "padding": side // 2, "dtype": torch.float64}
    plain = nn.Conv2d(6, 6, side, groups=6, bias=False, **shape)
    batch = torch.randn(2, 6, size, size, dtype=torch.float64)
    compare(plain, DepthwiseConv2d(copy.deepcopy(plain)), batch, within=2e-5)


SMALL_MAPS = [(3, 1, 2), (3, 1, 3), (3, 2, 6), (3, 2, 5), (1, 2, 4), (3, 1, 6), (3, 2, 11)]


@pytest.mark.parametrize(("side", "stride", "size"), [*SMALL_MAPS, (1, 1, 5), (3, 1, 7)])
def test_they_are_on_small_maps(side: int, stride: int, size: int) -> None:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"stride": stride, "padding": side // 2, "dtype": torch.float64}
    plain = nn.Conv2d(6, 8, side, bias=False, **shape)
    batch = torch.randn(3, 6, size, size + 1, dtype=torch.float64)
    compare(plain, SmallMapConv2d(copy.deepcopy(plain)), batch, within=1e-10)


@pytest.mark.parametrize("sides", [(2, 2), (4, 4), (8, 8), (4, 8), (2, 12)])
def test_fewer_multiplications_make_the_same_outputs_and_gradients(sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    batch = torch.randn(3, 6, *sides, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    found = [
        (output, *torch.autograd.grad(output.sin().sum(), (batch, weight)))
        for output in (functional.conv2d(batch, weight, padding=1), winograd(batch, weight))
    ]
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)


def test_they_are_used_on_small_maps_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counted(batch: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        seen.append(batch.shape[2])
        return winograd(batch, weight)

    monkeypatch.setattr(convolutions, "winograd", counted)
    network = SiameseNetwork("resnet18", 8, 3)
    speed_up_convolutions(network)
    network(torch.randn(2, 3, 64, 64))
    assert seen == [8] * 3 + [4] * 3 + [2] * 3


def test_a_network_keeps_its_weights_and_what_it_says() -> None:
    torch.manual_seed(0)
    network = SiameseNetwork("efficientnet_lite0", 8, 3).eval()
    batch = torch.randn(2, 3, 64, 64)
    before, state = network(batch), set(network.state_dict())
    speed_up_convolutions(network)
    assert sum(isinstance(m, DepthwiseConv2d) for m in network.modules()) == 16
    assert set(network.state_dict()) == state
    torch.testing.assert_close(network(batch), before, rtol=0, atol=1e-5)


def test_a_resnet_has_the_gradients_it_had() -> None:
    torch.manual_seed(0)
    network = SiameseNetwork("resnet18", 8, 3).double()
    batch = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    found = []
    for speed_up in (False, True):
        if speed_up:
            speed_up_convolutions(network)
        network.zero_grad()
        network(batch)[:, 0].sum().backward()
        found.append(
            {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
        )
    assert found[0].keys() == found[1].keys()
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected, rtol=1e-6, atol=1e-9)
