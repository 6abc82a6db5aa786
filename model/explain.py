"""Which parts of a drawing and of a photo make them match.

An encoder ends in average pooling and a linear layer, and is made of convolutions, batch norms and
ReLUs before. Given which ReLUs are open, its projection z is therefore an affine function of any
feature map A that everything passes through, and so is the dot product with a fixed direction v:

    v . z = sum over locations x of  sum over channels c of A(c, x) * dv.z/dA(c, x)  +  a constant

The inner sum is what location x contributes (gradient times input, Shrikumar et al. 2016; on the
last feature map it is the class activation map of Zhou et al. 2016). The constant, from biases, is
shared evenly by all locations, so that the contributions add up to the similarity.

The posteriors in an embedding (see `SiameseNetwork.extend`) are no affine function of z. Their part
of the similarity is divided like the dot product of z with the prototypes of the classes that both
images are thought to be of, each weighted by how much of the similarity it makes.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from model.backbones import stages
from model.encoder import Encoder, SiameseNetwork
from model.preprocess import Pixels, frame_photo, to_input

FINEST = 8
"""Least side of the feature maps that are looked at, where the network has such maps."""

LEAST = 0.05
"""Cosine below which a direction cannot divide the posteriors' part; all locations share it."""

Heat = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """How much each location of a drawing and of a photo contributes to their similarity.

    Attributes:
        sketch: `(h, w)`, over the drawing as `frame_sketch` frames it; sums to `similarity`.
        photo: `(h, w)`, over the whole photo; sums to `similarity`, too.
        similarity: the dot product of both embeddings.
    """

    sketch: Heat
    photo: Heat
    similarity: float


def explain(encoder: Encoder, frame: Pixels, photo: Image.Image) -> Explanation:
    """Divides the similarity of a drawing and a photo among their parts.

    Args:
        encoder: the one that embedded both.
        frame: a drawing from `frame_sketch`.
        photo: a photo, embedded as the gallery's are.

    Raises:
        ImageError: the photo is too large or too small.
    """
    photos = encoder.photo_encoder
    drawn = to_input(frame[None]).to(encoder.device)
    seen = to_input(frame_photo(photo, photos.input_size)[None]).to(photos.device)
    sketch, picture = _own_modules(encoder.network), _own_modules(photos.network)
    with torch.no_grad():
        of_sketch = sketch.project(drawn)[0].cpu()
        of_photo = picture.project(seen, mirror=True)[0].cpu()
        similarity = float(sketch.extend(of_sketch[None])[0] @ picture.extend(of_photo[None])[0])
    return Explanation(
        _heat(sketch, drawn, _direction(sketch, of_sketch, of_photo), similarity, mirror=False),
        _heat(picture, seen, _direction(sketch, of_photo, of_sketch), similarity, mirror=True),
        similarity,
    )


def _own_modules(network: SiameseNetwork) -> SiameseNetwork:
    """The same weights in modules of their own, since hooks are not to see others' searches."""
    weights = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(weight): weight for weight in weights})


def _direction(network: SiameseNetwork, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """`v` of one image of a pair: `v . own` is the similarity, where `LEAST` allows it."""
    if not len(network.prototypes):
        return other
    prototypes = functional.normalize(network.prototypes.detach().cpu(), dim=1)
    cosines = torch.stack([own, other]) @ prototypes.T
    agreed = torch.softmax(network.scale * cosines, dim=1).prod(dim=0).sqrt()
    towards = agreed @ prototypes
    along = towards @ own / towards.norm()
    classes = agreed.sum() * towards / (towards @ own) if along > LEAST else torch.zeros(len(own))
    return (other + classes) / 2


def _heat(
    network: SiameseNetwork,
    image: torch.Tensor,
    direction: torch.Tensor,
    similarity: float,
    *,
    mirror: bool,
) -> Heat:
    """The contributions of all locations of an image of shape `(1, 3, h, w)`."""
    direction = direction.to(image.device)
    views = [image, image.flip(3)] if mirror else [image]
    lengths, heats = [], []
    for view in views:
        heat, points = _contributions(network, view, direction)
        lengths.append(points)
        heats.append(heat)
    if mirror:
        heats[1] = heats[1].flip(1)
    placed = [network.place(points[None])[0] for points in lengths]
    mean = torch.stack(placed).mean(dim=0)
    shrink = float(mean.norm()) if network.normalise else 1.0
    total = torch.zeros_like(heats[0])
    for heat, points in zip(heats, lengths, strict=True):
        length = float(points.norm()) if network.normalise else 1.0
        total += heat / (length * shrink * len(views))
    total += (similarity - total.sum()) / total.numel()
    return total.cpu().numpy()


def _contributions(
    network: SiameseNetwork, image: torch.Tensor, direction: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`(h, w)` contributions to `direction . z` without the constant, and `z`."""
    maps: list[torch.Tensor] = []

    def keep(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        maps.append(output.detach().requires_grad_())
        return maps[-1]

    stage = _finest(network, image)
    hook = stage.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            points = network.points(image)[0]
            (gradient,) = torch.autograd.grad(points @ direction, maps)
    finally:
        hook.remove()
    return (maps[0].detach() * gradient)[0].sum(dim=0), points.detach()


def _finest(network: SiameseNetwork, image: torch.Tensor) -> nn.Module:
    """The last stage whose maps are at least `FINEST` a side; the first one if none are."""
    sides: list[int] = []
    passed = stages(network.backbone)
    hooks = [
        stage.register_forward_hook(lambda _, __, output: sides.append(min(output.shape[2:])))
        for stage in passed
    ]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    fine = [stage for stage, side in zip(passed, sides, strict=True) if side >= FINEST]
    return fine[-1] if fine else passed[0]
