"""Reads and writes `.pt` files: the states of a run, and teachers' projections in the cache."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from model.files import replacing
from train.errors import DataError

LAST = "last.pt"
"""The state that a run is continued from."""


def read_state(path: Path) -> dict[str, Any]:
    """What `save_state` has written, on the CPU.

    Raises:
        DataError: the file is damaged or missing.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing. Only runs of 'python -m train fit' have one; on several hosts the "
            "--run must be in a shared folder."
        ) from error
    except Exception as error:  # torch.load raises whatever the damaged bytes lead to
        older = sorted(path.parent.glob("step-*.pt")) if path.name == LAST else []
        remedy = f"Put {older[-1].name} in its place and train on" if older else "Train again"
        raise DataError(f"{path} is damaged. {remedy}.") from error
    return state


def save_state(state: object, path: Path) -> None:
    """Writes to a temporary name beside `path`, then replaces it.

    Raises:
        DataError: it cannot be written; a file that is there stays as it is.
    """
    try:
        with replacing(path) as unfinished:
            torch.save(state, unfinished)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
        raise DataError(
            f"{path} could not be written ({error}). If it was there before, it is unchanged. "
            "Check the free space and the permissions."
        ) from error


def save_last(state: object, run: Path, keep: int) -> None:
    """Writes `last.pt`; the previous one becomes `step-<step>.pt`.

    Args:
        state: with its `step`.
        run: the run's folder.
        keep: how many `step-<step>.pt` to keep, the newest ones. With 0, none is added and none
            is deleted.

    Raises:
        DataError: `last.pt` cannot be written; the previous one is kept.
    """
    path = run / LAST
    previous = read_state(path)["step"] if keep and path.exists() else None
    link = run / f"step-{previous:08}.pt" if previous is not None else None
    if link and not link.exists():
        try:
            os.link(path, link)
        except OSError:  # some file systems have no links
            shutil.copyfile(path, link)
    save_state(state, path)
    if keep:
        for old in sorted(run.glob("step-*.pt"))[:-keep]:
            old.unlink()
