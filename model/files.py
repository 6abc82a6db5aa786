"""Writes files completely or not at all."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder. Without an error, it then replaces `path`.

    Only one process may write the file at a time. A temporary file that a killed process has left
    behind is overwritten the next time.
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


def link_or_copy(source: Path, target: Path) -> None:
    """Makes a hard link to a file or, if the file system does not support that, a copy.

    Raises:
        OSError: the file cannot be copied either.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
