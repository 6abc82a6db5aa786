"""Where the inputs of a run are."""

import json
from dataclasses import dataclass
from pathlib import Path

from model.files import replacing
from train.errors import DataError

SOURCES = "sources.json"
"""In a run's folder: where its pictures are."""


@dataclass(frozen=True)
class Sources:
    """The inputs of a run.

    Attributes:
        sketchy: the unpacked Sketchy Database.
        more_photos: folders of further photos, with one folder a class in each.
        unlabelled: folders of photos that are learned from a teacher only.
        split: a `split.json` to use instead of drawing one.
        teachers: runs or checkpoints of encoders to learn from. Sketches are learned from the mean
            of all, and photos from the first one.
        photo_teacher: another one, for photos.
        pose_teacher: another one, for the poses of photos.
        start: a run or checkpoint to start with.
        cache: where frames and the teachers' projections are kept.
    """

    sketchy: Path
    more_photos: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    split: Path | None = None
    teachers: tuple[Path, ...] = ()
    photo_teacher: Path | None = None
    pose_teacher: Path | None = None
    start: Path | None = None
    cache: Path = Path("cache")


@dataclass(frozen=True)
class DataFolders:
    """Where the labelled pictures of a run are.

    Attributes:
        sketchy: the unpacked Sketchy Database.
        photos: folders of further photos, with one folder a class in each.
    """

    sketchy: Path
    photos: tuple[Path, ...] = ()

    def save(self, run: Path) -> None:
        """Writes `sources.json` into a run's folder."""
        record = {
            "sketchy": str(self.sketchy.resolve()),
            "photos": [str(folder.resolve()) for folder in self.photos],
        }
        with replacing(run / SOURCES) as unfinished:
            unfinished.write_text(json.dumps(record, indent=1) + "\n")

    @classmethod
    def load(cls, run: Path) -> "DataFolders | None":
        """Reads what `save` has written; None if the run has no such file.

        Raises:
            DataError: the file is damaged.
        """
        try:
            record = json.loads((run / SOURCES).read_text(encoding="utf-8"))
            return cls(Path(record["sketchy"]), tuple(map(Path, record["photos"])))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{run / SOURCES} is damaged. Delete it, and give --sketchy."
            ) from error
