"""Which parts of a drawing and of a photo make them similar.

The projection z of an embedding is made from a backbone's last maps A by average pooling and a
linear layer. So z is a sum over the locations x of the maps, and so is its dot product with any
fixed direction v (class activation map, Zhou et al. 2016):

    v . z = sum over locations x of  v . W A(x) / locations  +  v . b

The constant comes from the bias. All locations share it evenly, so that the contributions add up
to the similarity. The pose is a sum of the same kind, over the locations of each of its cells.

The class posterior in an embedding (see `Head.extend`) is not a linear function of z. Its part of
the similarity is divided like the dot product of z with the prototypes of the classes that both
pictures seem to show, each weighted by its contribution to the similarity.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.encoder.encoder import Encoder
from model.encoder.head import Floats, Head, PoseHead, cell_shares
from model.encoder.runtime import Maps
from model.pictures.framing import Pixels, frame_photo

MIN_COSINE = 0.05
"""Least cosine between a picture's projection and the prototypes of the classes that both pictures
seem to show (their weighted sum). Below it, all locations share the posterior's part evenly."""

Heat = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """How much each location of a drawing and of a photo contributes to their similarity.

    Attributes:
        sketch: `(h, w)`, over the drawing as `frame_sketch` frames it; sums to `similarity`.
        photo: `(h, w)`, over the whole photo; also sums to `similarity`.
        similarity: the dot product of the two embeddings.
    """

    sketch: Heat
    photo: Heat
    similarity: float


@dataclass(frozen=True)
class _Seen:
    """A picture as an encoder sees it: head, feature maps, and maps of its mirror image."""

    head: Head
    maps: Maps
    mirrored: Maps
    is_sketch: bool

    @property
    def projected(self) -> Floats:
        return np.asarray(self.head.project(self.maps, self.mirrored)[0])

    @property
    def embedded(self) -> Floats:
        rows = self.head.embed(self.maps, self.mirrored, sketches=self.is_sketch)
        return np.asarray(rows[0])

    @property
    def posterior(self) -> Floats:
        rows = self.head.stored_posterior(self.projected[None], sketches=self.is_sketch)
        return np.asarray(rows[0])


def explain(encoder: Encoder, frame: Pixels, photo: Image.Image) -> Explanation:
    """Divides the similarity of a drawing and a photo among their locations.

    Args:
        encoder: the encoder that embeds both.
        frame: a drawing from `frame_sketch`.
        photo: a photo, embedded like those of a gallery.

    Raises:
        ImageError: the photo is too large or too small.
    """
    photos = encoder.photo_encoder
    seen = frame_photo(photo, photos.input_size)[None]
    drawn = frame[None]
    sketch = _Seen(encoder.head, encoder.maps(drawn), encoder.mirrored_maps(drawn), is_sketch=True)
    picture = _Seen(photos.head, photos.maps(seen), photos.mirrored_maps(seen), is_sketch=False)
    similarity = float(sketch.embedded @ picture.embedded)
    return Explanation(
        _heat(sketch, picture, similarity), _heat(picture, sketch, similarity), similarity
    )


def _heat(own: _Seen, other: _Seen, similarity: float) -> Heat:
    """The contribution of each location of a picture, `(h, w)`."""
    head = own.head
    direction = _direction(own, other)
    views = [own.maps, own.mirrored]
    points = [head.points(view) for view in views]
    # The projection is the mean of unit vectors, put on the unit sphere again.
    mean = np.mean([head.place(each) for each in points], axis=0)
    shrink = float(np.linalg.norm(mean)) if head.normalise else 1.0
    total: Heat = np.zeros(own.maps.shape[2:], np.float32)
    for number, (view, each) in enumerate(zip(views, points, strict=True)):
        weights = direction @ head.weights_of(view.shape[1])
        heat = np.einsum("c,chw->hw", weights, view[0]) / total.size
        length = float(np.linalg.norm(each)) if head.normalise else 1.0
        total += (heat[:, ::-1] if number else heat) / (length * shrink * len(views))
    if head.pose and other.head.pose:
        pose = _pose_heat(head.pose, own.maps, other.head.pose(other.maps)[0])
        total = np.asarray((total + head.pose.weight * pose) / (1 + head.pose.weight), np.float32)
    total += (similarity - total.sum()) / total.size
    return np.asarray(total, np.float32)


def _direction(own: _Seen, other: _Seen) -> Floats:
    """The direction `v`: `v . own` is the similarity of the pair, unless `MIN_COSINE` applies."""
    prototypes, projected = own.head.prototypes, own.projected
    if not len(prototypes):
        return other.projected
    agreed = np.sqrt(own.posterior * other.posterior)
    towards = agreed @ prototypes
    along = towards @ projected
    is_clear = along / np.linalg.norm(towards) > MIN_COSINE
    classes = agreed.sum() * towards / along if is_clear else np.zeros(len(projected))
    return np.asarray((other.projected + classes) / 2, np.float32)


def _pose_heat(head: PoseHead, maps: Maps, other: Floats) -> Heat:
    """The contribution of each location to the dot product of two poses, without the constant."""
    height, width = maps.shape[2:]
    wanted = other.reshape(head.cells**2, -1) @ head.matrix  # one direction per cell
    shares = cell_shares(head.cells, height, width)
    heat = np.einsum("kc,cx,kx->x", wanted, maps[0].reshape(len(maps[0]), -1), shares)
    length = float(np.linalg.norm(head.points(maps)))
    return np.asarray(heat.reshape(height, width) / max(length, 1e-12), np.float32)
