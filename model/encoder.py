"""The Siamese encoder: one shared network for sketches and photos."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from model.backbones import build_backbone
from model.preprocess import Pixels, frame_photo, frame_sketch, to_input

Embeddings = NDArray[np.float32]

LEAST_SPREAD = 1e-3
"""Added to the deviation of an image, so that blank paper does not divide by zero."""


class SiameseNetwork(nn.Module):
    """Backbone, average pooling, and a linear layer to a point, as a rule on the unit sphere.

    `prototypes` hold one such point a class. They are what the cosine softmax of the training
    pulls sketches and photos of a class to, and they let `embed` append what the network thinks
    of the class. A network that was trained without them has none, and appends nothing.

    Args:
        backbone: one of `model.backbones.BACKBONES`.
        projection_size: numbers in the projection.
        num_classes: number of prototypes; 0 for none.
        scale: inverse temperature of the class posterior.
        normalise: put projections on the unit sphere; without it they are points anywhere,
            compared by Euclidean distance, and there are no prototypes.
        standardise: shift and scale every image to zero mean and unit variance first. Dark lines
            on white paper and photos then differ less before the first layer, so that training
            from random weights finds what they share sooner.
        pretrained: start from ImageNet weights.
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
    ) -> None:
        super().__init__()
        if num_classes and not normalise:
            raise ValueError("Prototypes are points on the unit sphere: normalise, or have none.")
        self.backbone, channels = build_backbone(backbone, pretrained=pretrained)
        self.projection = nn.Linear(channels, projection_size)
        prototypes = torch.randn(num_classes, projection_size)
        self.prototypes = nn.Parameter(prototypes, requires_grad=num_classes > 0)
        self.scale, self.normalise, self.standardise = scale, normalise, standardise

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """`(n, 3, h, w)` images to `(n, projection_size)` rows, in the type of the weights."""
        return self.place(self.points(batch))

    def points(self, batch: torch.Tensor) -> torch.Tensor:
        """What `forward` returns, before it is put on the unit sphere."""
        pooled = self.pooled(batch)
        with torch.autocast(batch.device.type, enabled=False):
            points: torch.Tensor = self.projection(pooled)
        return points

    def pooled(self, batch: torch.Tensor) -> torch.Tensor:
        """The backbone's maps, each its mean: `(n, channels)`, in the type of the projection."""
        if self.standardise:
            spread, mean = torch.std_mean(batch, dim=(1, 2, 3), keepdim=True)
            batch = (batch - mean) / (spread + LEAST_SPREAD)
        pooled: torch.Tensor = self.backbone(batch)
        return pooled.to(self.projection.weight.dtype).mean(dim=(2, 3))

    def place(self, points: torch.Tensor) -> torch.Tensor:
        """`(n, projection_size)` points to where projections lie."""
        return functional.normalize(points, dim=1) if self.normalise else points

    def cosines(self, projected: torch.Tensor) -> torch.Tensor:
        """`(n, projection_size)` to `(n, num_classes)` cosines with the prototypes."""
        return projected @ functional.normalize(self.prototypes, dim=1).T

    def extend(self, projected: torch.Tensor) -> torch.Tensor:
        """Projection and class posterior as one embedding of length 1.

        `[e, sqrt(softmax(scale * e . W))] / sqrt(2)`: the square roots of two distributions
        have their Bhattacharyya coefficient (1943) as dot product, so two images are near when
        they look alike and when they are thought to be of the same class.

        Args:
            projected: `(n, projection_size)` rows of length 1.

        Returns:
            `(n, projection_size + num_classes)` rows of length 1; without prototypes the
            projections as they are.
        """
        if not len(self.prototypes):
            return projected
        posterior = torch.softmax(self.scale * self.cosines(projected), dim=1)
        return torch.cat([projected, posterior.sqrt()], dim=1) / 2**0.5

    @torch.inference_mode()
    def embed(self, batch: torch.Tensor, *, mirror: bool = False) -> torch.Tensor:
        """Embeddings of a batch from `model.preprocess.to_input`.

        Args:
            batch: `(n, 3, h, w)`.
            mirror: take the mean of each image and its mirror image, for twice the time; used
                for photos, which are embedded once.

        Returns:
            `(n, projection_size + num_classes)` float32 rows.
        """
        return self.extend(self.project(batch, mirror=mirror))

    def project(self, batch: torch.Tensor, *, mirror: bool = False) -> torch.Tensor:
        """Projections of a batch; with `mirror`, the mean of each image and its mirror image."""
        projected: torch.Tensor = self(batch)
        if mirror:
            projected = self.place((projected + self(batch.flip(3))) / 2)
        return projected


