r"""Train, evaluate, compare and export encoders of sketches and photos.

from nothing to an app with your own encoder:
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
import sys

from model.errors import SketchZooError
from train.commands import (
    blend,
    cache,
    calibrate,
    compare,
    download,
    evaluate,
    export,
    fit,
    index,
    inspect,
    match,
    plot,
)

COMMANDS = (
    *(download, inspect, fit, blend, export, calibrate),
    *(index, evaluate, match, compare, plot, cache),
)
"""In the order of `--help`."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int | None = arguments.run_command(arguments)
    except ModuleNotFoundError as error:
        return _fail(f"{error}. Run: pip install -r requirements-train.txt")
    except (SketchZooError, OSError) as error:
        return _fail(str(error))
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which may not be installed
            raise
        return _fail(f"{error} Use smaller batches or a smaller --input-size.")
    except KeyboardInterrupt:
        print(
            "stopped; to go on, give 'fit' again with --resume, 'index' and 'download' as before",
            file=sys.stderr,
        )
        return 130
    return code or 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
