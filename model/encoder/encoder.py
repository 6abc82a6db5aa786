"""The encoder: from sketches and photos to embeddings."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from model.encoder.head import Embeddings, Head
from model.encoder.runtime import STREAMS, Backbone, Maps
from model.pictures.framing import Pixels, frame_photo, frame_sketch

__all__ = ["Embeddings", "Encoder"]


class Encoder:
    """Embeds sketches and photos, so that they can be compared by their distance.

    Embeddings have length 1, unless the network was trained without normalisation. On the unit
    sphere, distance and dot product give the same ranking.

    Args:
        backbone: turns frames into feature maps.
        head: turns feature maps into embeddings.
        input_size: side in pixels of the frames that the backbone was trained on.
        load_photo_encoder: loads a stronger encoder for photos, into the same space (asymmetric
            metric learning, Budnik and Avrithis 2021). It is called once, when photos are first
            embedded.
        mirrored: gives the maps of mirror images, for which the first channels are enough if the
            others serve the pose alone. By default it is `backbone`.

    The projection of a sketch or a photo is the mean of those of the picture and of its mirror
    image: which animal it is does not depend on the way it looks. The pose is that of the picture
    itself.
    """

    BATCH = 32
    """Sketches per forward pass."""

    GROUP = 8
    """Photos per forward pass."""

    def __init__(
        self,
        backbone: Backbone,
        head: Head,
        input_size: int,
        load_photo_encoder: "Callable[[], Encoder] | None" = None,
        mirrored: Backbone | None = None,
    ) -> None:
        self.backbone, self.head, self.input_size = backbone, head, input_size
        self._mirrored = mirrored
        self._loading = threading.Lock()
        self._load_photo_encoder = load_photo_encoder
        self._photo_encoder: Encoder | None = None

    @property
    def size(self) -> int:
        """Numbers in an embedding."""
        return self.head.size

    @property
    def photo_encoder(self) -> "Encoder":
        """The encoder for photos: the stronger one if there is one, otherwise this one."""
        with self._loading:
            if self._load_photo_encoder is not None:
                self._photo_encoder = self._load_photo_encoder()
                self._load_photo_encoder = None
            return self._photo_encoder or self

    def set_photo_encoder_loader(self, load_photo_encoder: "Callable[[], Encoder] | None") -> None:
        """Replaces the function that loads the photo encoder, unless it is already loaded."""
        with self._loading:
            if self._photo_encoder is None:
                self._load_photo_encoder = load_photo_encoder

    def embed_sketches(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embeddings of drawings of any size, mode or transparency.

        Light lines on dark are inverted. A drawing without ink is embedded as blank paper.

        Returns:
            `(n, size)` float32.

        Raises:
            ImageError: a drawing is too large or too small.
        """
        rows = [np.empty((0, self.size), np.float32)]
        for start in range(0, len(images), self.BATCH):
            some = images[start : start + self.BATCH]
            frames = [frame_sketch(image, self.input_size, allow_empty=True) for image in some]
            rows.append(self.embed_frames(np.stack(frames)))
        return np.concatenate(rows)

    def embed_photos(self, images: Sequence[Image.Image], *, shared: bool = False) -> Embeddings:
        """Embeddings of photos of any size and mode.

        Args:
            shared: use the network for sketches, even if there is another one for photos.

        Returns:
            `(n, size)` float32. All photos are framed before the first one is embedded.

        Raises:
            ImageError: a photo is too large or too small.
        """
        if not shared and self.photo_encoder is not self:
            return self.photo_encoder.embed_photos(images)

        starts = range(0, len(images), self.GROUP)
        groups = (images[start : start + self.GROUP] for start in starts)
        return self._embed_groups(
            np.stack([frame_photo(image, self.input_size) for image in group]) for group in groups
        )

    def embed_photo_frames(self, frames: Sequence[Pixels]) -> Embeddings:
        """Embeddings of photos that do not depend on the other photos, to the last bit.

        The order of sums depends on the size of a batch. So all batches have `GROUP` photos; the
        last one is padded.

        Args:
            frames: at least one, from `frame_photo`, of the photo encoder's input size.

        Returns:
            `(n, size)` float32.
        """
        filled = np.stack([*frames, *[frames[-1]] * (-len(frames) % self.GROUP)])
        groups = np.split(filled, len(filled) // self.GROUP)
        return self.photo_encoder._embed_groups(groups)[: len(frames)]

    def embed_frame(self, frame: Pixels) -> Embeddings:
        """The embedding of one sketch frame of shape `(input_size, input_size)`.

        Returns:
            `(size,)` float32.
        """
        embedding: Embeddings = self.embed_frames(frame[None])[0]
        return embedding

    def embed_frames(self, frames: Pixels) -> Embeddings:
        """The embeddings of frames and their mirror images, in one forward pass where possible.

        Args:
            frames: `(n, input_size, input_size)` sketches or `(n, input_size, input_size, 3)`
                photos; n should be at most about `BATCH`.

        Returns:
            `(n, size)` float32.
        """
        sketches = frames.ndim == 3
        if self._mirrored is None:
            both = np.concatenate([frames, frames[:, :, ::-1]])
            return self.head.embed(*np.split(self.maps(both), 2), sketches=sketches)
        return self.head.embed(self.maps(frames), self.mirrored_maps(frames), sketches=sketches)

    def _embed_groups(self, groups: Iterable[Pixels]) -> Embeddings:
        """The embeddings of groups of frames, several groups at a time."""
        with ThreadPoolExecutor(STREAMS) as pool:
            rows = list(pool.map(self.embed_frames, groups))
        return np.concatenate([np.empty((0, self.size), np.float32), *rows])

    def maps(self, frames: Pixels) -> Maps:
        """The backbone's last feature maps.

        Args:
            frames: `(n, h, w)` grey sketches or `(n, h, w, 3)` photos.

        Returns:
            `(n, channels, h', w')`.
        """
        return _run(self.backbone, frames)

    def mirrored_maps(self, frames: Pixels) -> Maps:
        """The maps of the frames' mirror images, or as many of them as the projection reads."""
        return _run(self._mirrored or self.backbone, frames[:, :, ::-1])


def _run(backbone: Backbone, frames: Pixels) -> Maps:
    if frames.ndim == 3:
        frames = np.repeat(frames[..., None], 3, axis=3)
    return backbone(np.ascontiguousarray(frames))
