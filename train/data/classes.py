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
"""Those 55 of its 125 classes that are animals."""

SETS = {"animals": ANIMALS, "mini": ("bear", "crocodilian", "jellyfish", "parrot", "spider")}


def choose_classes(wanted: str, found: Collection[str]) -> list[str]:
    """The classes to train on, sorted.

    Args:
        wanted: `animals`, `mini`, `all`, or names with commas between them. Of a named set,
            those that were found are taken.
        found: the classes that there are photos and sketches of.

    Raises:
        DataError: a class was asked for by its name and is not there, or none is.
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
