"""The network that a run starts with."""

from pathlib import Path

import torch

from train.config import FitConfig
from train.data.dataset import Dataset
from train.errors import DataError
from train.networks.build import build_network
from train.networks.siamese import SiameseNetwork, is_pose
from train.runs import BEST, SPLIT, Run, is_checkpoint, load_animal_encoder, load_run
from train.teacher import Teachers, check_split, same_prototypes


def start_network(
    config: FitConfig, dataset: Dataset, start: Path | None, teachers: Teachers
) -> SiameseNetwork:
    """Random or ImageNet weights, or those of a checkpoint, with the teachers' prototypes.

    Prototypes that are taken over stay fixed: two encoders with the same ones embed into one
    space.

    Args:
        config: of the run; its seed decides the random weights.
        dataset: of the run.
        start: a run or checkpoint whose weights are taken, or only its prototypes if it has
            another backbone.
        teachers: of the run.

    Raises:
        DataError: the start or a teacher does not fit the run or the other one.
    """
    torch.manual_seed(config.seed)
    network = build_network(config, len(dataset.classes), pretrained=config.pretrained)
    if start:
        source = _load_start(start, config)
        _check_start(source, config, dataset, teachers)
        _take_weights(network, source)
        _fix_prototypes(network, source.network.prototypes)
    teachers.check(config, network, dataset)
    if teachers.prototypes is not None:
        _fix_prototypes(network, teachers.prototypes)
    return network


def _load_start(folder: Path, config: FitConfig) -> Run:
    """The run to start with.

    If a checkpoint has another backbone for sketches, it is the network for photos; of a pair of
    networks, the one that embeds the animal.
    """
    if not is_checkpoint(folder) and not (folder / BEST).exists():
        raise DataError(
            f"{folder} is no checkpoint, nor an evaluated run. Name a folder that 'python -m train "
            "export' has written."
        )
    run = load_run(folder)
    if run.config.backbone == config.backbone or not is_checkpoint(folder):
        return run
    return load_animal_encoder(folder)


def _check_start(start: Run, config: FitConfig, dataset: Dataset, teachers: Teachers) -> None:
    """Raises DataError if a run cannot start with these weights."""
    folder, source = start.folder, start.network
    if start.classes != dataset.classes:
        raise DataError(f"{folder} knows other classes than this run.")
    check_split(folder / SPLIT, dataset)
    teacher = next(iter(teachers.projections.get("sketches", ())), None)
    if teacher and not same_prototypes(source, teacher.network):
        raise DataError(
            f"{folder} embeds into another space than the teacher {teacher.folder}. Use a teacher "
            "that started with it (--start), or leave out one of the two."
        )
    if (len(source.prototypes) > 0) != (config.loss == "cosface"):
        raise DataError(
            f"{folder} was trained with --loss {start.config.loss}, and this run has --loss "
            f"{config.loss}: only cosface has prototypes. Give this run the same loss, or start "
            "with another run."
        )
    size = source.prototypes.shape[1]
    if size != config.embedding_size:
        raise DataError(f"{folder} has --embedding-size {size}; give this run the same.")


def _take_weights(network: SiameseNetwork, start: Run) -> None:
    """Takes over all weights; none if the backbone is another; no pose of another size."""
    source, own = start.network, network.state_dict()
    given = {name: value for name, value in source.state_dict().items() if name in own}
    shapes, given_shapes = (
        {name: value.shape for name, value in state.items() if not is_pose(name)}
        for state in (own, given)
    )
    if shapes != given_shapes:
        if not len(source.prototypes):
            raise DataError(f"{start.folder} has another backbone, and no prototypes to take over.")
        return
    if (source.standardise, source.normalise) != (network.standardise, network.normalise):
        raise DataError(
            f"{start.folder} has {_flag('standardise', source.standardise)} and "
            f"{_flag('normalise', source.normalise)}; give this run the same."
        )
    if source.pose_size != network.pose_size:  # another pose is learned anew
        given = {name: value for name, value in given.items() if not is_pose(name)}
    network.load_state_dict({**own, **given})


def _flag(name: str, value: bool) -> str:
    return f"--{name}" if value else f"--no-{name}"


@torch.no_grad()
def _fix_prototypes(network: SiameseNetwork, prototypes: torch.Tensor) -> None:
    network.prototypes.copy_(prototypes)
    network.prototypes.requires_grad_(False)
