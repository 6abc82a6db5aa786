r"""Train, evaluate and export the encoder of SketchZoo.

example, on the Sketchy Database unpacked at ~/sketchy:
  python -m train fit --sketchy ~/sketchy --run runs/first
  python -m train export --run runs/first --out checkpoints/first
  python -m train evaluate --checkpoint checkpoints/first --split checkpoints/first/split.json \
      --photos ~/sketchy/256x256/photo/tx_000000000000 \
      --sketches ~/sketchy/256x256/sketch/tx_000000000000
  python app.py --checkpoint checkpoints/first
"""

import argparse
import dataclasses
import inspect
import re
import sys
from pathlib import Path

from model.backbones import BACKBONES
from model.checkpoint import SHIPPED
from model.errors import SketchZooError
from train.config import FitConfig
from train.data import DataError
from train.evaluate import evaluate
from train.export import export, write_json
from train.fit import Sources, fit


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(commands)
    _add_export(commands)
    _add_evaluate(commands)
    arguments = parser.parse_args(argv)
    try:
        arguments.run_command(arguments)
    except (SketchZooError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _add_fit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "fit",
        help="train an encoder",
        description="Train an encoder. Run the same command again to go on after a stop.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--sketchy", type=Path, required=True, help="the unpacked Sketchy Database")
    parser.add_argument(
        "--photos", type=Path, nargs="*", default=[], help="more photos, one folder a class"
    )
    parser.add_argument(
        "--unlabelled-photos", type=Path, nargs="*", default=[], help="photos for the teacher alone"
    )
    parser.add_argument("--teacher", type=Path, help="the run of an encoder to learn from")
    parser.add_argument("--run", type=Path, required=True, help="folder for the run's files")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for frames")
    documented = dict(re.findall(r'(\w+): [^\n]+\n +"""(.+?)"""', inspect.getsource(FitConfig)))
    for field in dataclasses.fields(FitConfig):
        option = "--" + field.name.replace("_", "-")
        explained = documented[field.name].replace("%", "%%")
        if isinstance(field.default, bool):
            parser.add_argument(option, action="store_true", help=explained)
        else:
            parser.add_argument(
                option,
                type=type(field.default),
                default=field.default,
                choices=BACKBONES if field.name == "backbone" else None,
                metavar=field.name.upper(),
                help=explained,
            )
    parser.set_defaults(run_command=_fit)


def _fit(arguments: argparse.Namespace) -> None:
    config = FitConfig(
        **{f.name: getattr(arguments, f.name) for f in dataclasses.fields(FitConfig)}
    )
    sources = Sources(
        arguments.sketchy,
        tuple(arguments.photos),
        tuple(arguments.unlabelled_photos),
        arguments.cache,
    )
    best = fit(config, sources, arguments.run, arguments.teacher)
    print(f"best P@12 on held-out photos and sketches: {best.precision_at_12:.3f}")


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "export",
        help="write the checkpoint folder that the app loads",
        description="Write the best weights of a run as a checkpoint folder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder to write")
    parser.add_argument("--name", default="sketchzoo", help="what the checkpoint calls itself")
    parser.add_argument("--photos", type=Path, help="a folder of photos to index as well")
    parser.set_defaults(run_command=_export)


def _export(arguments: argparse.Namespace) -> None:
    checkpoint = export(arguments.run, arguments.out, name=arguments.name, photos=arguments.photos)
    size = sum(f.stat().st_size for f in checkpoint.folder.rglob("*") if f.is_file())
    photos = len(checkpoint.manifest.photos)
    print(f"wrote {checkpoint.folder}: {size / 1e6:.0f} MB, {photos} photos")


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure P@12, P@1 and mAP of a checkpoint",
        description="Rank all photos for every sketch and print the means over the sketches.",
        epilog="The validation set is kept out by photo id: a run's split.json lists ids; neither "
        "a photo with such an id nor any sketch drawn from it was trained on. With --split, only "
        "those pictures are used.",
    )
    parser.add_argument(
        "--photos", type=Path, nargs="+", required=True, help="photos, one folder a class"
    )
    parser.add_argument(
        "--sketches",
        type=Path,
        nargs="+",
        required=True,
        help="sketches <photo id>-<k>.png, one folder a class",
    )
    parser.add_argument(
        "--checkpoint", type=Path, default=SHIPPED, help="checkpoint folder (default: ours)"
    )
    parser.add_argument("--split", type=Path, help="use only what this split.json holds out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.set_defaults(run_command=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.json and not arguments.json.resolve().parent.is_dir():
        raise DataError(f"{arguments.json.parent} is not a folder, so no figures can go there.")
    metrics = evaluate(arguments.checkpoint, arguments.photos, arguments.sketches, arguments.split)
    figures = dataclasses.asdict(metrics)
    for name, value in figures.items():
        print(f"{name:16} {value:.4f}" if isinstance(value, float) else f"{name:16} {value}")
    if arguments.split is not None:
        print(f"Only pictures whose photo id {arguments.split} holds out were used, so that no")
        print("sketch of a training photo counts.")
    else:
        print("All pictures were used. Where some of them were trained on, the figures are too")
        print("good: name the split.json of the checkpoint with --split to leave those out.")
    if arguments.json:
        write_json(arguments.json, figures)


if __name__ == "__main__":
    sys.exit(main())
