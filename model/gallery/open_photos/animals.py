"""What to ask the services for, animal by animal."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parents[3] / "assets" / "open_photos.csv"

NO_PHOTO = re.split(
    r"\s+",
    "statue sculpture monument grave bronze figurine toy plush stamp coin medal logo icon flag "
    "poster postcard cartoon drawing painting engraving illustration sketch artwork plate mural "
    "graffiti mosaic map diagram book manuscript screenshot skeleton skull bones anatomy fossil "
    "taxidermy stuffed mounted specimen museum herbarium x-ray microscope dead roadkill carcass "
    "meat dish recipe costume mascot ai-generated",
)
"""Words that tell of something else than a photo of a living animal."""


@dataclass(frozen=True)
class Animal:
    """A class, and how services know it.

    Attributes:
        name: of the class, such as `sea_turtle`.
        source: `inaturalist` for wild animals, `openverse` for domestic ones.
        taxa, without: iNaturalist's ids of taxa, and of those below them to leave out.
        words: what to search for elsewhere.
        exclude: words that tell of something else.
    """

    name: str
    source: str
    taxa: tuple[str, ...]
    without: tuple[str, ...]
    words: str
    exclude: tuple[str, ...]

    @property
    def label(self) -> str:
        """The class for people: `sea turtle`."""
        return self.name.replace("_", " ")

    def wrong_word(self, text: str) -> str:
        """The first word of a title, tags or categories that tells of something else."""
        words = (*NO_PHOTO, *self.exclude)
        found = re.search(rf"(?<!\w)({'|'.join(map(re.escape, words))})s?(?!\w)", text, re.I)
        return found[1].lower() if found else ""


def animals(table: Path = TABLE) -> dict[str, Animal]:
    """The 55 animals by name."""
    with table.open(newline="", encoding="utf-8") as file:
        return {
            row["class"]: Animal(
                row["class"],
                row["source"],
                tuple(row["taxa"].split()),
                tuple(row["without"].split()),
                row["words"],
                tuple(row["exclude"].split("|")),
            )
            for row in csv.DictReader(file)
        }
