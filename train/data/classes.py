"""Sets of classes of the Sketchy Database, by name."""

from collections.abc import Collection

from model.text import composed
from train.errors import DataError

_ANIMALS = """
ant ape bat bear bee beetle butterfly camel cat chicken cow crab crocodilian deer dog dolphin
duck elephant fish frog giraffe hedgehog hermit_crab horse jellyfish kangaroo lion lizard
lobster mouse owl parrot penguin pig rabbit raccoon ray rhinoceros scorpion sea_turtle seagull
seal shark sheep snail snake songbird spider squirrel starfish swan tiger turtle wading_bird
zebra
"""
ANIMALS = tuple(_ANIMALS.split())
"""The 55 of its 125 classes that are animals."""

SETS = {"animals": ANIMALS, "mini": ("bear", "crocodilian", "jellyfish", "parrot", "spider")}


def choose_classes(wanted: str, found: Collection[str]) -> list[str]:
    """The classes to train on, sorted.

    Args:
        wanted: `animals`, `mini`, `all`, or names with commas between them. Classes of a set that
            were not found are left out.
        found: the classes with photos and sketches.

    Raises:
        DataError: a class that is named was not found, or no class was.
    """
    if wanted == "all":
        chosen = sorted(found)
    elif wanted in SETS:
        chosen = sorted(set(SETS[wanted]) & set(found))
    else:
        chosen = sorted(set(composed(wanted).split(",")))
        missing = [name for name in chosen if name not in found]
        if missing:
            raise DataError(f"There are no photos with sketches of {', '.join(missing)}.")
    if not chosen:
        raise DataError(
            f"None of the classes of {wanted!r} has photos and sketches. Use --classes all to "
            "train on every folder."
        )
    return chosen
