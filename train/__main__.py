r"""Train, evaluate, compare and export encoders of sketches and photos.

the way from nothing to an app with your own encoder:
  python -m train download sketchy --out ~/sketchy
  python -m train download photos --out ~/animals
  python -m train inspect --sketchy ~/sketchy --out runs/data
  python -m train fit --sketchy ~/sketchy --classes mini --minutes 5 --run runs/first
  python -m train export --run runs/first --out checkpoints/first
  python -m train calibrate --checkpoint checkpoints/first --sketchy ~/sketchy
  python -m train evaluate --checkpoint checkpoints/first --sketchy ~/sketchy --html report.html
  python -m train index --photos PHOTOS --out galleries/first --checkpoint checkpoints/first
  python app.py --gallery galleries/first

'python -m train COMMAND --help' explains every option.
"""

import argparse
import dataclasses
import inspect as source
import re
import sys
from pathlib import Path
from typing import Any, get_args

import torch

from model.checkpoint.checkpoint import SHIPPED
from model.checkpoint.records import EngineName
from model.errors import SketchZooError
from train import distributed
from train.config import PRESETS, FitConfig, Precision
from train.data.pictures import sketchy_folders
from train.errors import DataError
from train.networks.backbones import BACKBONES

Commands = Any  # argparse keeps the type of what add_subparsers returns to itself


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _download,
        _inspect,
        _fit,
        _blend,
        _export,
        _calibrate,
        _index,
        _evaluate,
        _match,
        _compare,
        _plot,
        _cache,
    ):
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int | None = arguments.run_command(arguments)
    except ModuleNotFoundError as error:
        print(f"error: {error}. Run: pip install -r requirements-train.txt", file=sys.stderr)
        return 1
    except (SketchZooError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except torch.OutOfMemoryError as error:
        print(f"error: {error} Use smaller batches or a smaller --input-size.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "stopped; 'fit' goes on with --resume, 'index' and 'download' as they are",
            file=sys.stderr,
        )
        return 130
    return code or 0


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Tells defaults, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def _command(commands: Commands, name: str, line: str, more: str = "") -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=line,
        description=f"{line[0].upper()}{line[1:]}. {more}",
        formatter_class=_Defaults,
    )
    return added


def _download(commands: Commands) -> None:
    parser = _command(
        commands,
        "download",
        "fetch the Sketchy Database, or open photos",
        "A download that broke off goes on when the command is given again.",
    )
    data = parser.add_subparsers(required=True, metavar="DATA")
    _download_sketchy(data)
    _download_photos(data)


def _download_sketchy(data: Commands) -> None:
    parser = _command(data, "sketchy", "fetch the Sketchy Database", "It is for research.")
    parser.add_argument("--out", type=Path, required=True, help="folder to put it into")
    parser.add_argument("--url", default=argparse.SUPPRESS, help="another place to fetch it from")
    parser.add_argument("--sha256", default=argparse.SUPPRESS, help="digest that it must have")

    def run(arguments: argparse.Namespace) -> None:
        from train.data.download import download_sketchy

        given = {k: v for k, v in vars(arguments).items() if k in ("url", "sha256")}
        print(f"--sketchy {download_sketchy(arguments.out, **given)}")

    parser.set_defaults(run_command=run)


def _download_photos(data: Commands) -> None:
    from train.data.open_photos import add_options
    from train.data.open_photos import run as run_download

    parser = _command(
        data,
        "photos",
        "fetch openly licensed photos of the 55 animals",
        "iNaturalist is asked for wild animals, Openverse for domestic ones, and Wikimedia Commons "
        "for all where you give a contact. Only CC0, public domain, CC BY and CC BY-SA are taken, "
        "and the encoder chooses those that show the animal, in many poses. It takes about an hour "
        "for 40 photos of each, since services want no more than a request a second. It has not "
        "been run against the real services yet: begin with --dry-run.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to put them into")
    add_options(parser)
    parser.set_defaults(run_command=run_download)


