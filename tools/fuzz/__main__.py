"""Feeds the app broken and hostile input until time is up, and reports what gets through.

python -m tools.fuzz images --seconds 600      damaged and hostile picture files
python -m tools.fuzz strokes --seconds 600     drawings and queries as a browser sends them
python -m tools.fuzz manifest --seconds 600    manifests of checkpoint folders

Every input must end in an answer or in a SketchZooError, within the limits of
`tools.fuzz.runner`. Hypothesis makes the inputs, and shrinks an input that fails to the smallest
one that still does.
"""

import argparse
import random
import shutil
import sys
import time

from tools.fuzz.manifests import checkpoint_folder
from tools.fuzz.runner import TARGETS, fuzz, peak_megabytes


def main(argv: list[str] | None = None) -> int:
    """Runs one target; raises what gets through."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60, help="how long to try (default: 60)")
    parser.add_argument(
        "--seed", type=int, help="first seed (default: a random one, which is printed)"
    )
    arguments = parser.parse_args(argv)
    start = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    print(f"{arguments.target}, seed {start}", flush=True)
    began = time.monotonic()
    try:
        ends = fuzz(arguments.target, start, None, arguments.seconds)
    finally:
        if checkpoint_folder.cache_info().currsize:
            shutil.rmtree(checkpoint_folder(), ignore_errors=True)
    for end, count in ends.most_common():
        print(f"{count:9}  {end}")
    print(
        f"{ends.total():9}  inputs in {time.monotonic() - began:.0f} s, {peak_megabytes():.0f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
