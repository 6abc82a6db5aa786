"""From a training run to the checkpoint folder that the app loads."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from model.checkpoint import Checkpoint, save_checkpoint
from model.files import replacing
from model.gallery import build_gallery
from model.manifest import WEIGHTS, PhotoEncoderInfo
from model.photos import find_photos
from model.versions import versions_in
from model.walk import named
from train.config import MAX_SIZE
from train.data import DataError, Split
from train.journal import say
from train.runs import SPLIT, Run, load_run, mean_weights
from train.teacher import same_prototypes


def export(
    run: Path,
    out: Path,
    *,
    name: str,
    photos: Sequence[Path] = (),
    photo_encoder: Path | None = None,
    photo_size: int | None = None,
    last: bool = False,
    mean_with: Sequence[Path] = (),
) -> Checkpoint:
    """Writes the averaged weights of the run's best evaluation, with the run's split beside.

    Args:
        run: the folder that `fit` has written.
        out: the checkpoint folder to write.
        name: what the checkpoint calls itself.
        photos: folders of photos to index; without any the folder holds the encoder alone.
        photo_encoder: a run with the same prototypes, whose network embeds photos when they are
            indexed; its split has to hold out what that of `run` does.
        photo_size: side in pixels of the photos that it sees. Training crops photos, so that
            animals look larger in it than they do when whole photos are indexed at the same
            size; a larger one makes up for that (Touvron et al. 2019).
        last: take the weights that the run ended with. The best evaluation is that of the run's
            encoder alone, which with a `photo_encoder` is not what counts.
        mean_with: checkpoints, as a rule the one that the run started from; the mean of their
            weights and the run's is written (Wortsman et al. 2022, "Model soups").

    Raises:
        DataError: a run holds no finished evaluation, both do not fit, or `out` holds something
            else.
    """
    if photo_size is not None and (photo_encoder is None or not 32 <= photo_size <= MAX_SIZE):
        raise DataError(f"--photo-size is 32 to {MAX_SIZE}, and for a --photo-encoder.")
    trained = load_run(run, last=last)
    for count, folder in enumerate(mean_with, 1):
        _take_mean(trained, folder, 1 / (count + 1))
    other = load_run(photo_encoder) if photo_encoder else None
    if other:
        if not same_prototypes(other.network, trained.network):
            raise DataError(
                f"{other.folder} embeds into another space than {run}. Train one of both with the "
                "other as --teacher, or with its checkpoint as --start."
            )
        _check_split(run, other.folder)
    if out.is_dir() and any(out.iterdir()) and not _is_exported(out):
        raise DataError(f"{out} holds other files than a checkpoint. Name another folder.")
    found = find_photos(photos, [out])
    checkpoint = save_checkpoint(
        out,
        trained.network,
        name=name,
        backbone=trained.config.backbone,
        input_size=trained.config.input_size,
        classes=trained.classes,
        training={**asdict(trained.config), "steps_done": trained.step},
        metrics={} if mean_with or other else trained.metrics,
        photo_network=other.network if other else None,
        photo_encoder=(
            PhotoEncoderInfo(
                other.config.backbone,
                photo_size or other.config.input_size,
                other.config.standardise,
            )
            if other
            else None
        ),
    )
    with replacing(out / SPLIT) as unfinished:
        shutil.copyfile(run / SPLIT, unfinished)
    if not photos:
        return checkpoint
    built = build_gallery(checkpoint, found.photos, out)
    for line in named([*found.left_out, *built.left_out]):
        say(line)
    return built.checkpoint


def _is_exported(folder: Path) -> bool:
    """Whether a folder was written by `export`, with or without photos."""
    with_photos = (folder / SPLIT).is_file() and versions_in(folder)
    return (folder / WEIGHTS).is_file() or bool(with_photos)


def _take_mean(trained: Run, folder: Path, share: float) -> None:
    """Puts a run's weights this share of the way to those of a checkpoint."""
    other = Checkpoint.open(folder).network()
    weights, others = trained.network.state_dict(), other.state_dict()
    alike, wanted = (
        (network.standardise, network.normalise, {k: v.shape for k, v in state.items()})
        for network, state in ((other, others), (trained.network, weights))
    )
    if alike != wanted or not same_prototypes(trained.network, other):
        raise DataError(
            f"{folder} holds another encoder than {trained.folder}, or embeds into another "
            "space. --mean-with takes checkpoints like the one that the run started from."
        )
    _check_split(trained.folder, folder)
    trained.network.load_state_dict(mean_weights(others, weights, 1 - share))


def _check_split(run: Path, other: Path) -> None:
    """Makes sure that an encoder has never seen what a run holds out.

    Raises:
        DataError: it may have.
    """
    held, known = (Split.load(folder / SPLIT).validation_ids for folder in (run, other))
    if not held <= known:
        raise DataError(f"{other} was trained on pictures that {run} holds out.")


def write_json(path: Path, data: object) -> None:
    """Writes a JSON file under a temporary name, then replaces an older one."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
