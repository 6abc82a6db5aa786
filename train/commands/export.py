"""`export`: writes the checkpoint folder that the app loads."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from train.commands.options import Commands, add_cache, add_command, add_folders
from train.config import Precision

if TYPE_CHECKING:
    from train.data.sources import DataFolders


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "export",
        "write the checkpoint folder that the app loads",
        "It holds the best weights of a run, and an index of --photos if you name some. Networks "
        "are written as 8-bit ONNX. The command prints what that costs in P@12 on "
        "held-out pictures, and writes nothing if it is more than 0.005.",
    )
    parser.add_argument(
        "--run", type=Path, required=True, help="the run's folder, or a checkpoint to write anew"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder to write")
    parser.add_argument("--name", help="name of the checkpoint (default: sketchzoo)")
    add_folders(parser, "--photos", "folders of photos to index as well, with Annoy", metavar=None)
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="int8",
        help="numbers that the networks compute with (default: %(default)s); fp32 makes files four "
        "times as large and embeds a few times as slowly",
    )
    parser.add_argument(
        "--sketchy", type=Path, help="the Sketchy Database, if it has moved since the training"
    )
    add_folders(
        parser,
        "--train-photos",
        "with --sketchy: the run's further photos, one folder a class, if they have moved too",
    )
    add_cache(parser)
    _add_weights(parser)
    parser.set_defaults(run_command=run)


def _add_weights(parser: argparse.ArgumentParser) -> None:
    """Options that say whose weights are written."""
    parser.add_argument(
        "--photo-encoder",
        type=Path,
        metavar="RUN",
        help="a run or a checkpoint: a stronger encoder with the same prototypes, which embeds "
        "photos when they are indexed",
    )
    parser.add_argument(
        "--pose-encoder",
        type=Path,
        metavar="RUN",
        help="the --pose-teacher of the run: it embeds the pose of photos, and the photo encoder "
        "the animal (both EfficientNet-Lite2)",
    )
    parser.add_argument(
        "--photo-size",
        type=int,
        metavar="PIXELS",
        help="side of the photos that the photo encoder sees, by default that of its training; "
        "a larger one, such as 320 instead of 192, often finds more",
    )
    parser.add_argument(
        "--pose-size",
        type=int,
        metavar="PIXELS",
        help="side at which the pose encoder sees them, by default that of --photo-size",
    )
    parser.add_argument(
        "--pose-weight",
        type=float,
        metavar="WEIGHT",
        help="how much the pose counts, beside 1 for the animal; by default that of the training",
    )
    parser.add_argument(
        "--last", action="store_true", help="the last weights of the run instead of the best"
    )
    parser.add_argument(
        "--mean-with",
        type=Path,
        nargs="+",
        default=[],
        metavar="CHECKPOINT",
        help="write the mean of the run's weights and those of checkpoints, such as the one it "
        "started from; it often generalises better than each of them",
    )
    parser.add_argument(
        "--photo-mean-with",
        type=Path,
        nargs="+",
        default=[],
        metavar="CHECKPOINT",
        help="the same for the --photo-encoder",
    )


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.export import Export, export

    checkpoint = export(
        Export(
            arguments.run,
            arguments.out,
            name=arguments.name,
            photos=arguments.photos,
            photo_encoder=arguments.photo_encoder,
            photo_size=arguments.photo_size,
            pose_size=arguments.pose_size,
            pose_encoder=arguments.pose_encoder,
            pose_weight=arguments.pose_weight,
            last=arguments.last,
            mean_with=arguments.mean_with,
            photo_mean_with=arguments.photo_mean_with,
            precision=arguments.precision,
            data=_data(arguments),
            cache=arguments.cache,
        )
    )
    size = sum(f.stat().st_size for f in checkpoint.folder.rglob("*") if f.is_file())
    photos = len(checkpoint.manifest.photos)
    print(f"wrote {checkpoint.folder}: {size / 1e6:.0f} MB, {photos} photos")


def _data(arguments: argparse.Namespace) -> "DataFolders | None":
    """Where the run's pictures are now; None if they are where the run has found them."""
    from train.data.sources import DataFolders
    from train.errors import DataError

    photos = tuple(arguments.train_photos)
    if not arguments.sketchy:
        if photos:
            raise DataError("--train-photos needs --sketchy: name the Sketchy Database, too.")
        return None
    if not photos and (recorded := DataFolders.load(arguments.run)):
        photos = recorded.photos
        if gone := [folder for folder in photos if not folder.is_dir()]:
            raise DataError(
                f"{gone[0]}, with further photos of the run, is gone. Say where they are now with "
                "--train-photos."
            )
    return DataFolders(arguments.sketchy, photos)
