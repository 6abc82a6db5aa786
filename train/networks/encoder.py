"""A PyTorch network as the app's encoder, to compare and to time it."""

import numpy as np
import torch

from model.encoder.encoder import Encoder
from model.encoder.head import Head, PoseHead
from model.encoder.runtime import Maps
from model.pictures.framing import Pixels
from train.networks.inputs import to_input
from train.networks.siamese import SiameseNetwork


class TorchBackbone:
    """The backbone of a network, in fp32.

    Args:
        network: is put into evaluation mode.
    """

    def __init__(self, network: SiameseNetwork) -> None:
        self._network = network.eval()
        self._device = next(network.parameters()).device

    @torch.inference_mode()
    def __call__(self, frames: Pixels) -> Maps:
        """`(n, h, w, 3)` tones from 0 to 255 to `(n, channels, h', w')`."""
        batch = to_input(frames).to(self._device, memory_format=torch.channels_last)
        return np.asarray(self._network.maps(batch).float().cpu().numpy())


def encoder_of(
    network: SiameseNetwork, input_size: int, photo_encoder: Encoder | None = None
) -> Encoder:
    """A network as an encoder.

    Args:
        network: a trained network.
        input_size: side of its frames in pixels.
        photo_encoder: embeds photos instead, if given.
    """
    other = (lambda: photo_encoder) if photo_encoder else None
    return Encoder(TorchBackbone(network), head_of_network(network), input_size, other)


def head_of_network(network: SiameseNetwork) -> Head:
    """The layers of a network after its backbone, as arrays."""

    def array(tensor: torch.Tensor) -> np.ndarray:
        return np.ascontiguousarray(tensor.detach().float().cpu().numpy())

    pose = None
    if network.pose is not None:
        matrix, bias = array(network.pose.weight), array(network.pose.bias)
        pose = PoseHead(matrix, bias, network.pose_cells, network.pose_weight)
    prototypes = torch.nn.functional.normalize(network.prototypes.detach().float(), dim=1)
    return Head(
        array(network.projection.weight),
        array(network.projection.bias),
        array(prototypes),
        network.scale,
        network.normalise,
        pose,
    )
