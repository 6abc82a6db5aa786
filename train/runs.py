"""What a training run has learned: reads and writes `best.pt`, and reads checkpoints as runs."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from model.checkpoint.files import HEADS, MANIFEST, PHOTO_WEIGHTS, WEIGHTS
from model.checkpoint.manifest import Manifest
from model.checkpoint.versions import CURRENT, hold_current
from train import distributed
from train.checkpoints import trained_network
from train.config import FitConfig
from train.errors import DataError
from train.networks.build import build_network
from train.networks.pair import ONE, PAIR, first_of
from train.networks.siamese import SiameseNetwork
from train.run_files import LAST, read_state, save_state

BEST = "best.pt"
"""The averaged network of a run's best evaluation."""

SPLIT = "split.json"
"""Held-out photo ids, in the folders of runs and of checkpoints."""

AVERAGED = "module."
"""What names of weights start with in the state of a `MovingAverage`."""

SPACE_DIGITS = 16
"""Digits in the name of a space of poses."""


@dataclass(frozen=True)
class Run:
    """An encoder that was trained: a run's averaged network, or a checkpoint's.

    Attributes:
        folder: of the run or the checkpoint.
        weights: the file that the weights are from.
        network: on the CPU, in evaluation mode. Take a copy to change it.
        config: of the run. For a checkpoint, as much as its manifest says.
        classes: names of the classes.
        step: of the training.
        metrics: of the evaluation of just these weights; None if there was none.
        blended: whether `blend` has made the run: it cannot be trained on.
        pose_space: a name that encoders with comparable poses share; empty without a pose.
    """

    folder: Path
    weights: Path
    network: SiameseNetwork
    config: FitConfig
    classes: list[str]
    step: int
    metrics: dict[str, Any] | None = None
    blended: bool = False
    pose_space: str = ""


def new_pose_space() -> str:
    """A name for poses that are learned without a teacher: no others are comparable."""
    name: str = distributed.from_first(uuid4().hex[:SPACE_DIGITS])
    return name


def mean_weights(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Linear interpolation of two networks' weights; integer buffers are those of `after`.

    Args:
        before, after: state dicts with the same names and shapes.
        share: of `after`, 0 to 1.
    """
    return {
        name: torch.lerp(before[name], value, share) if value.is_floating_point() else value
        for name, value in after.items()
    }


def load_run(folder: Path, *, last: bool = False, photos: bool = False) -> Run:
    """Reads the `best.pt` of a run, or the weights of a checkpoint.

    Args:
        folder: of a run, or of a checkpoint.
        last: for a run, take the averaged weights of `last.pt` instead.
        photos: for a checkpoint, take the network for photos if it has one.

    Raises:
        DataError: there is no such run, or it has not been evaluated yet.
        CheckpointError: the checkpoint is damaged, or has no weights.
    """
    path = folder / BEST
    if is_checkpoint(folder):
        return _load_checkpoint(folder, photos=photos)
    if not folder.is_dir():
        raise DataError(f"{folder} is no run. Name the --run of a 'python -m train fit'.")
    if not path.exists():
        raise DataError(f"{path} is missing: the run has not been evaluated yet. Train on.")
    state = read_state(path)
    try:
        config, classes = FitConfig(**state["config"]), state["classes"]
        step, metrics, weights = state["step"], state["metrics"] or None, state["network"]
        if last:
            newer = read_state(folder / LAST)
            step, metrics, weights = newer["step"], None, _averaged(newer["average"])
        network = build_network(config, len(classes), pretrained=False)
        network.load_state_dict(weights)
        return Run(
            folder,
            path,
            network.eval(),
            config,
            classes,
            step,
            metrics,
            _is_blended(state),
            state.get("pose_space", ""),  # older runs have none
        )
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path} was made by another version. Train the run again.") from error


def load_animal_encoder(folder: Path) -> Run:
    """The network for photos; of a pair of networks, the one that embeds the animal."""
    run = load_run(folder, photos=True)
    if run.config.backbone != PAIR:
        return run
    return replace(run, network=first_of(run.network), config=replace(run.config, backbone=ONE))


def _averaged(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights in the state of a `MovingAverage`."""
    return {
        name.removeprefix(AVERAGED): value
        for name, value in state.items()
        if name.startswith(AVERAGED)
    }


def _is_blended(state: dict[str, Any]) -> bool:
    """Whether a `best.pt` is a blend. Older blends are the runs without metrics."""
    return bool(state.get("blended", not state["metrics"]))


def is_blend(folder: Path) -> bool:
    """Whether the `best.pt` of a folder is a blend.

    Raises:
        DataError: it is damaged or missing.
    """
    return _is_blended(read_state(folder / BEST))


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint rather than a run."""
    is_filled = (folder / MANIFEST).is_file() or (folder / CURRENT).is_file()
    return is_filled and not (folder / BEST).exists()


def _load_checkpoint(folder: Path, *, photos: bool) -> Run:
    """A checkpoint's network with what is known of its run."""
    network = trained_network(folder, photos=photos).eval()
    at, lock = hold_current(folder)
    manifest = Manifest.read(at / MANIFEST, older=True)
    del lock
    photo_encoder = manifest.photo_encoder if photos else None
    names = {field.name for field in fields(FitConfig)}
    known = {name: value for name, value in manifest.training.items() if name in names}
    known |= {
        "backbone": photo_encoder.backbone if photo_encoder else manifest.backbone,
        "embedding_size": manifest.projection_size,
        "input_size": photo_encoder.input_size if photo_encoder else manifest.input_size,
        "grow_from": 0,
        "normalise": network.normalise,
        "standardise": network.standardise,
        "scale": network.scale,
        "loss": "cosface" if manifest.prototypes else known.get("loss", "contrastive"),
    }
    return Run(
        folder,
        at / (PHOTO_WEIGHTS if photo_encoder else WEIGHTS),
        network,
        FitConfig(**known),
        manifest.classes,
        int(manifest.training.get("steps_done", 0)),
        None if photo_encoder else manifest.metrics or None,
        pose_space=manifest.sha256.get(HEADS, "")[:SPACE_DIGITS] if manifest.pose else "",
    )


def save_best(run: Run) -> None:
    """Writes the `best.pt` of a run's folder, which `load_run` reads.

    Raises:
        DataError: it cannot be written; the previous file is kept.
    """
    state = {
        "network": run.network.state_dict(),
        "config": asdict(run.config),
        "classes": run.classes,
        "metrics": run.metrics or {},
        "blended": run.blended,
        "step": run.step,
        "pose_space": run.pose_space,
    }
    save_state(state, run.folder / BEST)
