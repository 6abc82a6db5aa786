"""From a training run to the checkpoint folder that the app loads."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from model.checkpoint import MANIFEST, Checkpoint, save_checkpoint
from model.gallery import build_gallery, photos_in
from train.data import DataError
from train.runs import SPLIT, load_run


def export(run: Path, out: Path, *, name: str, photos: Sequence[Path] = ()) -> Checkpoint:
    """Writes the averaged weights of the run's best evaluation, with the run's split beside.

    Args:
        run: the folder that `fit` has written.
        out: the checkpoint folder to write.
        name: what the checkpoint calls itself.
        photos: folders of photos to index; without any the folder holds the encoder alone.

    Raises:
        DataError: `run` holds no finished evaluation, or `out` something else.
    """
    trained = load_run(run)
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise DataError(f"{out} holds other files than a checkpoint. Name another folder.")
    gallery = [photo for folder in photos for photo in photos_in(folder)]
    checkpoint = save_checkpoint(
        out,
        trained.network,
        name=name,
        backbone=trained.config.backbone,
        input_size=trained.config.input_size,
        classes=trained.classes,
        training={**asdict(trained.config), "steps_done": trained.step},
        metrics=trained.metrics,
    )
    if gallery:
        checkpoint = build_gallery(checkpoint, gallery, out)
    unfinished = out / (SPLIT + ".tmp")
    shutil.copyfile(run / SPLIT, unfinished)
    os.replace(unfinished, out / SPLIT)
    return checkpoint


def write_json(path: Path, data: object) -> None:
    """Writes a JSON file under a temporary name, then replaces an older one."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
