"""The Siamese network: one backbone and one projection for sketches and photos."""

from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional

from model.encoder.posterior import SHARPNESS
from train.networks.backbones import build_backbone, fold_batch_norms

LEAST_SPREAD = 1e-3
"""Added to the deviation of an image, so that blank paper does not divide by zero."""


def is_pose(name: str) -> bool:
    """Whether an entry of a state dict belongs to the pose's layer."""
    return name.startswith("pose.")


class SiameseNetwork(nn.Module):
    """Backbone, average pooling, and a linear layer to a point, usually on the unit sphere.

    `prototypes` are one point a class. The cosine softmax pulls the projections of a class towards
    its prototype, and `embed` appends the posterior of the classes. A network that was trained
    without prototypes has none, and appends nothing.

    Args:
        backbone: one of `train.networks.backbones.BACKBONES`.
        projection_size: numbers in the projection.
        num_classes: number of prototypes; 0 for none.
        scale: inverse temperature of the class posterior; see `extend` for sketches.
        normalise: put projections on the unit sphere. Otherwise they are points anywhere,
            compared by Euclidean distance, and there are no prototypes.
        standardise: give every image zero mean and unit variance first. Dark lines on white paper
            and photos then differ less before the first layer, so that training from random
            weights finds sooner what they share.
        pretrained: start from ImageNet weights.
        pose: numbers in each cell of the pose, the part of an embedding that describes the layout;
            0 for none (see `model.encoder.head.PoseHead`).
        pose_cells: cells of the pose along each side.
        pose_weight: weight of the cosine of two poses, beside 1 for the rest of the embedding.
    """

    def __init__(
        self,
        backbone: str,
        projection_size: int,
        num_classes: int,
        *,
        scale: float = 16.0,
        normalise: bool = True,
        standardise: bool = False,
        pretrained: bool = False,
        pose: int = 0,
        pose_cells: int = 2,
        pose_weight: float = 0.5,
    ) -> None:
        super().__init__()
        if num_classes and not normalise:
            raise ValueError("Prototypes are points on the unit sphere: normalise, or have none.")
        self.backbone, channels = build_backbone(backbone, pretrained=pretrained)
        self.projection = nn.Linear(channels, projection_size)
        prototypes = torch.randn(num_classes, projection_size)
        self.prototypes = nn.Parameter(prototypes, requires_grad=num_classes > 0)
        self.scale, self.normalise, self.standardise = scale, normalise, standardise
        self.pose = nn.Linear(channels, pose) if pose else None
        self.pose_cells, self.pose_weight = pose_cells, pose_weight

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Projections, followed by poses if the network has any: what the losses need.

        Args:
            batch: `(n, 3, h, w)` images.

        Returns:
            `(n, projection_size + pose_size)` rows, in the type of the weights.
        """
        maps = self.maps(batch)
        with torch.autocast(batch.device.type, enabled=False):
            projected = self.place(self.projection(maps.mean(dim=(2, 3))))
            if self.pose is None:
                return projected
            return torch.cat([projected, self.poses(maps)], dim=1)

    def for_inference(self, device: torch.device) -> "SiameseNetwork":
        """A copy in evaluation mode on a device, with batch norms folded; it cannot be trained."""
        copy = deepcopy(self).eval()
        fold_batch_norms(copy.backbone)
        return copy.to(device).to(memory_format=torch.channels_last)

    @property
    def size(self) -> int:
        """Numbers in an embedding."""
        return self.projection.out_features + len(self.prototypes) + self.pose_size

    @property
    def pose_size(self) -> int:
        """Numbers in a pose; 0 for none."""
        return self.pose_cells**2 * self.pose.out_features if self.pose is not None else 0

    def points(self, batch: torch.Tensor) -> torch.Tensor:
        """`(n, projection_size)` projections before they are put on the unit sphere."""
        pooled = self.pooled(batch)
        with torch.autocast(batch.device.type, enabled=False):
            points: torch.Tensor = self.projection(pooled)
        return points

    def pooled(self, batch: torch.Tensor) -> torch.Tensor:
        """The mean of each of the backbone's maps: `(n, channels)`, in the projection's type."""
        return self.maps(batch).mean(dim=(2, 3))

    def maps(self, batch: torch.Tensor) -> torch.Tensor:
        """The backbone's maps: `(n, channels, h', w')`, in the projection's type."""
        if self.standardise:
            spread, mean = torch.std_mean(batch, dim=(1, 2, 3), keepdim=True)
            batch = (batch - mean) / (spread + LEAST_SPREAD)
        maps: torch.Tensor = self.backbone(batch)
        return maps.to(self.projection.weight.dtype)

    def poses(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps to poses, `(n, cells * cells * pose)` rows of length 1; see `PoseHead`."""
        assert self.pose is not None
        cells = functional.adaptive_avg_pool2d(maps, self.pose_cells).flatten(2).transpose(1, 2)
        return functional.normalize(self.pose(cells).flatten(1), dim=1)

    def place(self, points: torch.Tensor) -> torch.Tensor:
        """Puts `(n, projection_size)` points on the unit sphere, if projections lie there."""
        return functional.normalize(points, dim=1) if self.normalise else points

    def cosines(self, projected: torch.Tensor) -> torch.Tensor:
        """`(n, projection_size)` to `(n, num_classes)` cosines with the prototypes."""
        return projected @ functional.normalize(self.prototypes, dim=1).T

    def extend(self, projected: torch.Tensor, *, sketches: bool) -> torch.Tensor:
        """Projection and class posterior as one embedding of length 1.

        `[e, sqrt(softmax(scale * e . W))] / sqrt(2)`: the square roots of two distributions
        have their Bhattacharyya coefficient (1943) as dot product. So two images are near if they
        look alike and if the network takes them for the same class. For sketches, the scale is
        `SHARPNESS` times as large (see `model.encoder.head.Head.extend`).

        Args:
            projected: `(n, projection_size)` rows of length 1.
            sketches: whether they are of sketches.

        Returns:
            `(n, projection_size + num_classes)` rows of length 1; without prototypes, the
            projections unchanged.
        """
        if not len(self.prototypes):
            return projected
        scale = SHARPNESS * self.scale if sketches else self.scale
        posterior = torch.softmax(scale * self.cosines(projected), dim=1)
        return torch.cat([projected, posterior.sqrt()], dim=1) / 2**0.5

    @torch.inference_mode()
    def embed(self, batch: torch.Tensor, *, sketches: bool) -> torch.Tensor:
        """Embeddings of a batch from `train.networks.inputs.to_input`, as the app makes them.

        Args:
            batch: `(n, 3, h, w)`.
            sketches: whether the images are sketches.

        Returns:
            `(n, size)` float32 rows: the projection, the mean of those of the image and of its
            mirror image; the posterior; and the pose of the image itself where the network has one.
        """
        maps = self.maps(batch)
        projected = self._project(maps, batch, mirror=True)
        with torch.autocast(batch.device.type, enabled=False):
            embedded = self.extend(projected, sketches=sketches)
            if self.pose is not None:
                poses = self.pose_weight**0.5 * self.poses(maps)
                embedded = torch.cat([embedded, poses], dim=1) / (1 + self.pose_weight) ** 0.5
        return embedded

    def project(self, batch: torch.Tensor, *, mirror: bool = False) -> torch.Tensor:
        """Projections of a batch; with `mirror`, means of those of images and mirror images."""
        return self._project(self.maps(batch), batch, mirror=mirror)

    def _project(self, maps: torch.Tensor, batch: torch.Tensor, *, mirror: bool) -> torch.Tensor:
        with torch.autocast(batch.device.type, enabled=False):
            projected: torch.Tensor = self.place(self.projection(maps.mean(dim=(2, 3))))
        if mirror:
            projected = self.place((projected + self.place(self.points(batch.flip(3)))) / 2)
        return projected
