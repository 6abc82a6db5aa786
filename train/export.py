"""From a training run to the checkpoint folder that the app loads."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import CHECKPOINT_FILES, MANIFEST
from model.checkpoint.manifest import Manifest
from model.checkpoint.records import Calibration, PhotoEncoderInfo
from model.checkpoint.versions import versions_in
from model.encoder.encoder import Encoder
from model.gallery.build import build_gallery
from model.gallery.photos import find_photos
from model.gallery.walk import named
from model.pictures.framing import Pixels
from train.checkpoints import CalibrationFrames, clear_others, save_checkpoint
from train.config import MAX_SIZE, Precision
from train.console import say
from train.data.frames import Frames, load_frames
from train.data.material import sample
from train.data.pictures import Picture, Split, list_pictures, sketchy_folders
from train.errors import DataError
from train.metrics import FIRST, evaluate_embeddings
from train.networks.encoder import encoder_of
from train.networks.pair import ONE, PAIR, pair_of
from train.networks.siamese import is_pose
from train.runs import SPLIT, Pictures, Run, is_checkpoint, load_run, mean_weights
from train.teacher import animal_encoder, same_prototypes

SKETCHES, PHOTOS = 320, 240
"""Training pictures of which the ranges of activations are learned."""

SHARED_PHOTOS = 80
"""Photos among those that the shared network is calibrated by."""

MOST_LOST = 0.005
"""P@12 that the smaller weights may cost."""


@dataclass(frozen=True)
class Exported:
    """What `export` has written.

    Attributes:
        precisions: P@12 on held-out pictures of the weights as they were trained and of those that
            were written; None where they are the same.
    """

    checkpoint: Checkpoint
    precisions: tuple[float, float] | None


def export(
    run: Path,
    out: Path,
    *,
    name: str | None = None,
    photos: Sequence[Path] = (),
    photo_encoder: Path | None = None,
    photo_size: int | None = None,
    pose_encoder: Path | None = None,
    last: bool = False,
    mean_with: Sequence[Path] = (),
    photo_mean_with: Sequence[Path] = (),
    precision: Precision = "int8",
    pictures: Pictures | None = None,
    cache: Path = Path("cache"),
) -> Exported:
    """Writes the averaged weights of the run's best evaluation, with the run's split beside.

    Weights and activations get 8 bits, by the ranges that training pictures show. What that costs
    is measured on held-out pictures, and nothing is written if it is more than `MOST_LOST`.

    Args:
        run: the folder that `fit` has written, or a checkpoint to write anew.
        out: the checkpoint folder to write.
        name: what the checkpoint calls itself.
        photos: folders of photos to index with Annoy; without any the folder holds the encoder
            alone.
        photo_encoder: a run or a checkpoint with the same prototypes, whose network for photos
            embeds photos when they are indexed; its split has to hold out what that of `run` does.
            Of a checkpoint that is written anew, its own is kept.
        pose_encoder: a run that was the pose teacher of `run`, whose network for the poses of
            photos stands beside the photo encoder; both are EfficientNet-Lite2.
        photo_size: side in pixels of the photos that it sees. Training crops photos, so that
            animals look larger in it than they do when whole photos are indexed at the same
            size; a larger one makes up for that (Touvron et al. 2019).
        last: take the weights that the run ended with. The best evaluation is that of the run's
            encoder alone, which with a `photo_encoder` is not what counts.
        mean_with: checkpoints, as a rule the one that the run started from; the mean of their
            weights and the run's is written (Wortsman et al. 2022, "Model soups").
        photo_mean_with: the same for the photo encoder: runs, or checkpoints, whose network for
            photos is taken.
        precision: `fp32` leaves the weights as they are; the files are four times as large.
        pictures: of the run, where it does not know them or they have moved.
        cache: folder of frames.

    Raises:
        DataError: a run holds no finished evaluation, both do not fit, `out` holds something
            else, or 8 bits cost too much.
        CheckpointError: a checkpoint cannot be read.
    """
    trained = load_run(run, last=last)
    for count, folder in enumerate(mean_with, 1):
        _take_mean(trained, load_run(folder), 1 / (count + 1))
    other = _photo_run(run, photo_encoder)
    for count, folder in enumerate(photo_mean_with, 1):
        if other is None:
            raise DataError("--photo-mean-with goes with a --photo-encoder.")
        _take_mean(other, animal_encoder(folder), 1 / (count + 1))
    if pose_encoder:
        other = _with_pose(other, load_run(pose_encoder, photos=True))
    _check_pose(trained, other)
    if photo_size is not None and (other is None or not 32 <= photo_size <= MAX_SIZE):
        raise DataError(f"--photo-size is 32 to {MAX_SIZE}, and for a --photo-encoder.")
    if other and not same_prototypes(other.network, trained.network):
        raise DataError(
            f"{other.folder} embeds into another space than {run}. Train one of both with the "
            "other as --teacher, or with its checkpoint as --start."
        )
    if other and other.folder != run:
        _check_split(run, other.folder)
    if out.is_dir() and any(out.iterdir()) and not _is_exported(out):
        raise DataError(f"{out} holds other files than a checkpoint. Name another folder.")
    if out.resolve() == run.resolve():
        raise DataError(f"{out} is what is read. Name another folder.")
    found = find_photos(photos, [out])
    size = photo_size or (other.config.input_size if other else 0)
    info = (
        PhotoEncoderInfo(other.config.backbone, size, other.config.standardise) if other else None
    )
    shown = _Shown.load(run, trained, info, pictures, cache) if precision == "int8" else None
    with _beside(out) as folder:
        checkpoint = save_checkpoint(
            folder,
            trained.network,
            name=name or _name(run),
            backbone=trained.config.backbone,
            input_size=trained.config.input_size,
            classes=trained.classes,
            training={**asdict(trained.config), "steps_done": trained.step},
            metrics={} if mean_with or other else trained.metrics,
            photo_network=other.network if other else None,
            photo_encoder=info,
            frames=shown.calibration if shown else None,
            calibration=None if mean_with or photo_encoder else _calibration(run),
        )
        precisions = None
        if shown:
            exact = encoder_of(trained.network, trained.config.input_size, _encoder(other, size))
            precisions = shown.precision(exact), shown.precision(checkpoint.encoder())
            _check_loss(*precisions)
        shutil.copyfile(run / SPLIT, folder / SPLIT)
        _move(folder, out)
    checkpoint = Checkpoint.open(out)
    if found.photos:
        built = build_gallery(checkpoint, found.photos, out, "annoy")
        checkpoint = built.checkpoint
        for line in named([*found.left_out, *built.left_out]):
            say(line)
    return Exported(checkpoint, precisions)


def _photo_run(run: Path, photo_encoder: Path | None) -> Run | None:
    """The encoder of photos: the one that is named, else that of a checkpoint."""
    if photo_encoder:
        return load_run(photo_encoder, photos=True)
    if not is_checkpoint(run):
        return None
    own = load_run(run, photos=True)
    return own if own.weights != load_run(run).weights else None


def _with_pose(animal: Run | None, pose: Run) -> Run:
    """An encoder of photos with the pose of another."""
    if animal is None or {animal.config.backbone, pose.config.backbone} != {ONE}:
        raise DataError(f"--pose-encoder goes with a --photo-encoder; both are {ONE}.")
    if not pose.network.pose_size:
        raise DataError(f"{pose.folder} has no pose. Name a run that has --pose.")
    if animal.network.standardise != pose.network.standardise:
        raise DataError(f"{animal.folder} and {pose.folder} differ in --standardise.")
    config = replace(animal.config, backbone=PAIR)
    network = pair_of(animal.network, pose.network)
    return replace(animal, network=network, config=config, pose_space=pose.pose_space)


def _check_pose(trained: Run, other: Run | None) -> None:
    """Makes sure that the poses of sketches and of photos can be compared."""
    if other and other.pose_space != trained.pose_space:
        raise DataError(
            f"The poses of {trained.folder} and {other.folder} cannot be compared. Train one with "
            "the other as --pose-teacher, or both without --pose."
        )


def _encoder(run: Run | None, size: int) -> Encoder | None:
    return encoder_of(run.network, size) if run else None


def _name(run: Path) -> str:
    return _manifest(run).name if is_checkpoint(run) else "sketchzoo"


def _calibration(run: Path) -> Calibration | None:
    """That of a checkpoint which is written anew."""
    return _manifest(run).calibration if is_checkpoint(run) else None


def _manifest(checkpoint: Path) -> Manifest:
    return Manifest.read(checkpoint / MANIFEST, older=True)


@dataclass(frozen=True)
class _Shown:
    """Frames of pictures: of training, to calibrate with, and held-out ones, to measure with.

    Attributes:
        photos: held-out ones as the encoder of photos sees them.
    """

    calibration: CalibrationFrames
    sketches: Frames
    photos: Frames

    @classmethod
    def load(
        cls,
        run: Path,
        trained: Run,
        other: PhotoEncoderInfo | None,
        pictures: Pictures | None,
        cache: Path,
    ) -> "_Shown":
        """Picks and decodes them.

        Raises:
            DataError: the pictures are not known, or too few are held out.
        """
        where = pictures or Pictures.load(run)
        if where is None:
            raise DataError(
                f"{run} does not tell where its pictures are, which 8-bit weights are made and "
                "measured with. Add --sketchy DIR (and --train-photos), or --precision fp32."
            )
        photo_folder, sketch_folder = sketchy_folders(where.sketchy)
        sketches = _known(list_pictures(sketch_folder, sketches=True), trained)
        found = (
            p
            for folder in (photo_folder, *where.photos)
            for p in list_pictures(folder, sketches=False)
        )
        photos = _known(found, trained)
        split = Split.load(run / SPLIT)
        held_sketches, held_photos = split.validation(sketches), split.validation(photos)
        if len(held_photos) < FIRST or not held_sketches:
            raise DataError(
                f"{run / SPLIT} holds out {len(held_photos)} of these photos and "
                f"{len(held_sketches)} of the sketches, too few to measure with. Name the pictures "
                "of the run with --sketchy and --train-photos."
            )
        size = trained.config.input_size
        seen = _pick(split.train(photos), PHOTOS)
        drawn = _decode(_pick(split.train(sketches), SKETCHES), size, cache, sketches=True)
        shared = _decode(_pick(seen, SHARED_PHOTOS), size, cache, sketches=False)
        photo_size = other.input_size if other else size
        return cls(
            CalibrationFrames(
                [*_all(drawn), *_all(shared)],
                _all(_decode(seen, photo_size, cache, sketches=False)) if other else (),
            ),
            _decode(sample(held_sketches), size, cache, sketches=True),
            _decode(held_photos, photo_size, cache, sketches=False),
        )

    def precision(self, encoder: Encoder) -> float:
        """P@12 of an encoder on the held-out pictures."""
        sketches = [
            encoder.embed_frames(np.stack(frames))
            for frames in _chunks(_all(self.sketches), encoder.BATCH)
        ]
        photos = encoder.embed_photo_frames(_all(self.photos))
        drawn, shown = (
            np.array([picture.label for picture in frames.pictures])
            for frames in (self.sketches, self.photos)
        )
        rows = np.concatenate(sketches)
        return evaluate_embeddings(rows, photos, drawn, shown).precision_at_12


def _known(pictures: "Iterator[Picture] | Sequence[Picture]", run: Run) -> list[Picture]:
    return [picture for picture in pictures if picture.label in run.classes]


def _pick(pictures: Sequence[Picture], most: int) -> list[Picture]:
    order = np.random.default_rng(0).permutation(len(pictures))[:most]
    return [pictures[i] for i in sorted(order)]


def _decode(pictures: Sequence[Picture], size: int, cache: Path, *, sketches: bool) -> Frames:
    return load_frames(pictures, size, sketches=sketches, cache=cache)


def _all(frames: Frames) -> list[Pixels]:
    return list(frames.take(np.arange(len(frames.pictures))))


def _chunks(frames: Sequence[Pixels], size: int) -> Iterator[Sequence[Pixels]]:
    return (frames[start : start + size] for start in range(0, len(frames), size))


def _check_loss(before: float, after: float) -> None:
    if before - after > MOST_LOST:
        raise DataError(
            f"8-bit weights lower P@12 from {before:.4f} to {after:.4f}, by more than {MOST_LOST}. "
            "Nothing was written. Export with --precision fp32."
        )
    say(f"P@12 on held-out pictures: {before:.4f} as trained, {after:.4f} in 8 bits")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder beside another one, which is deleted afterwards."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        yield Path(folder)


def _move(source: Path, out: Path) -> None:
    """Puts a complete checkpoint in the place of an older one, with the manifest last."""
    out.mkdir(exist_ok=True)
    names = {file.name for file in source.iterdir()}
    for name in sorted(names, key=lambda name: name == MANIFEST):
        os.replace(source / name, out / name)
    clear_others(out, names)


def _is_exported(folder: Path) -> bool:
    """Whether a folder was written by `export`, with or without photos."""
    with_photos = (folder / SPLIT).is_file() and versions_in(folder)
    return bool(with_photos) or any((folder / name).is_file() for name in CHECKPOINT_FILES)


def _take_mean(trained: Run, given: Run, share: float) -> None:
    """Puts a run's weights this share of the way to those of another.

    The layer of the pose stays: poses of other runs lie in other spaces.
    """
    other = given.network
    weights, others = (
        {name: value for name, value in network.state_dict().items() if not is_pose(name)}
        for network in (trained.network, other)
    )
    alike, wanted = (
        (network.standardise, network.normalise, {k: v.shape for k, v in state.items()})
        for network, state in ((other, others), (trained.network, weights))
    )
    if alike != wanted or not same_prototypes(trained.network, other):
        raise DataError(
            f"{given.folder} holds another encoder than {trained.folder}, or embeds into another "
            "space. --mean-with and --photo-mean-with take encoders like the one that the run "
            "started from."
        )
    _check_split(trained.folder, given.folder)
    mean = mean_weights(others, weights, 1 - share)
    trained.network.load_state_dict({**trained.network.state_dict(), **mean})


def _check_split(run: Path, other: Path) -> None:
    """Makes sure that an encoder has never seen what a run holds out.

    Raises:
        DataError: it may have.
    """
    held, known = (Split.load(folder / SPLIT).validation_ids for folder in (run, other))
    if not held <= known:
        raise DataError(f"{other} was trained on pictures that {run} holds out.")
