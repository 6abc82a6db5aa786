"""From a training run to the checkpoint folder that the app loads."""

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import CHECKPOINT_FILES, MANIFEST
from model.checkpoint.manifest import Manifest
from model.checkpoint.records import PhotoEncoderInfo
from model.checkpoint.versions import versions_in
from model.gallery.build import build_gallery
from model.gallery.photos import FoundPhotos, find_photos
from model.gallery.walk import named
from train.checkpoints import move_checkpoint, save_checkpoint
from train.config import MAX_SIZE, MIN_SIZE, Precision
from train.console import say
from train.data.pictures import Split
from train.data.quantisation import QuantisationFrames
from train.data.sources import DataFolders
from train.errors import DataError
from train.networks.encoder import encoder_of
from train.networks.pair import ONE, PAIR, pair_of, pose_size_of, set_pose_size
from train.networks.siamese import is_pose
from train.runs import SPLIT, Run, is_checkpoint, load_animal_encoder, load_run, mean_weights
from train.teacher import same_prototypes

MAX_DROP = 0.005
"""The largest drop of P@12 that 8-bit networks may cause."""


@dataclass(frozen=True)
class Export:
    """What to export.

    Attributes:
        run: the folder that `fit` has written, or a checkpoint to write again.
        out: the checkpoint folder to write.
        name: of the checkpoint; that of a checkpoint that is written again, else `sketchzoo`.
        photos: folders of photos to index with Annoy.
        photo_encoder: a run or a checkpoint with the same prototypes, whose network embeds photos
            when they are indexed. Its split must hold out what that of `run` does. A checkpoint
            that is written again keeps its own.
        photo_size: side in pixels of the photos that it sees. Training crops photos, so animals
            look larger than in whole photos of the same size; a larger size makes up for that
            (Touvron et al. 2019).
        pose_size: side at which the network for the pose sees them, in pixels. By default, it is
            that of a checkpoint which is written again, else `photo_size`.
        pose_encoder: the run that was the pose teacher of `run`. Its network embeds the pose of
            photos, beside the photo encoder; both are EfficientNet-Lite2.
        pose_weight: weight of the pose's cosine, relative to that of the rest of the embedding; by
            default that of the training.
        last: take the weights that the run ended with. The best evaluation is that of the run's
            network only, which is not decisive if there is a `photo_encoder`.
        mean_with: checkpoints to take the mean with, usually the one that the run started from
            (Wortsman et al. 2022, "Model soups").
        photo_mean_with: the same for the photo encoder: runs or checkpoints, of which the network
            for photos is taken.
        precision: `fp32` keeps the weights as they are; the files are four times as large.
        data: where the run's pictures are, if the run does not say or they have moved.
        cache: folder of frames.
    """

    run: Path
    out: Path
    name: str | None = None
    photos: Sequence[Path] = ()
    photo_encoder: Path | None = None
    photo_size: int | None = None
    pose_size: int | None = None
    pose_encoder: Path | None = None
    pose_weight: float | None = None
    last: bool = False
    mean_with: Sequence[Path] = ()
    photo_mean_with: Sequence[Path] = ()
    precision: Precision = "int8"
    data: DataFolders | None = None
    cache: Path = Path("cache")


def export(wanted: Export) -> Checkpoint:
    """Writes the averaged weights of a run's best evaluation, with the run's split beside them.

    Networks are quantised to 8 bits, calibrated with training pictures; see `train.networks.onnx`.
    The drop of P@12 is measured on held-out pictures; if it is above `MAX_DROP`, nothing is
    written.

    Raises:
        DataError: a run has no finished evaluation, the encoders do not fit, `out` holds something
            else, or 8 bits cost too much.
        CheckpointError: a checkpoint cannot be read.
    """
    trained, photo_run = _load_shared(wanted), _load_photo_run(wanted)
    _check_encoders(wanted, trained, photo_run)
    if wanted.pose_weight is not None:
        _weigh_pose(wanted.pose_weight, trained, photo_run)
    _check_folders(wanted)
    found = find_photos(wanted.photos, [wanted.out])
    photo_encoder = _photo_encoder_info(wanted, photo_run)
    frames = None
    if wanted.precision == "int8":
        frames = QuantisationFrames.load(trained, photo_encoder, wanted.data, wanted.cache)
    with _folder_beside(wanted.out) as folder:
        checkpoint = _save(folder, wanted, trained, photo_run, photo_encoder, frames)
        if frames:
            photo_network = None
            if photo_run and photo_encoder:
                photo_network = encoder_of(photo_run.network, photo_encoder.input_size)
            exact = encoder_of(trained.network, trained.config.input_size, photo_network)
            before = frames.precision_at_12(exact)
            check_drop(before, frames.precision_at_12(checkpoint.encoder()))
        shutil.copyfile(wanted.run / SPLIT, folder / SPLIT)
        move_checkpoint(folder, wanted.out)
    checkpoint = Checkpoint.open(wanted.out)
    return _with_photos(checkpoint, found) if found.photos else checkpoint


