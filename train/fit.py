"""A training from its sources to its checkpoints, for one process or many.

One CPU or GPU:

    python -m train fit --sketchy ~/sketchy --run runs/first

Two GPUs, and two hosts of eight GPUs: the README has the commands, which begin with `torchrun`.
"""

import time
from pathlib import Path

from train import distributed
from train.config import MAX_EMBEDDING, FitConfig
from train.console import say
from train.data.material import Sources, load_material
from train.errors import DataError
from train.metrics import Metrics
from train.runs import BEST, LAST, load_run, read
from train.teacher import Teachers, begin_with, teach_poses
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
    """Trains an encoder; leaves `split.json`, `log.jsonl`, `last.pt` and `best.pt` in `run`.

    Args:
        device: `auto`, `cpu` or `cuda`.
        resume: go on from the `last.pt` of the run.
        compiled: compile the network with `torch.compile`.

    Returns:
        The metrics of the best evaluation.

    Raises:
        DataError: the data, the run's folder or the device are not as they have to be.
    """
    began = time.monotonic()
    with distributed.process_group(device) as where:
        evaluated = (run / BEST).exists()
        begun = evaluated or (run / LAST).exists()
        blended = evaluated and not read(run / BEST)["metrics"]
        begun, blended = distributed.from_first((begun, blended))
        if blended:
            raise DataError(f"{run} holds a blend, which is not trained on. Name another --run.")
        if begun and not resume:
            raise DataError(
                f"{run} holds a run already. Add --resume to go on with it, or name another --run."
            )
        for name in ("sketch_batch", "photos", "unlabelled_batch", "mixed_sketches"):
            if getattr(config, name) % distributed.world():
                raise DataError(
                    f"A batch of {getattr(config, name)} ({name}) cannot be shared evenly by "
                    f"{distributed.world()} processes."
                )
        if 0 < config.mixed_sketches < 2 * distributed.world():
            raise DataError(
                "Each process mixes its sketches with one another: --mixed-sketches is at least "
                f"{2 * distributed.world()} here."
            )
        _check(config, sources)
        teachers = Teachers.load(sources)
        wanted = {"unlabelled": config.mix, "sketches": config.mixed_sketches > 0}
        mixers = {kind: teachers.of(kind) for kind in wanted if teachers and wanted[kind]}
        mixed = {kind: mixer.config.input_size for kind, mixer in mixers.items()}
        for kind, size in mixed.items():
            if size < config.input_size:
                raise DataError(
                    f"{mixers[kind].folder}, which is to explain mixtures, takes images of {size} "
                    "pixels, fewer than this run. Take another teacher, or a smaller --input-size."
                )
        material = load_material(config, sources, mixed)
        numbers = config.embedding_size + len(material.classes)
        numbers += config.pose_cells**2 * config.pose
        if config.pose and numbers > MAX_EMBEDDING:
            raise DataError(
                f"An embedding of {config.embedding_size} numbers, {len(material.classes)} classes "
                f"and {config.pose_cells} x {config.pose_cells} cells of {config.pose} would have "
                f"{numbers} numbers; {MAX_EMBEDDING} is the most. Lower --pose."
            )
        trainer = Trainer(config, material, run, where, sources, mixers)
        if sources.start:
            begin_with(trainer.network, config.backbone, sources.start, trainer.material, teachers)
        if teachers:
            teachers.teach(trainer.network, trainer.material, where, sources.cache, mixed=mixed)
        if sources.pose_teacher:
            teacher = load_run(sources.pose_teacher, photos=True)
            teach_poses(teacher, config, trainer.material, where, sources.cache)
            trainer.pose_space = teacher.pose_space
        trainer.prepare(compiled=compiled)
        if resume:
            trainer.resume()
        say(f"ready for the first step after {time.monotonic() - began:.1f} s")
        return trainer.train()


def _check(config: FitConfig, sources: Sources) -> None:
    """Finds what does not go together before anything is decoded."""
    if bool(config.unlabelled_batch) != bool(sources.unlabelled):
        raise DataError("--unlabelled-photos and --unlabelled-batch need each other.")
    if config.unlabelled_batch and not sources.teacher:
        raise DataError("Unlabelled photos teach nothing without a teacher: add --teacher RUN.")
    if sources.pose_teacher and not config.pose:
        raise DataError("--pose-teacher teaches poses: add --pose.")
    if config.mixed_sketches and not sources.teacher:
        raise DataError("--mixed-sketches need one who explains the mixtures: add --teacher RUN.")
    if sources.photo_teacher and not sources.teacher:
        raise DataError("--photo-teacher stands beside a --teacher, who explains the sketches.")
    if not config.labels and not (sources.teacher and config.distil):
        raise DataError(
            "With --labels 0 there is nothing to learn from but a --teacher, with --distil above 0."
        )
