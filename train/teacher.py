"""What a run takes over from another encoder: weights, prototypes, and what it says of pictures."""

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from train import distributed
from train.config import FitConfig
from train.data.cache import making
from train.data.feed import HostFrames
from train.data.frames import Frames, load_frames, pictures_key
from train.data.material import Material, Sources
from train.data.pictures import Split
from train.errors import DataError
from train.networks.backbones import fold_batch_norms
from train.networks.inputs import as_input
from train.networks.pair import ONE, PAIR, first_of
from train.networks.siamese import SiameseNetwork, is_pose
from train.precision import autocast
from train.runs import BEST, SPLIT, Run, is_checkpoint, load_run, save_atomically

BATCH = 128
"""Pictures that are embedded at once."""


def begin_with(
    network: SiameseNetwork,
    backbone: str,
    folder: Path,
    material: Material,
    teachers: "Teachers | None",
) -> None:
    """Takes a checkpoint's weights, or of another backbone its prototypes alone.

    Prototypes stay as they are given: two encoders with the same ones embed into one space.

    Args:
        backbone: of the network. Where that of the checkpoint's sketches is another, the network
            for its photos is taken; of a pair of networks the one that tells the animal.

    Raises:
        DataError: the checkpoint knows other classes, embeds into another space, or has seen what
            is held out here; or a teacher embeds into another space.
    """
    if not is_checkpoint(folder) and not (folder / BEST).exists():
        raise DataError(
            f"{folder} is no checkpoint, nor an evaluated run. Name what 'python -m train export' "
            "has written."
        )
    given = load_run(folder)
    if given.config.backbone != backbone and is_checkpoint(folder):
        given = animal_encoder(folder)
    if given.classes != material.classes:
        raise DataError(f"{folder} knows other classes than this run.")
    _check_split(folder / SPLIT, material)
    source = given.network
    if teachers and not same_prototypes(source, teachers.of_sketches.network):
        raise DataError(
            f"{folder} embeds into another space than the teacher {teachers.of_sketches.folder}. "
            "Take a teacher that began with it (--start), or leave one of both out."
        )
    if source.prototypes.shape != network.prototypes.shape:
        raise DataError(
            f"{folder} has {len(source.prototypes)} prototypes of {source.prototypes.shape[1]} "
            "numbers; give this run the same --embedding-size, and --loss cosface."
        )
    weights = network.state_dict()
    given_weights = {name: value for name, value in source.state_dict().items() if name in weights}
    shapes, given_shapes = (
        {name: value.shape for name, value in state.items() if not is_pose(name)}
        for state in (weights, given_weights)
    )
    if source.pose_size != network.pose_size:  # another pose is learned anew
        given_weights = {n: v for n, v in given_weights.items() if not is_pose(n)}
    if shapes == given_shapes:
        if (source.standardise, source.normalise) != (network.standardise, network.normalise):
            raise DataError(
                f"{folder} has {_flag('standardise', source.standardise)} and "
                f"{_flag('normalise', source.normalise)}; give this run the same."
            )
        network.load_state_dict({**weights, **given_weights})
    elif not len(source.prototypes):
        raise DataError(f"{folder} has another backbone, and no prototypes to take over.")
    _keep_prototypes(network, source)


def animal_encoder(folder: Path) -> Run:
    """A checkpoint's network for photos; of a pair of networks the one that tells the animal."""
    given = load_run(folder, photos=True)
    if given.config.backbone != PAIR:
        return given
    config = replace(given.config, backbone=ONE)
    return replace(given, network=first_of(given.network), config=config)


