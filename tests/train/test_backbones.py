import pytest
import torch
from torch import nn
from torchvision import models

from train.networks.backbones import build_backbone, fold_batch_norms
from train.networks.names import BACKBONES, PLAIN_CNN_SIDE
from train.networks.siamese import SiameseNetwork


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_gives_as_many_channels_as_it_says(name: str) -> None:
    side = PLAIN_CNN_SIDE if name == "plain_cnn" else 64
    backbone, channels = build_backbone(name)
    with torch.no_grad():
        maps = backbone.eval()(torch.randn(2, 3, side, side))
    cells = 1 if name == "plain_cnn" else 2
    assert maps.shape == (2, channels, cells, cells)


def test_vgg11_begins_as_in_torchvision_without_making_its_classifier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = models.vgg11().features
    monkeypatch.setattr(nn, "Linear", None)
    backbone, _ = build_backbone("vgg11")
    named, expected = backbone.state_dict(), original.state_dict()
    assert {key: value.shape for key, value in named.items()} == {
        key: value.shape for key, value in expected.items()
    }
    for key, value in expected.items():
        if value.ndim == 4:  # a normal distribution with the variance 2 / (channels out * 9)
            assert named[key].std().item() == pytest.approx(
                (2 / (value.shape[0] * 9)) ** 0.5, rel=0.1
            )
        else:
            assert not named[key].any()
    backbone.load_state_dict(expected)
    batch = torch.randn(1, 3, 64, 64)
    assert torch.equal(backbone(batch), original(batch))


def test_the_plain_cnn_is_that_of_the_report() -> None:
    """Conv-ReLU-BN three times, then Linear-ReLU-Linear-ReLU-Linear, on grey images."""
    network = SiameseNetwork("plain_cnn", 16, 0, normalise=False).eval()
    kinds = [type(m).__name__ for m in network.modules() if not list(m.children())]
    block = ["Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds == [*block * 3, "Linear", "ReLU", "Linear", "Linear"]
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    assert first.in_channels == 1
    batch = torch.randn(1, 3, 100, 100)
    grey = batch.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(network(batch), network(grey), atol=1e-5, rtol=0)
    seen: list[float] = []
    network.projection.register_forward_pre_hook(
        lambda _, given: seen.append(given[0].min().item())
    )
    network(batch)
    assert seen == [0.0], "the second linear layer ends in a ReLU"


def test_without_the_sphere_embeddings_have_any_length_and_no_prototypes() -> None:
    torch.manual_seed(0)
    network = SiameseNetwork("resnet18", 4, 0, normalise=False).eval()
    batch = torch.randn(5, 3, 32, 32)
    rows = network.embed(batch, sketches=True)
    assert rows.shape == (5, 4)
    weight, bias = network.projection.weight, network.projection.bias
    pooled = [network.backbone(b).mean(dim=(2, 3)) for b in (batch, batch.flip(3))]
    one, other = (nn.functional.linear(each, weight, bias) for each in pooled)
    torch.testing.assert_close(rows, (one + other) / 2, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="unit sphere"):
        SiameseNetwork("resnet18", 4, 3, normalise=False)


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ValueError, match="resnet35"):
        build_backbone("resnet35")


def test_standardising_takes_brightness_and_contrast_away() -> None:
    torch.manual_seed(0)
    network = SiameseNetwork("resnet18", 4, 3, standardise=True).eval()
    batch = torch.rand(3, 3, 32, 32)
    expected = (batch - batch.mean((1, 2, 3), keepdim=True)) / batch.std((1, 2, 3), keepdim=True)
    seen: list[torch.Tensor] = []
    network.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    before, changed = network(batch), network(0.3 * batch + 2)
    torch.testing.assert_close(seen[0], expected, atol=0.02, rtol=0)
    torch.testing.assert_close(changed, before, atol=1e-2, rtol=0)
    assert torch.isfinite(network(torch.ones(1, 3, 32, 32))).all(), "blank paper"


def give_statistics(network: nn.Module) -> None:
    """Gives batch norms random values: after a training, none of them is 0 or 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                assert values is not None
                values.data.uniform_(0.5, 1.5)


def batch_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_folded_backbone_sees_the_same(name: str) -> None:
    torch.manual_seed(0)
    network, _ = build_backbone(name)
    give_statistics(network)
    side = PLAIN_CNN_SIDE if name == "plain_cnn" else 64
    batch = torch.rand(2, 3, side, side)
    with torch.no_grad():
        before = network.eval()(batch)
        fold_batch_norms(network)
        after = network(batch)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4 * float(before.abs().max()))
    # Those of the plain CNN follow its ReLUs.
    assert batch_norms(network) == (3 if name == "plain_cnn" else 0)