def _load_shared(wanted: Export) -> Run:
    """The network of sketches, and of photos unless there is another."""
    trained = load_run(wanted.run, last=wanted.last)
    for count, folder in enumerate(wanted.mean_with, 1):
        trained = _mean_with(trained, load_run(folder), 1 / (count + 1))
    return trained


def _mean_with(trained: Run, given_run: Run, share: float) -> Run:
    """A run whose weights are the mean with those of another, of which they get `share`.

    The layer of the pose stays as it is, because poses of other runs lie in other spaces.
    """
    other = given_run.network
    weights, others = (
        {name: value for name, value in network.state_dict().items() if not is_pose(name)}
        for network in (trained.network, other)
    )
    own, given = (
        (network.standardise, network.normalise, {k: v.shape for k, v in state.items()})
        for network, state in ((trained.network, weights), (other, others))
    )
    if own != given or not same_prototypes(trained.network, other):
        raise DataError(
            f"{given_run.folder} holds another encoder than {trained.folder}, or embeds into "
            "another space. --mean-with and --photo-mean-with take encoders like the one that the "
            "run started from."
        )
    _check_split(trained.folder, given_run.folder)
    network = deepcopy(trained.network)
    network.load_state_dict({**network.state_dict(), **mean_weights(others, weights, 1 - share)})
    return replace(trained, network=network, metrics=None)


def _load_photo_run(wanted: Export) -> Run | None:
    """The encoder of photos: the one that is named, else that of a checkpoint."""
    photo_run = None
    if wanted.photo_encoder:
        photo_run = load_run(wanted.photo_encoder, photos=True)
    elif is_checkpoint(wanted.run):
        own = load_run(wanted.run, photos=True)
        photo_run = own if own.weights != load_run(wanted.run).weights else None
    for count, folder in enumerate(wanted.photo_mean_with, 1):
        if photo_run is None:
            raise DataError("--photo-mean-with needs a --photo-encoder.")
        photo_run = _mean_with(photo_run, load_animal_encoder(folder), 1 / (count + 1))
    if wanted.pose_encoder:
        photo_run = _with_pose(photo_run, load_run(wanted.pose_encoder, photos=True))
    if wanted.pose_size is not None:
        if photo_run is None or photo_run.config.backbone != PAIR:
            raise DataError("--pose-size needs a --pose-encoder, or a checkpoint that has one.")
        set_pose_size(photo_run.network, wanted.pose_size)
    return photo_run


def _with_pose(animal: Run | None, pose: Run) -> Run:
    """An encoder of photos with the pose of another."""
    if animal is None or {animal.config.backbone, pose.config.backbone} != {ONE}:
        raise DataError(f"--pose-encoder needs a --photo-encoder, and both must be {ONE}.")
    if not pose.network.pose_size:
        raise DataError(f"{pose.folder} has no pose. Name a run that has --pose.")
    if animal.network.standardise != pose.network.standardise:
        raise DataError(f"{animal.folder} and {pose.folder} differ in --standardise.")
    config = replace(animal.config, backbone=PAIR)
    network = pair_of(animal.network, pose.network)
    return replace(animal, network=network, config=config, pose_space=pose.pose_space)


def _weigh_pose(weight: float, trained: Run, photo_run: Run | None) -> None:
    """Sets the weight of the pose for sketches and photos."""
    if not trained.network.pose_size:
        raise DataError(f"{trained.folder} has no pose that --pose-weight could weigh.")
    if not 0 < weight < math.inf:
        raise DataError(f"--pose-weight must be above 0; it is {weight}.")
    for run in filter(None, (trained, photo_run)):
        run.network.pose_weight = weight


def _photo_encoder_info(wanted: Export, photo_run: Run | None) -> PhotoEncoderInfo | None:
    if photo_run is None:
        return None
    size = wanted.photo_size or photo_run.config.input_size
    config, pose_size = photo_run.config, pose_size_of(photo_run.network)
    return PhotoEncoderInfo(config.backbone, size, config.standardise, pose_size)


