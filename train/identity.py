"""What must stay the same when a run is resumed."""

from dataclasses import asdict
from pathlib import Path

from model.checkpoint.files import MANIFEST
from model.checkpoint.versions import CURRENT
from train.config import FitConfig
from train.data.dataset import Dataset
from train.data.frames import pictures_key
from train.data.sources import Sources
from train.errors import DataError
from train.runs import BEST

MAY_CHANGE = ("steps", "epochs", "minutes", "patience", "keep", "eval_every")
"""Settings that decide how long a run takes and what it keeps.

`steps`, `epochs` and `minutes` also stretch the schedules of the learning rate and the image size.
"""

Identity = dict[str, object]


def run_identity(config: FitConfig, dataset: Dataset, sources: Sources) -> Identity:
    """The settings and data of a run, by names for messages."""
    settings = {name: value for name, value in asdict(config).items() if name not in MAY_CHANGE}
    return {
        **settings,
        "the teacher": " and ".join(map(_version, sources.teachers)) or "none",
        "the teacher of photos": _version(sources.photo_teacher),
        "the teacher of poses": _version(sources.pose_teacher),
        "the checkpoint to start from": str(sources.start or "none"),
        "the classes": dataset.classes,
        "the held-out pictures": sorted(dataset.split.validation_ids),
        "the training pictures": [
            pictures_key(frames.pictures) for frames in dataset.training_frames().values()
        ],
    }


def check_identity(run: Path, before: Identity, now: Identity) -> None:
    """Makes sure that a run can be resumed.

    Raises:
        DataError: it has other settings or other data.
    """
    if before.keys() != now.keys():
        raise DataError(f"{run} was begun by another version. Name another --run.")
    changed = [key for key, value in now.items() if before[key] != value]
    if changed:
        short = (str, int, float, bool)
        told = [
            f"{key} was {before[key]!r} and is {now[key]!r}"
            if isinstance(now[key], short)
            else f"{key} differ"
            for key in sorted(changed)
        ]
        raise DataError(
            f"{run} was begun with other settings: {'; '.join(told)}. Give the same ones to go on "
            "with it, or another --run to start a new one."
        )


def _version(teacher: Path | None) -> str:
    """A teacher's folder and when it was written: another one may have taken its place."""
    if teacher is None:
        return "none"
    files = (teacher / name for name in (BEST, CURRENT, MANIFEST))
    written = next((file.stat().st_mtime_ns for file in files if file.exists()), None)
    return f"{teacher.resolve()}, of {written}"
