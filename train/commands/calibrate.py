"""`calibrate`: fits the confidence of a checkpoint's guesses, and what is unlike all photos."""

import argparse

from train.commands.options import Commands, add_command, add_pictures, pictures_of, protocol_of


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "calibrate",
        "make a checkpoint's confidence match how often its guesses are right",
        "Fits two numbers on held-out sketches, and writes them into the manifest: the temperature "
        "of the guesses, and the similarity below which a drawing is like none of the photos. The "
        "app shows guesses only after that. The error is measured by cross-validation.",
    )
    add_pictures(parser)
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs it."""
    from train.calibrate import calibrate

    photos, sketches, split = pictures_of(arguments)
    found, before, right = calibrate(arguments.checkpoint, photos, sketches, split)
    print(f"guesses right              {right:.3f}")
    print(f"temperature                {found.temperature:.3f}")
    print(f"expected calibration error {found.error:.3f}, before {before:.3f}")
    print(f"least similarity           {found.least_similarity:.3f}")
    print(protocol_of(split))