def _check_encoders(wanted: Export, trained: Run, photo_run: Run | None) -> None:
    """Raises DataError if the embeddings of sketches and of photos cannot be compared."""
    size = wanted.photo_size
    if size is not None and (photo_run is None or not MIN_SIZE <= size <= MAX_SIZE):
        raise DataError(
            f"--photo-size must be {MIN_SIZE} to {MAX_SIZE}, and needs a --photo-encoder."
        )
    if photo_run is None:
        return
    pose_size, most = pose_size_of(photo_run.network), size or photo_run.config.input_size
    if pose_size is not None and not MIN_SIZE <= pose_size <= most:
        raise DataError(
            f"--pose-size must be {MIN_SIZE} to --photo-size, {most}; it is {pose_size}."
        )
    if photo_run.pose_space != trained.pose_space:
        raise DataError(
            f"The poses of {trained.folder} and {photo_run.folder} cannot be compared. Train one "
            "with the other as --pose-teacher, or both without --pose."
        )
    if not same_prototypes(photo_run.network, trained.network):
        raise DataError(
            f"{photo_run.folder} embeds into another space than {trained.folder}. Train one with "
            "the other as --teacher, or with its checkpoint as --start."
        )
    if photo_run.folder != wanted.run:
        _check_split(wanted.run, photo_run.folder)


def _check_split(run: Path, other: Path) -> None:
    """Raises DataError if an encoder may have seen what a run holds out."""
    held, known = (Split.load(folder / SPLIT).validation_ids for folder in (run, other))
    if not held <= known:
        raise DataError(f"{other} was trained on pictures that {run} holds out.")


def _check_folders(wanted: Export) -> None:
    """Raises DataError if the checkpoint's folder must not be written to."""
    out = wanted.out
    if out.is_dir() and any(out.iterdir()) and not _is_exported(out):
        raise DataError(f"{out} holds other files than a checkpoint. Name another folder.")
    if out.resolve() == wanted.run.resolve():
        raise DataError(f"{out} is the folder that is read. Name another one.")


def _is_exported(folder: Path) -> bool:
    """Whether `export` has written a folder, with or without photos."""
    with_photos = (folder / SPLIT).is_file() and versions_in(folder)
    return bool(with_photos) or any((folder / name).is_file() for name in CHECKPOINT_FILES)


def _save(
    folder: Path,
    wanted: Export,
    trained: Run,
    photo_run: Run | None,
    photo_encoder: PhotoEncoderInfo | None,
    frames: QuantisationFrames | None,
) -> Checkpoint:
    """Writes the checkpoint without photos.

    Its name and calibration are those of a checkpoint that is written again.
    """
    older = None
    if is_checkpoint(wanted.run):
        older = Manifest.read(wanted.run / MANIFEST, older=True)
    changes = (
        *(wanted.mean_with, wanted.photo_mean_with, wanted.photo_encoder),
        *(wanted.photo_size, wanted.pose_size, wanted.pose_weight),
    )
    return save_checkpoint(
        folder,
        trained.network,
        name=wanted.name or (older.name if older else "sketchzoo"),
        backbone=trained.config.backbone,
        input_size=trained.config.input_size,
        classes=trained.classes,
        training={**asdict(trained.config), "steps_done": trained.step},
        metrics={} if photo_run else trained.metrics or {},
        photo_network=photo_run.network if photo_run else None,
        photo_encoder=photo_encoder,
        frames=frames.calibration if frames else None,
        calibration=older.calibration if older and not any(changes) else None,
    )


def check_drop(before: float, after: float) -> None:
    """Prints P@12 before and after the quantisation.

    Args:
        before, after: P@12 on held-out pictures.

    Raises:
        DataError: it drops by more than `MAX_DROP`.
    """
    if before - after > MAX_DROP:
        raise DataError(
            f"8-bit networks lower P@12 from {before:.4f} to {after:.4f}, by more than {MAX_DROP}. "
            "Nothing was written. Export with --precision fp32."
        )
    say(f"P@12 on held-out pictures: {before:.4f} as trained, {after:.4f} in 8 bits")


@contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """A temporary folder on the same disk."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        yield Path(folder)


def _with_photos(checkpoint: Checkpoint, found: FoundPhotos) -> Checkpoint:
    """The checkpoint with an index of photos; files that are left out are named."""
    built = build_gallery(checkpoint, found.photos, checkpoint.folder, "annoy")
    for line in named([*found.left_out, *built.left_out]):
        say(line)
    return built.checkpoint