@dataclass(frozen=True)
class Teachers:
    """The runs that sketches and photos learn from, often one and the same."""

    of_sketches: Run
    of_photos: Run

    @classmethod
    def load(cls, sources: Sources) -> "Teachers | None":
        """The teachers that are named, if any is.

        Raises:
            DataError: one is no run, or both embed into different spaces.
        """
        if not sources.teacher:
            return None
        teacher = load_run(sources.teacher)
        given = sources.photo_teacher or sources.teacher
        # A checkpoint may have another network for photos; a run has one for both.
        is_other = sources.photo_teacher is not None or is_checkpoint(given)
        other = load_run(given, photos=True) if is_other else teacher
        if other is not teacher and not same_prototypes(teacher.network, other.network):
            raise DataError(
                f"{teacher.folder} and {other.folder} embed into different spaces. Train one with "
                "a checkpoint of the other as --start, or 'blend' it."
            )
        return cls(teacher, other)

    def teach(
        self,
        network: SiameseNetwork,
        material: Material,
        device: torch.device,
        cache: Path,
        *,
        mixed: Collection[str],
    ) -> None:
        """Gives a network the teachers' prototypes, and its pictures what they say of them.

        Args:
            mixed: kinds of pictures whose mixtures will be explained step by step, by `mix`.

        Raises:
            DataError: a teacher knows other classes, or was trained on held-out pictures.
        """
        for teacher in (self.of_sketches, self.of_photos):
            if teacher.classes != material.classes:
                raise DataError(f"The teacher {teacher.folder} knows other classes than this run.")
            _check_split(teacher.folder / SPLIT, material)
            shape = network.prototypes.shape
            if teacher.network.prototypes.shape != shape or not shape[0]:
                raise DataError(
                    f"The teacher {teacher.folder} has other prototypes. Give this run its "
                    "--embedding-size, and both --loss cosface."
                )
        _keep_prototypes(network, self.of_sketches.network)
        for name, domain in material.domains().items():
            if name == "unlabelled" and name in mixed:
                continue
            domain.targets = teacher_targets(self.of(name), domain.frames, name, device, cache)
        for name in mixed:
            fold_batch_norms(self.of(name).network.backbone)
            self.of(name).network.to(device).to(memory_format=torch.channels_last)

    def of(self, kind: str) -> Run:
        """The teacher of `sketches`, `photos` or `unlabelled` photos."""
        return self.of_sketches if kind == "sketches" else self.of_photos