def _inspect(commands: Commands) -> None:
    parser = _command(
        commands,
        "inspect",
        "count, draw and check the pictures of a data folder",
        "Reads every picture; names broken ones, doubles, and whatever lies in the wrong place.",
    )
    _add_data(parser)
    parser.add_argument("--classes", default="animals", help="animals, mini, all, or names")
    parser.add_argument("--out", type=Path, required=True, help="folder for charts and samples")

    def run(arguments: argparse.Namespace) -> None:
        from train.reports.inspection import inspect

        findings = inspect(arguments.sketchy, arguments.photos, arguments.classes, arguments.out)
        print("\n".join(findings.lines()))
        print(f"Charts and a sheet of samples are in {arguments.out}.")

    parser.set_defaults(run_command=run)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sketchy", type=Path, required=True, help="the unpacked Sketchy Database")
    parser.add_argument(
        "--photos",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="more photos, one folder a class",
    )


def _fit(commands: Commands) -> None:
    parser = _command(
        commands,
        "fit",
        "train an encoder",
        "On many GPUs: torchrun --nproc-per-node=8 -m -- train fit ... (the -- keeps torchrun from "
        "taking options for its own). After a stop, the same command with --resume goes on.",
    )
    _add_data(parser)
    parser.add_argument("--run", type=Path, required=True, help="folder for the run's files")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        help="settings of an earlier system, which other options change: the course report's plain "
        "CNN, or SketchZoo's contrastive ResNet (give --backbone, --loss and --embedding-size)",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first, which takes a minute or more for each size of images",
    )
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for frames")
    parser.add_argument(
        "--split", type=Path, help="a split.json to use instead of drawing one by --validation"
    )
    parser.add_argument(
        "--teacher", type=Path, help="the run, or the checkpoint, of an encoder to learn from"
    )
    parser.add_argument("--photo-teacher", type=Path, help="another one, for photos")
    parser.add_argument("--pose-teacher", type=Path, help="another one, for the poses of photos")
    parser.add_argument(
        "--unlabelled-photos",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="photos that the teacher alone tells about, in folders whose names do not matter",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="CHECKPOINT",
        help="begin with these weights, or from another backbone with the prototypes alone; they "
        "are kept, so that both encoders embed into one space",
    )
    documented = dict(
        re.findall(r'(\w+): [^\n]+\n +"""(.+?)"""', source.getsource(FitConfig), re.S)
    )
    settings = parser.add_argument_group("settings of the run")
    for field in dataclasses.fields(FitConfig):
        option = "--" + field.name.replace("_", "-")
        explained = " ".join(documented[field.name].split()).replace("%", "%%")
        explained += f" (default: {str(field.default) or 'none'})"
        given: dict[str, Any] = {"help": explained, "default": argparse.SUPPRESS}
        if field.type is bool:
            given["action"] = argparse.BooleanOptionalAction
        else:
            choices = BACKBONES if field.name == "backbone" else get_args(field.type) or None
            given |= {"type": type(field.default), "choices": choices}
            given |= {} if choices else {"metavar": field.name.split("_")[-1].upper()}
        settings.add_argument(option, **given)
    parser.set_defaults(run_command=_run_fit)


def _run_fit(arguments: argparse.Namespace) -> None:
    from train.data.material import Sources
    from train.fit import fit

    names = {field.name for field in dataclasses.fields(FitConfig)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    config = FitConfig(**{**PRESETS.get(arguments.preset, {}), **given})
    sources = Sources(
        arguments.sketchy,
        tuple(arguments.photos),
        tuple(arguments.unlabelled_photos),
        arguments.split,
        arguments.teacher,
        arguments.photo_teacher,
        arguments.pose_teacher,
        arguments.start,
        arguments.cache,
    )
    best = fit(
        config,
        sources,
        arguments.run,
        device=arguments.device,
        resume=arguments.resume,
        compiled=arguments.compile,
    )
    if distributed.first():
        print(f"best P@12 on held-out photos and sketches: {best.precision_at_12:.3f}")


def _blend(commands: Commands) -> None:
    parser = _command(
        commands,
        "blend",
        "lead a fine-tuned encoder of photos back towards its ImageNet weights",
        "It then knows more of photos of which there are few, and less of sketches: a gallery's "
        "encoder ('export --photo-encoder'), and a teacher of photos ('fit --photo-teacher').",
    )
    _add_data(parser)
    parser.add_argument("--run", type=Path, required=True, help="the fine-tuned encoder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new run")
    parser.add_argument("--share", type=float, default=0.5, help="of the fine-tuned weights")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--input-size", type=int, help="side in pixels of the photos it will see")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for frames")

    def run(arguments: argparse.Namespace) -> None:
        from train.blend import blend

        before, after = blend(
            arguments.run,
            arguments.out,
            arguments.sketchy,
            arguments.photos,
            share=arguments.share,
            input_size=arguments.input_size,
            cache=arguments.cache,
            device=arguments.device,
        )
        print(f"held-out photos classified right: {before:.3f} before, {after:.3f} now")

    parser.set_defaults(run_command=run)


