"""The files of a training run."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from model.encoder import SiameseNetwork
from train.config import FitConfig
from train.data import DataError

BEST = "best.pt"
LAST = "last.pt"
SPLIT = "split.json"


@dataclass(frozen=True)
class Run:
    """What a run has learned: the averaged network of its best evaluation."""

    folder: Path
    network: SiameseNetwork
    config: FitConfig
    classes: list[str]
    metrics: dict[str, Any]
    step: int


def load_run(folder: Path) -> Run:
    """Reads the `best.pt` of a run; the network is in evaluation mode, on the CPU.

    Raises:
        DataError: there is no such run, or it has not been evaluated yet.
    """
    path = folder / BEST
    if not folder.is_dir():
        raise DataError(f"{folder} is no run. Name the --run of a 'python -m train fit'.")
    if not path.exists():
        raise DataError(f"{path} is missing: the run has not been evaluated yet. Train on.")
    state = read(path)
    config = FitConfig(**state["config"])
    network = build_network(config, len(state["classes"]), pretrained=False)
    network.load_state_dict(state["network"])
    return Run(folder, network.eval(), config, state["classes"], state["metrics"], state["step"])


def save_best(
    folder: Path,
    network: SiameseNetwork,
    config: FitConfig,
    classes: list[str],
    metrics: dict[str, Any],
    step: int,
) -> None:
    """Writes what `load_run` reads."""
    state = {
        "network": network.state_dict(),
        "config": asdict(config),
        "classes": classes,
        "metrics": metrics,
        "step": step,
    }
    save_atomically(state, folder / BEST)


def build_network(config: FitConfig, num_classes: int, *, pretrained: bool) -> SiameseNetwork:
    """The network that a configuration describes."""
    return SiameseNetwork(
        config.backbone,
        config.projection_size,
        num_classes,
        scale=config.scale,
        pretrained=pretrained,
    )


def read(path: Path) -> dict[str, Any]:
    """What `save_atomically` has written, on the CPU.

    Raises:
        DataError: the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch.load raises whatever the damaged bytes lead to
        raise DataError(f"{path} is damaged. Delete it and train again.") from error
    return state


def save_atomically(state: object, path: Path) -> None:
    """Writes to a temporary name beside `path`, then replaces it."""
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    os.replace(unfinished, path)
