"""A training from its sources to its checkpoints, on one process or many.

One CPU or GPU:

    python -m train fit --sketchy ~/sketchy --run runs/first

docs/training.md has the commands for several GPUs and hosts, which start with `torchrun`.
"""

import time
from pathlib import Path

from train import distributed
from train.config import MAX_EMBEDDING, FitConfig
from train.console import say
from train.data.dataset import Dataset, load_dataset
from train.data.sources import Sources
from train.errors import DataError
from train.metrics import Metrics
from train.run_files import LAST
from train.runs import BEST, is_blend
from train.teacher import Teachers
from train.trainer import Trainer


def fit(
    config: FitConfig,
    sources: Sources,
    run: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    compiled: bool = False,
) -> Metrics:
    """Trains an encoder; writes `split.json`, `log.jsonl`, `last.pt` and `best.pt` into `run`.

    Args:
        config: what to learn.
        sources: what to learn from.
        run: the run's folder.
        device: `auto`, `cpu` or `cuda`.
        resume: continue from the `last.pt` of the run.
        compiled: compile the network with `torch.compile`.

    Returns:
        The metrics of the best evaluation.

    Raises:
        DataError: the data, the run's folder or the device cannot be used.
    """
    began = time.monotonic()
    with distributed.process_group(device) as where:
        _check_folder(run, resume=resume)
        _check_ranks(config)
        _check_sources(config, sources)
        teachers = Teachers.load(config, sources)
        dataset = load_dataset(config, sources, teachers.mixed_sizes)
        _check_embedding(config, dataset)
        trainer = Trainer(config, dataset, run, where, sources, teachers, compiled=compiled)
        if resume:
            trainer.resume()
        say(f"ready for the first step after {time.monotonic() - began:.1f} s")
        return trainer.train()


def _check_folder(run: Path, *, resume: bool) -> None:
    """Raises DataError if the run's folder must not be written to."""
    is_evaluated = (run / BEST).exists()
    is_begun = is_evaluated or (run / LAST).exists()
    blended = is_evaluated and is_blend(run)
    is_begun, blended = distributed.from_first((is_begun, blended))
    if blended:
        raise DataError(f"{run} holds a blend, which cannot be trained on. Name another --run.")
    if is_begun and not resume:
        raise DataError(
            f"{run} holds a run already. Add --resume to go on with it, or name another --run."
        )


def _check_ranks(config: FitConfig) -> None:
    """Raises DataError if the processes cannot share batches evenly."""
    world = distributed.world()
    for option, count in (
        ("--sketch-batch", config.sketch_batch),
        ("--photo-batch", config.photos),
        ("--unlabelled-batch", config.unlabelled_batch),
        ("--mixed-sketches", config.mixed_sketches),
    ):
        if count % world:
            raise DataError(
                f"{option} {count} cannot be shared evenly by {world} processes. Use a multiple of "
                f"{world}."
            )
    if 0 < config.mixed_sketches < 2 * world:
        raise DataError(
            "Each process mixes its sketches with one another: --mixed-sketches must be at least "
            f"{2 * world} here."
        )


def _check_sources(config: FitConfig, sources: Sources) -> None:
    """Raises DataError if configuration and sources do not fit, before anything is decoded."""
    if bool(config.unlabelled_batch) != bool(sources.unlabelled):
        raise DataError("--unlabelled-photos and --unlabelled-batch need each other.")
    if config.unlabelled_batch and not sources.teachers:
        raise DataError("Unlabelled photos are learned from a teacher: add --teacher RUN.")
    if sources.pose_teacher and not config.pose:
        raise DataError("--pose-teacher teaches poses: add --pose.")
    if config.mixed_sketches and not sources.teachers:
        raise DataError("--mixed-sketches are learned from a teacher: add --teacher RUN.")
    if sources.photo_teacher and not sources.teachers:
        raise DataError("--photo-teacher needs a teacher of sketches beside it: add --teacher RUN.")
    if not config.labels and not (sources.teachers and config.distil):
        raise DataError(
            "With --labels 0, there is nothing to learn from: add a --teacher, with --distil "
            "above 0."
        )


def _check_embedding(config: FitConfig, dataset: Dataset) -> None:
    """Raises DataError if an embedding with a pose is too large."""
    pose, classes = config.pose_cells**2 * config.pose, len(dataset.classes)
    numbers = config.embedding_size + classes + pose
    if config.pose and numbers > MAX_EMBEDDING:
        raise DataError(
            f"An embedding of {config.embedding_size} numbers, {classes} classes and "
            f"{config.pose_cells} x {config.pose_cells} cells of {config.pose} would have "
            f"{numbers} numbers; {MAX_EMBEDDING} is the most. Lower --pose."
        )
