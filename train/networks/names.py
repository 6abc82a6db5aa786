"""Names of the backbones, for the command line and for checks. Importing it does not load torch."""

from typing import Literal, get_args

Backbone = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "vgg11",
    "googlenet",
    "plain_cnn",
    "efficientnet_lite0",
    "efficientnet_lite2",
    "efficientnet_lite2_pair",
]

BACKBONES: tuple[Backbone, ...] = get_args(Backbone)

PLAIN_CNN_SIDE = 100
"""Side in pixels of the images that `plain_cnn` takes; the others take any size."""
