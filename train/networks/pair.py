"""Two EfficientNet-Lite2 as one network: the first embeds the animal, the second the pose."""

from typing import cast

import torch

from train.networks.backbones import Pair
from train.networks.names import Backbone
from train.networks.siamese import SiameseNetwork

ONE: Backbone = "efficientnet_lite2"
PAIR: Backbone = "efficientnet_lite2_pair"


@torch.no_grad()
def pair_of(animal: SiameseNetwork, pose: SiameseNetwork) -> SiameseNetwork:
    """A network with the projection of one network and the pose of another.

    Args:
        animal: its pose, if it has one, is not used.
        pose: its projection is not used.

    Returns:
        A network whose backbone is a pair: it has twice the channels, and each layer reads half.
    """
    assert pose.pose is not None
    pair = SiameseNetwork(
        PAIR,
        animal.projection.out_features,
        len(animal.prototypes),
        scale=animal.scale,
        normalise=animal.normalise,
        standardise=animal.standardise,
        pose=pose.pose.out_features,
        pose_cells=pose.pose_cells,
        pose_weight=pose.pose_weight,
    )
    both = cast(Pair, pair.backbone)
    both.first.load_state_dict(animal.backbone.state_dict())
    both.second.load_state_dict(pose.backbone.state_dict())
    pair.prototypes.copy_(animal.prototypes)
    assert pair.pose is not None
    channels = animal.projection.in_features
    for layer, source, place in (
        (pair.projection, animal.projection, slice(None, channels)),
        (pair.pose, pose.pose, slice(channels, None)),
    ):
        layer.weight.zero_()
        layer.weight[:, place] = source.weight
        layer.bias.copy_(source.bias)
    return pair.eval()


def pose_size_of(network: SiameseNetwork) -> int | None:
    """Side in pixels at which the pose's network of a pair sees images, if it is not their own."""
    return network.backbone.second_size if isinstance(network.backbone, Pair) else None


def set_pose_size(pair: SiameseNetwork, size: int | None) -> None:
    """Sets what `pose_size_of` returns."""
    cast(Pair, pair.backbone).second_size = size


@torch.no_grad()
def first_of(pair: SiameseNetwork) -> SiameseNetwork:
    """The network of a pair that embeds the animal, without a pose."""
    first = SiameseNetwork(
        ONE,
        pair.projection.out_features,
        len(pair.prototypes),
        scale=pair.scale,
        normalise=pair.normalise,
        standardise=pair.standardise,
    )
    first.backbone.load_state_dict(cast(Pair, pair.backbone).first.state_dict())
    first.prototypes.copy_(pair.prototypes)
    first.projection.weight.copy_(pair.projection.weight[:, : first.projection.in_features])
    first.projection.bias.copy_(pair.projection.bias)
    return first.eval()
