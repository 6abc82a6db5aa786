"""What to search for at the services, for each animal."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint.manifest import Manifest
from model.errors import GalleryError

TABLE = Path(__file__).parents[3] / "assets" / "open_photos.csv"

NO_PHOTO = re.split(
    r"\s+",
    "statue sculpture monument grave bronze figurine toy plush stamp coin medal logo icon flag "
    "poster postcard cartoon drawing painting engraving illustration sketch artwork plate mural "
    "graffiti mosaic map diagram book manuscript screenshot skeleton skull bones anatomy fossil "
    "taxidermy stuffed mounted specimen museum herbarium x-ray microscope dead roadkill carcass "
    "meat dish recipe costume mascot ai-generated",
)
"""Words in titles and tags of pictures that do not show a living animal."""


@dataclass(frozen=True)
class Animal:
    """A class of animals, and what to search for.

    Attributes:
        name: the class, such as `sea_turtle`.
        source: name of the service to ask after Commons: `inaturalist` for wild animals,
            `openverse` for domestic animals.
        taxa: iNaturalist's ids of the taxa.
        without: iNaturalist's ids of taxa below them that are excluded.
        words: search terms for the other services.
        exclude: words in titles and tags of pictures that show something else.
    """

    name: str
    source: str
    taxa: tuple[str, ...]
    without: tuple[str, ...]
    words: str
    exclude: tuple[str, ...]

    @property
    def label(self) -> str:
        """The class as people write it: `sea turtle`."""
        return self.name.replace("_", " ")

    def wrong_word(self, text: str) -> str:
        """The first word in a text that suggests another subject; empty if there is none."""
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


def known_animals(manifest: Manifest) -> list[Animal]:
    """The animals that an encoder can tell apart.

    Raises:
        GalleryError: there are none.
    """
    if not manifest.prototypes:
        raise GalleryError(
            f"The checkpoint {manifest.name} cannot choose open photos: it was trained without "
            "'--loss cosface'. Name another one with --checkpoint, or do without open photos."
        )
    known = [animal for animal in animals().values() if animal.name in manifest.classes]
    if not known:
        raise GalleryError(
            f"The checkpoint {manifest.name} knows none of the animals of the open photos. Name "
            "another one with --checkpoint, or do without open photos."
        )
    return known
