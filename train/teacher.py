"""Encoders that a run learns from, and what they say of its pictures."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize
from tqdm import tqdm

from train import distributed
from train.config import FitConfig
from train.data.cache import making
from train.data.dataset import Dataset, Kind
from train.data.feed import HostFrames
from train.data.frames import Frames, load_frames, pictures_key
from train.data.pictures import Split
from train.data.sources import Sources
from train.embedding import BATCH, project
from train.errors import DataError
from train.networks.inputs import as_input
from train.networks.siamese import SiameseNetwork
from train.precision import autocast
from train.run_files import save_state
from train.runs import SPLIT, Run, is_checkpoint, load_animal_encoder, load_run


@dataclass(frozen=True)
class Targets:
    """What teachers say of the training pictures.

    Attributes:
        projections: by kind of picture, `(n, projection_size)` rows of length 1; empty without a
            teacher. Without `unlabelled` if these photos are mixed: mixtures are projected in
            each batch.
        poses: `(2 * photos, pose_size)`, for each photo its pose and that of its mirror image, so
            that the number of a pair is a row; zeros for photos in no pair. None without a teacher
            of poses.
    """

    projections: Mapping[Kind, torch.Tensor] = field(default_factory=dict)
    poses: torch.Tensor | None = None

    def to(self, device: torch.device) -> "Targets":
        """The same on another device."""
        return Targets(
            {kind: rows.to(device) for kind, rows in self.projections.items()},
            None if self.poses is None else self.poses.to(device),
        )


@dataclass(frozen=True)
class Teachers:
    """The encoders that a run learns from.

    Attributes:
        projections: by kind of picture, one encoder or several, whose mean is learned; empty
            without a teacher.
        poses: the teacher of the poses of photos, if there is one.
        mixed: kinds of pictures that are mixed in each batch.
    """

    projections: Mapping[Kind, tuple[Run, ...]] = field(default_factory=dict)
    poses: Run | None = None
    mixed: tuple[Kind, ...] = ()

    @classmethod
    def load(cls, config: FitConfig, sources: Sources) -> "Teachers":
        """Reads the teachers that are named.

        Raises:
            DataError: one is no run, two embed into different spaces, or all teachers of
                mixtures take smaller images than the run.
        """
        poses = load_run(sources.pose_teacher, photos=True) if sources.pose_teacher else None
        if not sources.teachers:
            return cls(poses=poses)
        first, *others = sketch_teachers = tuple(load_run(folder) for folder in sources.teachers)
        photo_folder = sources.photo_teacher or first.folder
        # A checkpoint may have another network for photos; a run has one for both.
        is_other = sources.photo_teacher is not None or is_checkpoint(photo_folder)
        photo_teacher = load_animal_encoder(photo_folder) if is_other else first
        for other in (*others, *([photo_teacher] if is_other else [])):
            if not same_prototypes(first.network, other.network):
                raise DataError(
                    f"{first.folder} and {other.folder} embed into different spaces. Train one "
                    "with a checkpoint of the other as --start, or 'blend' it."
                )
        wanted: dict[Kind, bool] = {"unlabelled": config.mix, "sketches": config.mixed_sketches > 0}
        teachers = cls(
            {
                "sketches": sketch_teachers,
                "photos": (photo_teacher,),
                "unlabelled": (photo_teacher,),
            },
            poses,
            tuple(kind for kind, is_mixed in wanted.items() if is_mixed),
        )
        for kind, size in teachers.mixed_sizes.items():
            if size < config.input_size:
                raise DataError(
                    f"{teachers.projections[kind][0].folder}, the teacher of mixtures, takes "
                    f"images of {size} pixels, fewer than this run. Name another teacher, or a "
                    "smaller --input-size."
                )
        return teachers

    @property
    def mixed_sizes(self) -> dict[Kind, int]:
        """Kinds of pictures that are mixed, and the largest input size among their teachers."""
        return {
            kind: max(run.config.input_size for run in self.projections[kind])
            for kind in self.mixed
        }

    @property
    def prototypes(self) -> torch.Tensor | None:
        """`(classes, projection_size)`, which the run takes over; None without a teacher."""
        if not self.projections:
            return None
        return self.projections["sketches"][0].network.prototypes

    def check(self, config: FitConfig, network: SiameseNetwork, dataset: Dataset) -> None:
        """Makes sure that a run can learn from these teachers.

        Raises:
            DataError: a teacher knows other classes, has prototypes or poses of another size, or
                may have been trained on held-out pictures.
        """
        for kind in dataset.training_frames() if self.projections else ():
            for teacher in self.projections[kind]:
                _check_teacher(teacher, dataset)
                shape = network.prototypes.shape
                if teacher.network.prototypes.shape != shape or not shape[0]:
                    raise DataError(
                        f"The teacher {teacher.folder} has other prototypes. Give this run its "
                        "--embedding-size, and both --loss cosface."
                    )
        if self.poses:
            _check_poses(self.poses, config)
            _check_teacher(self.poses, dataset)

    def mixers(self, device: torch.device) -> dict[Kind, tuple[Run, ...]]:
        """The teachers of mixtures, with networks for inference on a device."""
        return {
            kind: tuple(
                replace(run, network=run.network.for_inference(device))
                for run in self.projections[kind]
            )
            for kind in self.mixed
        }

    def targets(self, dataset: Dataset, device: torch.device, cache: Path) -> Targets:
        """What the teachers say of the training pictures; the cache keeps their projections."""
        projections = {
            kind: _mean_projections(self.projections[kind], frames, kind, device, cache)
            for kind, frames in dataset.training_frames().items()
            if self.projections and not (kind == "unlabelled" and kind in self.mixed)
        }
        poses = pose_targets(self.poses, dataset, device, cache) if self.poses else None
        return Targets(projections, poses)


NO_TEACHERS = Teachers()


def _check_teacher(teacher: Run, dataset: Dataset) -> None:
    """Raises DataError if a teacher has other classes, or may have seen held-out pictures."""
    if teacher.classes != dataset.classes:
        raise DataError(f"The teacher {teacher.folder} knows other classes than this run.")
    check_split(teacher.folder / SPLIT, dataset)


def _check_poses(teacher: Run, config: FitConfig) -> None:
    """Raises DataError if a teacher has no pose, or one of another size."""
    network = teacher.network
    if network.pose is None:
        raise DataError(f"{teacher.folder} has no pose to teach. Name a run that has --pose.")
    cells, size = network.pose_cells, network.pose.out_features
    if (cells, size) != (config.pose_cells, config.pose):
        raise DataError(
            f"The poses of {teacher.folder} have {cells} x {cells} cells of {size} numbers; give "
            f"this run --pose {size} --pose-cells {cells}."
        )


def check_split(split: Path, dataset: Dataset) -> None:
    """Makes sure that an encoder with this split has not seen what is held out here.

    Raises:
        DataError: it may have.
    """
    if not dataset.split.validation_ids <= Split.load(split).validation_ids:
        raise DataError(
            f"{split.parent} has another split, so it may have seen what is held out here. Add "
            f"--split {split}."
        )


def same_prototypes(one: SiameseNetwork, other: SiameseNetwork) -> bool:
    """Whether prototypes are equal as checkpoints keep them, in fp16; False if there are none."""
    return len(one.prototypes) > 0 and torch.equal(one.prototypes.half(), other.prototypes.half())


def _mean_projections(
    teachers: tuple[Run, ...], frames: Frames, kind: Kind, device: torch.device, cache: Path
) -> torch.Tensor:
    """The mean of the teachers' projections of pictures, as rows of length 1."""
    each = [cached_projections(teacher, frames, kind, device, cache) for teacher in teachers]
    return normalize(torch.stack(each).mean(dim=0), dim=1)


