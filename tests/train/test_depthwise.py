import copy

import pytest
import torch
from torch import nn

from model.encoder import SiameseNetwork
from train.depthwise import DepthwiseConv2d, speed_up_depthwise


@pytest.mark.parametrize(
    ("side", "stride", "size"), [(3, 1, 9), (5, 1, 9), (3, 2, 10), (5, 2, 11), (7, 1, 12)]
)
def test_outputs_and_gradients_are_those_of_the_convolution(
    side: int, stride: int, size: int
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(
        6, 6, side, stride=stride, padding=side // 2, groups=6, bias=False, dtype=torch.float64
    )
    batch = torch.randn(2, 6, size, size, dtype=torch.float64)
    found = []
    for layer in (plain, DepthwiseConv2d(copy.deepcopy(plain))):
        given = batch.clone().requires_grad_()
        output = layer(given)
        weight = next(layer.parameters())
        found.append((output, *torch.autograd.grad(output.sin().sum(), (given, weight))))
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=2e-5)


def test_a_network_keeps_its_weights_and_what_it_says() -> None:
    torch.manual_seed(0)
    network = SiameseNetwork("efficientnet_lite0", 8, 3).eval()
    batch = torch.randn(2, 3, 64, 64)
    before, state = network(batch), set(network.state_dict())
    speed_up_depthwise(network)
    assert sum(isinstance(m, DepthwiseConv2d) for m in network.modules()) == 16
    assert set(network.state_dict()) == state
    torch.testing.assert_close(network(batch), before, rtol=0, atol=1e-5)