@torch.no_grad()
def mix(
    teacher: Run,
    views: torch.Tensor,
    others: torch.Tensor,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixtures of pictures in random shares, and the teacher's projections of just these.

    A teacher that sees what its student sees, and more than there are pictures of, is matched
    as a function (Beyer et al. 2022, section 3.1, with mixup of Zhang et al. 2018).

    Args:
        teacher: a run whose network is on the views' device.
        views: `(n, 3, h, w)`, of the teacher's input size.
        others: `(m, 3, h, w)` to mix them with, one after the other.
        generator: of the views' device, for the shares; without it, PyTorch's own.
    """
    share = torch.rand(len(views), 1, 1, 1, device=views.device, generator=generator)
    partners = others[torch.arange(len(views), device=others.device) % len(others)]
    mixed = share * views + (1 - share) * partners
    mixed = mixed.contiguous(memory_format=torch.channels_last)
    with autocast(mixed.device, amp=teacher.config.amp):
        return mixed, teacher.network.project(mixed).float()


@torch.no_grad()
def teach_poses(
    teacher: Run, config: FitConfig, material: Material, device: torch.device, cache: Path
) -> None:
    """Gives photos that are in pairs a teacher's poses of them and of their mirror images.

    Raises:
        DataError: the teacher has no pose, knows other classes, or was trained on held-out
            pictures.
    """
    network = teacher.network
    if network.pose is None:
        raise DataError(f"{teacher.folder} has no pose to teach. Name a run that has --pose.")
    cells, size = network.pose_cells, network.pose.out_features
    if (cells, size) != (config.pose_cells, config.pose):
        raise DataError(
            f"The poses of {teacher.folder} have {cells} x {cells} cells of {size} numbers; give "
            f"this run --pose {size} --pose-cells {cells}."
        )
    if teacher.classes != material.classes:
        raise DataError(f"{teacher.folder} knows other classes than this run.")
    _check_split(teacher.folder / SPLIT, material)
    pictures = material.photos.frames.pictures
    frames = load_frames(pictures, teacher.config.input_size, sketches=False, cache=cache)
    if len(frames.pictures) != len(pictures):
        raise DataError("Some photos could be read before, and now cannot. Start again.")
    network.to(device).to(memory_format=torch.channels_last)
    rows = np.unique(material.pairs[:, 1])
    poses = torch.zeros(len(pictures), 2, network.pose_size)
    feed = HostFrames(frames, device)
    hidden = distributed.rank() > 0
    for start in tqdm(range(0, len(rows), BATCH), "teacher on poses", disable=hidden):
        some = rows[start : start + BATCH]
        batch = as_input(feed.take(some))
        with autocast(device, amp=teacher.config.amp):
            both = [network.poses(network.maps(b)).float().cpu() for b in (batch, batch.flip(3))]
        poses[some] = torch.stack(both, dim=1)
    material.poses = poses.flatten(0, 1)


def _check_split(split: Path, material: Material) -> None:
    """Whether an encoder with this split has never seen what is held out here."""
    if not material.split.validation_ids <= Split.load(split).validation_ids:
        raise DataError(
            f"{split.parent} has another split, so that it may have seen what is held out here. "
            f"Add --split {split}."
        )


def same_prototypes(one: SiameseNetwork, other: SiameseNetwork) -> bool:
    """Whether prototypes are equal as checkpoints keep them, in fp16."""
    return len(one.prototypes) > 0 and torch.equal(one.prototypes.half(), other.prototypes.half())


def _flag(name: str, value: bool) -> str:
    return f"--{name}" if value else f"--no-{name}"


def _keep_prototypes(network: SiameseNetwork, given: SiameseNetwork) -> None:
    with torch.no_grad():
        network.prototypes.copy_(given.prototypes)
    network.prototypes.requires_grad_(False)


def teacher_targets(
    teacher: Run, frames: Frames, kind: str, device: torch.device, cache: Path
) -> torch.Tensor:
    """The teacher's projection of each picture, the mean with its mirror image.

    The teacher sees the pictures at its own input size.

    Args:
        teacher: a trained run.
        frames: all of them sketches or all of them photos.
        kind: `sketches`, or a name for the photos.
        device: where to run the teacher.
        cache: folder where the result is kept.

    Returns:
        `(n, projection_size)` float32 rows of length 1, on the CPU.
    """
    size = teacher.config.input_size
    pictures = frames.pictures
    changed = teacher.weights.stat().st_mtime_ns
    key = pictures_key(pictures, size, str(teacher.weights.resolve()), changed)
    path = cache / f"teacher-{kind}-{key}.pt"
    with making(path) if distributed.rank() == 0 else nullcontext():
        _ask(teacher, frames, kind, device, cache, path)
    distributed.wait()
    targets: torch.Tensor = torch.load(path, weights_only=True)
    return targets


def _ask(
    teacher: Run, frames: Frames, kind: str, device: torch.device, cache: Path, path: Path
) -> None:
    """Writes a teacher's projections to `path`, unless they are there."""
    size, pictures = teacher.config.input_size, frames.pictures
    if not distributed.from_first(path.exists()):
        seen = load_frames(pictures, size, sketches=kind == "sketches", cache=cache)
        if len(seen.pictures) != len(pictures):
            raise DataError(f"Some {kind} could be read before, and now cannot. Start again.")
        fold_batch_norms(teacher.network.backbone)
        network = teacher.network.to(device).to(memory_format=torch.channels_last)
        projected = project(
            network,
            seen,
            device,
            amp=teacher.config.amp,
            mirror=True,
            name=f"teacher on {kind}",
        )
        if distributed.rank() == 0:
            save_atomically(projected, path)


def project(
    network: SiameseNetwork,
    frames: Frames,
    device: torch.device,
    *,
    amp: bool,
    mirror: bool = False,
    name: str = "",
) -> torch.Tensor:
    """Projections of many frames, in batches; each rank does its share, each gets all.

    Args:
        amp: compute in bf16 where that is fast.
        mirror: take the mean of each picture and its mirror image.
        name: what to show a progress bar as; without it there is none.

    Returns:
        `(n, projection_size)` float32 rows, on the CPU, in the order of the frames.
    """
    encode = partial(network.project, mirror=mirror)
    size = network.projection.out_features
    return _encode_all(network, encode, size, frames, device, amp=amp, name=name)


def embed(
    network: SiameseNetwork, frames: Frames, device: torch.device, *, amp: bool, mirror: bool
) -> torch.Tensor:
    """Embeddings of many frames, `(n, network.size)`; see `project`."""
    encode = partial(network.embed, mirror=mirror)
    return _encode_all(network, encode, network.size, frames, device, amp=amp, name="")


@torch.no_grad()
def _encode_all(
    network: SiameseNetwork,
    encode: Callable[[torch.Tensor], torch.Tensor],
    size: int,
    frames: Frames,
    device: torch.device,
    *,
    amp: bool,
    name: str,
) -> torch.Tensor:
    network.eval()
    count, world = len(frames.pictures), distributed.world()
    mine = np.arange(distributed.rank(), count, world)
    parts = [torch.empty(0, size)]
    starts, feed = range(0, len(mine), BATCH), HostFrames(frames, device)
    for start in tqdm(starts, name, disable=not name or distributed.rank() > 0):
        batch = as_input(feed.take(mine[start : start + BATCH]))
        with autocast(device, amp=amp):
            parts.append(encode(batch).float().cpu())
    rows = torch.empty(count, size)
    for of_rank, part in enumerate(distributed.gather_objects(torch.cat(parts))):
        rows[of_rank::world] = part
    return rows
