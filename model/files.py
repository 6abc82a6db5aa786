"""Files that are there whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`, which takes its place when all went well.

    One that a killed process has left behind is written over the next time. For files that only
    one process writes at a time.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_json(path: Path, data: object) -> None:
    """Writes a JSON file under a temporary name, then replaces an older one."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