def _evaluate(commands: Commands) -> None:
    parser = _command(
        commands,
        "evaluate",
        "measure P@12, P@1, mAP and more of a checkpoint",
        "Ranks all photos for every sketch and prints means over the sketches.",
    )
    parser.epilog = (
        "The validation set is kept out by photo id: a run's split.json lists ids; neither a photo "
        "with such an id nor any sketch drawn from it was trained on. With --split, only those "
        "pictures are used; it is the checkpoint's own where the folder has one, unless "
        "--all-pictures is given."
    )
    _add_pictures(parser)
    parser.add_argument(
        "--shared", action="store_true", help="embed photos with the network for sketches too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with pictures")
    parser.set_defaults(run_command=_run_evaluate)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="checkpoint folder")
    parser.add_argument("--sketchy", type=Path, help="the unpacked Sketchy Database")
    parser.add_argument(
        "--photos", type=Path, nargs="*", default=[], help="photos, one folder a class"
    )
    parser.add_argument(
        "--sketches",
        type=Path,
        nargs="*",
        default=[],
        help="sketches <photo id>-<k>.png, one folder a class",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--split", type=Path, help="use only what this split.json holds out")
    chosen.add_argument("--all-pictures", action="store_true", help="use every picture")


def _pictures(arguments: argparse.Namespace) -> tuple[list[Path], list[Path], Path | None]:
    """Folders of photos, folders of sketches, and the split that says which to use."""
    from train.runs import SPLIT

    photos, sketches = list(arguments.photos), list(arguments.sketches)
    if arguments.sketchy:
        own_photos, own_sketches = sketchy_folders(arguments.sketchy)
        photos, sketches = [own_photos, *photos], [own_sketches, *sketches]
    if not photos or not sketches:
        raise DataError("Name the pictures with --sketchy, or with --photos and --sketches.")
    split = arguments.split
    own_split = arguments.checkpoint / SPLIT
    if split is None and own_split.is_file() and not arguments.all_pictures:
        split = own_split
    return photos, sketches, split


def _calibrate(commands: Commands) -> None:
    parser = _command(
        commands,
        "calibrate",
        "make the guesses of a checkpoint as sure as they are right",
        "Fits one number, the temperature, on held-out sketches, and writes it into the manifest. "
        "The app shows guesses only then. The error is measured on sketches that it was not fitted "
        "to.",
    )
    _add_pictures(parser)

    def run(arguments: argparse.Namespace) -> None:
        from train.calibrate import calibrate

        found, before, right = calibrate(arguments.checkpoint, *_pictures(arguments))
        print(f"guesses right              {right:.3f}")
        print(f"temperature                {found.temperature:.3f}")
        print(f"expected calibration error {found.error:.3f}, before {before:.3f}")
        print(f"least similarity           {found.least_similarity:.3f}")

    parser.set_defaults(run_command=run)


def _run_evaluate(arguments: argparse.Namespace) -> None:
    from model.files import write_json
    from train.evaluate import evaluate
    from train.reports.report import table, write_report

    for path in (arguments.json, arguments.html):
        if path and not path.resolve().parent.is_dir():
            raise DataError(f"{path.parent} is not a folder, so nothing can be written there.")
    photos, sketches, split = _pictures(arguments)
    evaluation = evaluate(arguments.checkpoint, photos, sketches, split, shared=arguments.shared)
    print(table(evaluation), end="\n\n")
    figures = evaluation.figures()
    for name in dataclasses.asdict(evaluation.metrics):
        if name.startswith("recall"):
            continue
        value = figures[name]
        print(f"{name:16} {value:.4f}" if isinstance(value, float) else f"{name:16} {value}")
    for name, where in (("recall_at", ""), ("recall_at_in_class", " among photos of its class")):
        for k, share in figures[name].items():
            if share is not None:
                print(f"recall_at_{k:6} {share:.4f}{where}")
    protocol = (
        f"Only pictures whose photo id {split} holds out were used, so that no sketch of a "
        "training photo counts, nor an exact copy of one."
        if split
        else "All pictures were used. Where some of them were trained on, the figures are too "
        "good: name the split.json of the checkpoint with --split to leave those out."
    )
    if figures["perfect_precision_at_12"] < 1:
        print(
            f"A perfect ranking reaches {figures['perfect_precision_at_12']:.4f} at 12 here. With "
            "the photos of each class counted as if it had 12, this one reaches "
            f"{figures['balanced_precision_at_12']:.4f} of 1."
        )
    print(protocol)
    if arguments.json:
        write_json(arguments.json, figures)
    if arguments.html:
        write_report(evaluation, figures, arguments.html, protocol)


def _compare(commands: Commands) -> None:
    parser = _command(
        commands,
        "compare",
        "put runs side by side",
        "A table of P@12 and of the time to embed one sketch, and bar charts by loss, by backbone "
        "and by embedding size.",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument("--out", type=Path, help="folder for the charts")

    def run(arguments: argparse.Namespace) -> None:
        from train.reports.compare import compare, table

        rows, comparable = compare(arguments.runs, arguments.out)
        print(table(rows))
        if not comparable:
            print("These runs hold out other pictures, so that their precisions do not compare.")

    parser.set_defaults(run_command=run)


def _plot(commands: Commands) -> None:
    parser = _command(
        commands,
        "plot",
        "draw the embeddings of a run in two dimensions",
        "Directly for an embedding of two numbers, else its two principal components.",
    )
    parser.add_argument("what", choices=["embedding"], help="what to draw")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    _add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png or .svg")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for frames")

    def run(arguments: argparse.Namespace) -> None:
        from train.reports.plot import plot_embedding

        given = arguments.sketchy, arguments.photos, arguments.out, arguments.cache
        print(plot_embedding(arguments.run, *given))

    parser.set_defaults(run_command=run)


def _cache(commands: Commands) -> None:
    parser = _command(
        commands,
        "cache",
        "list and delete decoded pictures and what teachers said of them",
        "'fit' keeps them, so that the next run begins at once. Two runs may share a cache. What a "
        "run uses is never deleted, and what is deleted is made again when a run needs it.",
    )
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for frames")
    parser.add_argument(
        "--unused",
        type=float,
        metavar="DAYS",
        help="delete what no run has used for so many days; 0 deletes everything",
    )

    def run(arguments: argparse.Namespace) -> None:
        from train.data.cache import entries, prune

        if arguments.unused is not None:
            if not arguments.unused >= 0:
                raise DataError("--unused is a number of days, 0 or more.")
            deleted, busy = prune(arguments.cache, unused=arguments.unused)
            freed = sum(entry.size for entry in deleted)
            print(f"deleted {len(deleted)} files, {freed / 1e9:.2f} GB")
            for entry in busy:
                print(f"kept, since a run uses it: {entry.path.name}")
        kept = entries(arguments.cache)
        print("\n".join(map(str, kept)))
        print(f"{len(kept)} files, {sum(e.size for e in kept) / 1e9:.2f} GB in {arguments.cache}")

    parser.set_defaults(run_command=run)


def _match(commands: Commands) -> None:
    parser = _command(
        commands,
        "match",
        "show sketches with the photos that a checkpoint finds for them",
        "Writes one picture, and prints the same as text. A photo of the right class has a green "
        "frame; the very photo that a sketch was drawn from has a thick one.",
    )
    _add_pictures(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sketch", type=Path, metavar="FILE", help="match this sketch")
    which.add_argument(
        "--random", type=int, default=10, metavar="N", help="match so many sketches at random"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one draws other sketches")
    parser.add_argument("--k", type=int, default=10, help="photos for each sketch, at most")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png or .svg")

    def run(arguments: argparse.Namespace) -> None:
        from train.reports.match import draw, match

        found = match(
            arguments.checkpoint,
            *_pictures(arguments),
            sketch=arguments.sketch,
            count=arguments.random,
            seed=arguments.seed,
            k=arguments.k,
        )
        drawn = draw(found, arguments.out)
        print("\n\n".join(map(str, found)))
        print(f"\n{drawn}")

    parser.set_defaults(run_command=run)


def _export(commands: Commands) -> None:
    parser = _command(
        commands,
        "export",
        "write the checkpoint folder that the app loads",
        "It holds the best weights of a run, and an index of photos where they are given. Networks "
        "are written as ONNX with 8-bit weights. The command prints what that costs in P@12 on "
        "held-out pictures, and writes nothing if it is more than 0.005.",
    )
    parser.add_argument(
        "--run", type=Path, required=True, help="the run's folder, or a checkpoint to write anew"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder to write")
    parser.add_argument("--name", help="what the checkpoint calls itself (default: sketchzoo)")
    parser.add_argument(
        "--photos",
        type=Path,
        nargs="*",
        default=[],
        help="folders of photos to index as well, with Annoy",
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="int8",
        help="numbers that the networks compute with (default: %(default)s); fp32 makes files four "
        "times as large and embeds a few times as slowly",
    )
    parser.add_argument(
        "--sketchy", type=Path, help="the Sketchy Database, if not where the run found it"
    )
    parser.add_argument(
        "--train-photos",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="the run's further photos, one folder a class, beside --sketchy",
    )
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for frames")
    parser.add_argument(
        "--photo-encoder",
        type=Path,
        metavar="RUN",
        help="a run or a checkpoint: a stronger encoder with the same prototypes, to embed photos "
        "when they are indexed",
    )
    parser.add_argument(
        "--pose-encoder",
        type=Path,
        metavar="RUN",
        help="the --pose-teacher of the run: it tells the pose of photos, and the photo encoder "
        "the animal (both EfficientNet-Lite2)",
    )
    parser.add_argument(
        "--photo-size",
        type=int,
        metavar="PIXELS",
        help="side of the photos that the photo encoder sees, by default that of its training; "
        "up to half as large again often finds more",
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
        "started from, which often generalises better than each",
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
        from train.export import export
        from train.runs import Pictures

        given = arguments.sketchy
        checkpoint = export(
            arguments.run,
            arguments.out,
            name=arguments.name,
            photos=arguments.photos,
            photo_encoder=arguments.photo_encoder,
            photo_size=arguments.photo_size,
            pose_encoder=arguments.pose_encoder,
            last=arguments.last,
            mean_with=arguments.mean_with,
            photo_mean_with=arguments.photo_mean_with,
            precision=arguments.precision,
            pictures=Pictures(given, tuple(arguments.train_photos)) if given else None,
            cache=arguments.cache,
        ).checkpoint
        size = sum(f.stat().st_size for f in checkpoint.folder.rglob("*") if f.is_file())
        photos = len(checkpoint.manifest.photos)
        print(f"wrote {checkpoint.folder}: {size / 1e6:.0f} MB, {photos} photos")

    parser.set_defaults(run_command=run)


def _index(commands: Commands) -> None:
    parser = _command(
        commands,
        "index",
        "make a gallery of your own photos for the app",
        "Finds JPEG, PNG, WebP, HEIC, AVIF, TIFF and other pictures in any depth below the "
        "folders, whatever their names, and follows links. A photo is labelled with the name of "
        "the folder it is in. What is left out is named, with the remedy: files with the same "
        "content, raw files of cameras, what cannot be read. Hidden files are passed over. Given "
        "again, the command brings the gallery up to date, and reads only photos that are new or "
        "have changed; after a stop or a kill it goes on where it was. An app that serves the "
        "gallery goes on meanwhile, and takes the new one over within a second of the next search.",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="folders of photos",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the gallery")
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="the encoder to use")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="CSV",
        help="a table with the columns file and label, for photos whose folder does not name them; "
        "files as paths below DIR, such as cats/1.jpg, or with DIR's own name in front",
    )
    parser.add_argument(
        "--credits",
        type=Path,
        metavar="CSV",
        help="a table with the columns file, credit (or creator, author) and licence (or license), "
        "which the app shows with a photo; "
        "what it leaves blank comes from the photo's EXIF data. It may be the table of --labels",
    )
    parser.add_argument(
        "--engine",
        choices=get_args(EngineName),
        help="what searches the gallery (default: exact up to 20000 photos, annoy above)",
    )

    def run(arguments: argparse.Namespace) -> None:
        from train.index import index, report

        a = arguments
        tables = {"labels": a.labels, "credits": a.credits}
        built, left_out, notes = index(a.photos, a.out, a.checkpoint, **tables, engine=a.engine)
        print("\n".join([*notes, *report(built, left_out)]))
        print(f"Search them: python app.py --gallery {arguments.out}")

    parser.set_defaults(run_command=run)


if __name__ == "__main__":
    sys.exit(main())
