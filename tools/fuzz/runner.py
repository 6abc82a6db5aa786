"""Tries inputs until time is up, and counts how each ended."""

import resource
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from model.errors import SketchZooError
from tools.fuzz.manifests import manifests, read_manifest
from tools.fuzz.pictures import damaged_pictures, read_picture
from tools.fuzz.queries import queries, read_query

SECONDS = 5.0
"""Limit of the processor time for one input."""

MEGABYTES = 1500
"""How much the memory of the process may grow over all inputs."""

ROUND = 500
"""Number of inputs that Hypothesis makes from one seed."""

TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    "images": (damaged_pictures(), read_picture),
    "strokes": (queries, read_query),
    "manifest": (manifests(), read_manifest),
}


def fuzz(target: str, start: int, rounds: int | None, seconds: float) -> Counter[str]:
    """Tries inputs and counts how each ended: answered, or refused with which error.

    Args:
        target: one of `TARGETS`.
        start: the first seed; each round uses the next one.
        rounds: number of rounds of `ROUND` inputs; None for as many as there is time for.
        seconds: no new round begins after this time.

    Raises:
        Exception: an input has caused an error that is not a SketchZooError.
        AssertionError: an input took over `SECONDS`, or memory has grown by `MEGABYTES`.
    """
    inputs, read = TARGETS[target]
    ends: Counter[str] = Counter()
    before, deadline = peak_megabytes(), time.monotonic() + seconds

    def check(item: Any) -> None:
        began = time.process_time()
        try:
            read(item)
            ends["answered"] += 1
        except SketchZooError as error:
            ends[f"refused, {type(error).__name__}"] += 1
        took = time.process_time() - began
        assert took < SECONDS, f"one input took {took:.1f} s"
        assert peak_megabytes() - before < MEGABYTES, f"grown by {peak_megabytes() - before:.0f} MB"

    number = 0
    while (rounds is None or number < rounds) and time.monotonic() < deadline:
        configured = settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        seed(start + number)(configured(given(inputs)(check)))()
        number += 1
    return ends


def peak_megabytes() -> float:
    """The largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
