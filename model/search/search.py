"""The search: from a drawing to the nearest photos."""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import MANIFEST, THUMBNAILS, sha256
from model.checkpoint.manifest import Manifest
from model.checkpoint.records import Photo, photo_id
from model.encoder.encoder import Encoder
from model.encoder.head import Embeddings
from model.encoder.posterior import calibrate
from model.errors import GalleryError
from model.pictures.framing import frame_sketch
from model.search.animals import classes_of
from model.search.engines import open_index
from model.search.exact import read_embeddings
from model.search.labels import number_labels
from model.search.map import Positions, place, read_positions
from model.search.matches import Guess, Match
from model.search.protocol import NEAREST, Engine

LIKED, DISLIKED = 0.75, 0.25
"""Weights of the photos that a query is moved towards, and away from (see `steer`)."""

MAX_SHOWN = 40
"""Characters of a wrong id that a message repeats."""


class SketchSearch:
    """A loaded checkpoint: encoder, index and photos. Create it with `SketchSearch.load`.

    Attributes:
        encoder: embeds drawings.
        version: changes whenever the checkpoint does.
        positions: positions of the photos on the map, `(n, 2)`; see `model.search.map.lay_out`.
        labels: number of photos by label.
        animals: number of photos by class; see `model.search.animals.classes_of`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        encoder: Encoder,
        index: Engine | None,
        label_numbers: dict[str, int],
        positions: Positions,
    ) -> None:
        self._checkpoint, self.encoder = checkpoint, encoder
        self.version = sha256(checkpoint.folder / MANIFEST)[:12]
        self._index, self._label_numbers, self.positions = index, label_numbers, positions
        self.labels = Counter(photo.label for photo in self.photos)
        embeddings = read_embeddings(checkpoint.folder) if index else np.zeros((0, 1), np.float32)
        self._classes = classes_of(self.photos if index else [], embeddings, self.manifest)
        self._names = [name.replace("_", " ") for name in self.manifest.classes]
        self.animals = Counter(self._animal(number) for number in range(len(self._classes)))

    @classmethod
    def load(cls, folder: Path | str) -> "SketchSearch":
        """Opens a checkpoint folder.

        A folder without photos can be loaded too; then only the encoder can be used.

        Raises:
            CheckpointError: a file is missing, truncated, damaged or from another checkpoint.
            GalleryError: Milvus is not installed or does not answer.
        """
        checkpoint = Checkpoint.open(folder)
        return cls.of(checkpoint, checkpoint.encoder())

    @classmethod
    def of(cls, checkpoint: Checkpoint, encoder: Encoder) -> "SketchSearch":
        """Opens the index of an opened checkpoint. Other searches may share the encoder.

        Raises:
            CheckpointError: the index is damaged.
            GalleryError: Milvus is not installed or does not answer.
        """
        folder, manifest = checkpoint.folder, checkpoint.manifest
        if manifest.index is None:
            return cls(checkpoint, encoder, None, {}, np.zeros((0, 2), np.float32))
        label_numbers, labels = number_labels([photo.label for photo in manifest.photos])
        index = open_index(folder, manifest, labels)
        return cls(checkpoint, encoder, index, label_numbers, read_positions(folder))

    @property
    def folder(self) -> Path:
        """The folder of the files; for a gallery, the version folder that was loaded."""
        return self._checkpoint.folder

    @property
    def manifest(self) -> Manifest:
        """The manifest of the checkpoint."""
        return self._checkpoint.manifest

    @property
    def photos(self) -> list[Photo]:
        """The photos of the gallery, in the order of the index."""
        return self.manifest.photos

    def photo(self, number: int) -> Photo:
        """A photo of the gallery by its number.

        Raises:
            GalleryError: there is no such photo.
        """
        if not 0 <= number < len(self.photos):
            raise GalleryError("There is no such photo any more. Reload the page.")
        return self.photos[number]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each photo by its id. Ids stay the same when a gallery is built again."""
        return {photo_id(photo): number for number, photo in enumerate(self.photos)}

    def number_of(self, photo: str) -> int:
        """The number of the photo with an id.

        Raises:
            GalleryError: there is no such photo.
        """
        if photo not in self.numbers:
            raise GalleryError(
                f"This photo is no longer in the gallery: {photo[:MAX_SHOWN]}. Remove it from the "
                "search, or reload the page."
            )
        return self.numbers[photo]

    def thumbnail(self, number: int) -> Path:
        """The file of a photo's thumbnail."""
        return self.folder / THUMBNAILS / f"{number}.webp"

    def read_thumbnail(self, number: int) -> bytes | None:
        """The content of a photo's thumbnail (WebP); None if the file is missing or truncated."""
        try:
            data = self.thumbnail(number).read_bytes()
        except OSError:
            return None
        is_whole = data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") == len(data) - 8
        return data if is_whole else None

    def query(self, image: Image.Image, k: int = NEAREST) -> list[Match]:
        """The `k` photos nearest to a drawing, nearest first; all photos if there are fewer.

        Args:
            image: a drawing of any size, mode or transparency. Light lines on dark are inverted.
            k: how many photos, at least 1.

        Raises:
            EmptySketchError: the drawing has no lines.
            ImageError: the drawing is too large or too small.
            GalleryError: no photos are indexed.
            ValueError: k is less than 1.
        """
        frame = frame_sketch(image, self.encoder.input_size)
        return self.nearest(self.encoder.embed_frame(frame), k)

    def nearest(
        self,
        embedding: Embeddings,
        k: int = NEAREST,
        *,
        only: Collection[str] = (),
        without: Collection[str] = (),
    ) -> list[Match]:
        """The `k` photos nearest to an embedding, nearest first.

        In large galleries, about one in a hundred may be missed (see `model.search.recall`).

        Args:
            embedding: `(d,)`.
            k: how many photos, at least 1.
            only: labels to search among; all labels if empty.
            without: labels to leave out.

        Raises:
            GalleryError: no photos are indexed.
            ValueError: k is less than 1.
        """
        if k < 1:
            raise ValueError("k must be at least 1")
        labels = None
        if only or without:
            kept = self.labels.keys() & set(only) if only else self.labels.keys()
            chosen = sorted(self._label_numbers[label] for label in kept - set(without))
            labels = np.array(chosen, np.int32)
        numbers, distances = self._filled_index().search(embedding, k, labels)
        found = zip(numbers.tolist(), distances.tolist(), strict=True)
        return [
            Match(
                photo=photo.path,
                label=photo.label,
                distance=distance,
                similarity=self._similarity(distance),
                credit=photo.credit,
                licence=photo.licence,
                rank=rank,
                number=number,
                page=photo.page,
                animal=self._animal(number),
            )
            for rank, (number, distance) in enumerate(found, 1)
            for photo in (self.photos[number],)
        ]

    def guess(self, embedding: Embeddings, count: int = 3) -> list[Guess]:
        """What the drawing with this embedding may show, likeliest first.

        Args:
            embedding: of the drawing, `(d,)`.
            count: how many guesses.

        Returns:
            The guesses; none for an encoder that has no prototypes or is not calibrated.
        """
        manifest, calibration, names = self.manifest, self.manifest.calibration, self._names
        if calibration is None:
            return []
        shares = calibrate(manifest.posterior(embedding, sketches=True), calibration.temperature)
        best = np.argsort(-shares, kind="stable")[:count]
        return [Guess(names[i], float(shares[i]), self.animals[names[i]]) for i in best]

    def is_dissimilar(self, matches: Sequence[Match]) -> bool:
        """Whether even the nearest photo does not resemble the drawing; False if not calibrated."""
        calibration = self.manifest.calibration
        if calibration is None or not matches:
            return False
        return matches[0].similarity < calibration.least_similarity

    def place(self, matches: Sequence[Match]) -> tuple[float, float] | None:
        """The position of a query on the map: x and y from 0 to 1; None without matches.

        It is the mean of the positions of the first 12 matches, weighted by the softmax of their
        similarities, so that it moves smoothly while people draw; see `model.search.map.place`.

        Args:
            matches: from `nearest`, nearest first.
        """
        nearest = matches[:NEAREST]
        if not nearest:
            return None
        similarities = np.array([match.similarity for match in nearest], np.float32)
        x, y = place(self.positions[[match.number for match in nearest]], similarities)
        return float(x), float(y)

    def embedding_of(self, number: int) -> Embeddings:
        """The embedding of a photo of the gallery, `(d,)`.

        Raises:
            GalleryError: there is no such photo, or no photos are indexed.
        """
        self.photo(number)
        return self._filled_index().vector(number)

    def steer(
        self, embedding: Embeddings, liked: Sequence[int], disliked: Sequence[int]
    ) -> Embeddings:
        """Moves a query towards some photos of the gallery and away from others.

        `q + 0.75 * mean(liked) - 0.25 * mean(disliked)` (Rocchio 1971, with the usual weights). The
        result is normalised if embeddings are.

        Args:
            embedding: the query, `(d,)`.
            liked: numbers of the photos to move towards.
            disliked: numbers of the photos to move away from.

        Returns:
            The moved query, `(d,)`.

        Raises:
            GalleryError: there is no such photo.
        """
        moved = embedding.copy()
        for numbers, weight in ((liked, LIKED), (disliked, -DISLIKED)):
            if numbers:
                rows = np.stack([self.embedding_of(number) for number in numbers])
                moved += weight * rows.mean(axis=0)
        return moved / np.linalg.norm(moved) if self.manifest.normalise else moved

    def _animal(self, number: int) -> str:
        """The class of a photo; empty if uncertain."""
        name = int(self._classes[number])
        return self._names[name] if name >= 0 else ""

    def _filled_index(self) -> Engine:
        if self._index is None:
            raise GalleryError(
                "No photos are indexed. Start the app with --photos DIR to search your own."
            )
        return self._index

    def _similarity(self, distance: float) -> float:
        return 1 - distance**2 / 2 if self.manifest.normalise else 1 / (1 + distance)
