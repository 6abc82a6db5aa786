"""`fit`: trains an encoder."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any, get_args

from train.commands.options import (
    Commands,
    add_cache,
    add_command,
    add_data,
    add_device,
    add_folders,
)
from train.config import PRESETS, FitConfig


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "fit",
        "train an encoder",
        "On many GPUs: torchrun --nproc-per-node=8 -m -- train fit ... (the -- keeps torchrun from "
        "reading fit's options). After a stop, give the same command with --resume.",
    )
    add_data(parser)
    parser.add_argument("--run", type=Path, required=True, help="folder for the run's files")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        help="settings of an earlier system: the course report's plain CNN, or SketchZoo's "
        "contrastive ResNet (add --backbone, --loss and --embedding-size). Other options override "
        "them",
    )
    add_device(parser)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first: a minute or more for each size of images",
    )
    add_cache(parser)
    parser.add_argument("--split", type=Path, help="use this split.json instead of drawing one")
    _add_encoders(parser)
    _add_settings(parser)
    parser.set_defaults(run_command=run)


def _add_encoders(parser: argparse.ArgumentParser) -> None:
    """Options that name other encoders, to start with or to learn from."""
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="runs or checkpoints whose projections the run learns: the mean of all for sketches, "
        "and those of the first one for photos",
    )
    parser.add_argument(
        "--photo-teacher", type=Path, help="teaches photos instead of the first --teacher"
    )
    parser.add_argument(
        "--pose-teacher", type=Path, help="another teacher, for the poses of photos"
    )
    add_folders(
        parser,
        "--unlabelled-photos",
        "photos that are learned from the teacher only, at any depth; names of folders do not "
        "matter",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="CHECKPOINT",
        help="start with these weights; from another backbone, with its prototypes only. The "
        "prototypes stay fixed, so that both encoders embed into the same space",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """One option for each field of `FitConfig`. Those that are not given keep a preset's value."""
    group = parser.add_argument_group("settings of the run")
    for each in dataclasses.fields(FitConfig):
        text = each.metadata["help"].rstrip(".").replace("%", "%%")
        given: dict[str, Any] = {
            "help": f"{text} (default: {str(each.default) or 'none'})",
            "default": argparse.SUPPRESS,
        }
        if each.type is bool:
            given["action"] = argparse.BooleanOptionalAction
        elif choices := get_args(each.type):
            given["choices"] = choices
        else:
            given |= {"type": type(each.default), "metavar": each.name.split("_")[-1].upper()}
        group.add_argument("--" + each.name.replace("_", "-"), **given)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train import distributed
    from train.data.sources import Sources
    from train.fit import fit

    names = {each.name for each in dataclasses.fields(FitConfig)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    sources = Sources(
        sketchy=arguments.sketchy,
        more_photos=tuple(arguments.photos),
        unlabelled=tuple(arguments.unlabelled_photos),
        split=arguments.split,
        teachers=tuple(arguments.teacher),
        photo_teacher=arguments.photo_teacher,
        pose_teacher=arguments.pose_teacher,
        start=arguments.start,
        cache=arguments.cache,
    )
    best = fit(
        FitConfig(**{**PRESETS.get(arguments.preset, {}), **given}),
        sources,
        arguments.run,
        device=arguments.device,
        resume=arguments.resume,
        compiled=arguments.compile,
    )
    if distributed.first():
        print(f"best P@12 on held-out photos and sketches: {best.precision_at_12:.3f}")
