"""From a training run to the checkpoint folder that the app loads."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from model.checkpoint import Checkpoint, save_checkpoint
from model.gallery import build_gallery, photos_in
from train.data import DataError
from train.fit import load_network


def export(run: Path, out: Path, *, name: str, photos: Path | None = None) -> Checkpoint:
    """Writes the averaged weights of the run's best evaluation, with the run's split beside.

    Args:
        run: the folder that `fit` has written.
        out: the checkpoint folder to write.
        name: what the checkpoint calls itself.
        photos: a folder of photos to index; without it the folder holds the encoder alone.

    Raises:
        DataError: `run` holds no finished evaluation.
    """
    best = run / "best.pt"
    if not best.exists():
        raise DataError(f"{best} is missing: the run has not been evaluated yet. Train on.")
    network, config = load_network(best)
    state = torch.load(best, weights_only=True, map_location="cpu")
    checkpoint = save_checkpoint(
        out,
        network,
        name=name,
        backbone=config.backbone,
        input_size=config.input_size,
        classes=state["classes"],
        training={**asdict(config), "steps_done": state["step"]},
        metrics=state["metrics"],
    )
    if photos is not None:
        checkpoint = build_gallery(checkpoint, photos_in(photos), out)
    shutil.copyfile(run / "split.json", out / "split.json.tmp")
    os.replace(out / "split.json.tmp", out / "split.json")
    return checkpoint


def write_json(path: Path, data: object) -> None:
    """Writes a JSON file under a temporary name, then replaces an older one."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
