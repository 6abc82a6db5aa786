"""Pictures of a run to quantise its networks with, and to measure what that costs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.checkpoint.records import PhotoEncoderInfo
from model.encoder.encoder import Encoder
from model.pictures.framing import Pixels
from train.checkpoints import CalibrationFrames
from train.data.dataset import sample
from train.data.frames import Frames, load_frames
from train.data.pictures import Picture, Split, list_pictures, sketchy_folders
from train.data.sources import DataFolders
from train.errors import DataError
from train.metrics import FIRST, evaluate_embeddings
from train.runs import SPLIT, Run

SKETCHES, PHOTOS = 320, 240
"""Training pictures to calibrate with, at the most."""

SHARED_PHOTOS = 80
"""Photos among those that the network of sketches and photos is calibrated with."""


@dataclass(frozen=True)
class QuantisationFrames:
    """Training frames to calibrate with, and held-out ones to measure with."""

    calibration: CalibrationFrames
    held_sketches: Frames
    held_photos: Frames

    @classmethod
    def load(
        cls,
        run: Run,
        photo_encoder: PhotoEncoderInfo | None,
        folders: DataFolders | None,
        cache: Path,
    ) -> "QuantisationFrames":
        """Chooses and decodes them.

        Args:
            run: the encoder; its split says which pictures are held out.
            photo_encoder: the network for photos, if there is one.
            folders: where the pictures are; if None, where the run has found them.
            cache: folder of frames.

        Raises:
            DataError: it is not known where the pictures are, or too few are held out.
        """
        sketches, photos = _list(run, folders)
        split = Split.load(run.folder / SPLIT)
        held_sketches = split.validation(sketches, photos)
        held_photos = split.validation(photos, sketches)
        if len(held_photos) < FIRST or not held_sketches:
            raise DataError(
                f"{run.folder / SPLIT} holds out {len(held_photos)} of these photos and "
                f"{len(held_sketches)} of the sketches, too few to measure with. Name the pictures "
                "of the run with --sketchy and --train-photos."
            )
        size = run.config.input_size
        photo_size = photo_encoder.input_size if photo_encoder else size

        def decode(pictures: Sequence[Picture], size: int, *, sketches: bool = False) -> Frames:
            return load_frames(pictures, size, sketches=sketches, cache=cache)

        shown = _pick(split.train(photos), PHOTOS)
        drawn = decode(_pick(split.train(sketches), SKETCHES), size, sketches=True)
        calibration = CalibrationFrames(
            [*_all(drawn), *_all(decode(_pick(shown, SHARED_PHOTOS), size))],
            _all(decode(shown, photo_size)) if photo_encoder else None,
        )
        held = decode(sample(held_sketches), size, sketches=True)
        return cls(calibration, held, decode(held_photos, photo_size))

    def precision_at_12(self, encoder: Encoder) -> float:
        """P@12 of an encoder on the held-out pictures."""
        sketches = [
            encoder.embed_frames(np.stack(frames))
            for frames in _chunks(_all(self.held_sketches), encoder.BATCH)
        ]
        photos = encoder.embed_photo_frames(_all(self.held_photos))
        sketch_labels, photo_labels = (
            np.array([picture.label for picture in frames.pictures])
            for frames in (self.held_sketches, self.held_photos)
        )
        rows = np.concatenate(sketches)
        return evaluate_embeddings(rows, photos, sketch_labels, photo_labels).precision_at_12


def _list(run: Run, folders: DataFolders | None) -> tuple[list[Picture], list[Picture]]:
    """Sketches and photos of the run's classes."""
    folders = folders or DataFolders.load(run.folder)
    if folders is None:
        raise DataError(
            f"{run.folder} does not say where its pictures are; they are needed to make and to "
            "measure 8-bit networks. Add --sketchy DIR (and --train-photos), or --precision fp32."
        )
    photo_folder, sketch_folder = sketchy_folders(folders.sketchy)

    def known(pictures: Iterable[Picture]) -> list[Picture]:
        return [picture for picture in pictures if picture.label in run.classes]

    photo_folders = (photo_folder, *folders.photos)
    photos = (p for folder in photo_folders for p in list_pictures(folder, sketches=False))
    return known(list_pictures(sketch_folder, sketches=True)), known(photos)


def _pick(pictures: Sequence[Picture], most: int) -> list[Picture]:
    order = np.random.default_rng(0).permutation(len(pictures))[:most]
    return [pictures[i] for i in sorted(order)]


def _all(frames: Frames) -> list[Pixels]:
    return list(frames.take(np.arange(len(frames.pictures))))


def _chunks(frames: Sequence[Pixels], size: int) -> Iterator[Sequence[Pixels]]:
    return (frames[start : start + size] for start in range(0, len(frames), size))