def cached_projections(
    teacher: Run, frames: Frames, kind: Kind, device: torch.device, cache: Path
) -> torch.Tensor:
    """A teacher's projections of pictures, each the mean with its mirror image.

    The teacher sees the pictures at its own input size.

    Args:
        teacher: a trained run.
        frames: of the pictures, at any size.
        kind: of the pictures.
        device: where the teacher computes.
        cache: folder where the result is kept.

    Returns:
        `(n, projection_size)` float32 rows of length 1, on the CPU.
    """
    size, changed = teacher.config.input_size, teacher.weights.stat().st_mtime_ns
    key = pictures_key(frames.pictures, size, str(teacher.weights.resolve()), changed)
    path = cache / f"teacher-{kind}-{key}.pt"
    with making(path) if distributed.rank() == 0 else nullcontext():
        if not distributed.from_first(path.exists()):
            projected = _projections(teacher, frames, kind, device, cache)
            if distributed.rank() == 0:
                save_state(projected, path)
    distributed.wait()
    projections: torch.Tensor = torch.load(path, weights_only=True)
    return projections


def _projections(
    teacher: Run, frames: Frames, kind: Kind, device: torch.device, cache: Path
) -> torch.Tensor:
    seen = _frames_for(teacher, frames, cache, sketches=kind == "sketches")
    return project(
        teacher.network.for_inference(device),
        seen,
        device,
        amp=teacher.config.amp,
        name=f"teacher on {kind}",
    )


def _frames_for(teacher: Run, frames: Frames, cache: Path, *, sketches: bool) -> Frames:
    """The same pictures at the teacher's input size."""
    size, pictures = teacher.config.input_size, frames.pictures
    seen = load_frames(pictures, size, sketches=sketches, cache=cache)
    if len(seen.pictures) != len(pictures):
        raise DataError("Some pictures could be read before, and now cannot. Start again.")
    return seen


@torch.no_grad()
def pose_targets(teacher: Run, dataset: Dataset, device: torch.device, cache: Path) -> torch.Tensor:
    """A teacher's poses of the photos that are in pairs; see `Targets`."""
    photos = dataset.photos.frames
    feed = HostFrames(_frames_for(teacher, photos, cache, sketches=False), device)
    network = teacher.network.for_inference(device)
    rows = np.unique(dataset.pairs[:, 1])
    poses = torch.zeros(len(photos.pictures), 2, network.pose_size)
    hidden = distributed.rank() > 0
    for start in tqdm(range(0, len(rows), BATCH), "teacher on poses", disable=hidden):
        some = rows[start : start + BATCH]
        batch = as_input(feed.take(some))
        with autocast(device, amp=teacher.config.amp):
            both = [network.poses(network.maps(b)).float().cpu() for b in (batch, batch.flip(3))]
        poses[some] = torch.stack(both, dim=1)
    return poses.flatten(0, 1)