class Encoder:
    """Sketches and photos to embeddings that are compared by their distance.

    Rows have length 1 unless the network was trained without; then the dot product ranks alike.

    Args:
        network: a trained network; it is put into evaluation mode.
        input_size: side in pixels of the frames that the network was trained on.
        device: where to run it.
        photo_encoder: makes a stronger encoder into the same space (asymmetric metric learning,
            Budnik and Avrithis 2021). It is called once, when photos are first embedded, and never
            for a sketch.
    """

    BATCH, GROUP = 32, 8

    def __init__(
        self,
        network: SiameseNetwork,
        input_size: int,
        device: torch.device | str = "cpu",
        photo_encoder: "Callable[[], Encoder] | None" = None,
    ) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self.input_size = input_size
        self.device = torch.device(device)
        self._making = threading.Lock()
        self._make_photo_encoder = photo_encoder
        self._photo_encoder: Encoder | None = None

    @property
    def size(self) -> int:
        """Numbers in an embedding."""
        return int(self.network.projection.out_features) + len(self.network.prototypes)

    @property
    def photo_encoder(self) -> "Encoder":
        """The encoder of photos; this one, where there is no other."""
        with self._making:
            if self._make_photo_encoder is not None:
                self._photo_encoder = self._make_photo_encoder()
                self._make_photo_encoder = None
            return self._photo_encoder or self

    def make_photos_with(self, photo_encoder: "Callable[[], Encoder] | None") -> None:
        """Has the encoder of photos, unless it is there already, made by another function."""
        with self._making:
            if self._photo_encoder is None:
                self._make_photo_encoder = photo_encoder

    def embed_sketches(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embeddings of drawings: any size, mode or transparency, dark lines on light paper.

        A blank drawing is embedded as blank paper.

        Returns:
            `(n, size)` float32.

        Raises:
            ImageError: a drawing is too large or too small.
        """

        def frame(image: Image.Image) -> Pixels:
            return frame_sketch(image, self.input_size, allow_empty=True)

        return self._embed(images, frame, mirror=False)

    def embed_photos(self, images: Sequence[Image.Image], *, shared: bool = False) -> Embeddings:
        """Embeddings of photos, each the mean of the photo and its mirror image.

        Args:
            shared: use the network that embeds sketches, even where there is another for photos.

        Returns:
            `(n, size)` float32.

        Raises:
            ImageError: a photo is too large or too small.
        """
        if not shared and self.photo_encoder is not self:
            return self.photo_encoder.embed_photos(images)

        def frame(image: Image.Image) -> Pixels:
            return frame_photo(image, self.input_size)

        return self._embed(images, frame, mirror=True)

    def frame_photo(self, image: Image.Image) -> Pixels:
        """What the encoder of photos sees of a photo, for `embed_photo_frames`."""
        return frame_photo(image, self.photo_encoder.input_size)

    def embed_photo_frames(self, frames: Sequence[Pixels]) -> Embeddings:
        """Embeddings of photos, the same to the last bit whatever other photos are there.

        The order of sums depends on the size of a batch, so that all have one size: a short one
        is filled up.

        Args:
            frames: from `frame_photo`, at least one.

        Returns:
            `(n, size)` float32.
        """
        filled = np.stack([*frames, *[frames[-1]] * (-len(frames) % self.GROUP)])
        rows = [
            self.photo_encoder._forward(filled[start : start + self.GROUP], mirror=True)
            for start in range(0, len(filled), self.GROUP)
        ]
        return np.concatenate(rows)[: len(frames)]

    def embed_frame(self, frame: Pixels) -> Embeddings:
        """The embedding of one sketch that `model.preprocess` has framed.

        Returns:
            `(size,)` float32.
        """
        embedding: Embeddings = self.embed_frames(frame[None])[0]
        return embedding

    def embed_frames(self, frames: Pixels) -> Embeddings:
        """The embeddings of sketches that were framed, in one forward pass.

        Args:
            frames: `(n, input_size, input_size)`, `n` of at most about `BATCH`.

        Returns:
            `(n, size)` float32.
        """
        return self._forward(frames, mirror=False)

    def _embed(
        self,
        images: Sequence[Image.Image],
        frame: Callable[[Image.Image], Pixels],
        *,
        mirror: bool,
    ) -> Embeddings:
        rows = [np.empty((0, self.size), np.float32)]
        for start in range(0, len(images), self.BATCH):
            frames = np.stack([frame(image) for image in images[start : start + self.BATCH]])
            rows.append(self._forward(frames, mirror=mirror))
        return np.concatenate(rows)

    def _forward(self, frames: Pixels, *, mirror: bool) -> Embeddings:
        batch = to_input(frames).to(self.device, memory_format=torch.channels_last)
        embedded: Embeddings = self.network.embed(batch, mirror=mirror).cpu().numpy()
        return embedded
