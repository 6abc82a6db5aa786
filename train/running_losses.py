"""Running means of the losses, and the check that they are finite."""

import math
from pathlib import Path

import torch

from train.errors import DataError
from train.run_files import LAST

SMOOTHING = 0.98
"""Share of the past in a running mean."""

GRADIENT = "the norm of the gradient"


class RunningLosses:
    """Collects the losses of steps, and reads them from the device only when asked.

    Attributes:
        means: running means by name, as of the last `read`.

    Args:
        run: the run's folder, for the message of an error.
    """

    def __init__(self, run: Path) -> None:
        self.means: dict[str, float] = {}
        self._run = run
        self._unread: list[tuple[int, dict[str, torch.Tensor]]] = []

    def add(self, step: int, losses: dict[str, torch.Tensor], gradient: torch.Tensor) -> None:
        """Keeps the losses of a step, and the norm of its gradient, without waiting for a GPU."""
        self._unread.append((step, {**losses, GRADIENT: gradient}))

    def read(self) -> None:
        """Updates the running means with the losses since the last call.

        Raises:
            DataError: a loss or a gradient is not finite. The message names the first such step.
        """
        if not self._unread:
            return
        steps = [step for step, _ in self._unread]
        names = list(self._unread[0][1])
        rows = torch.stack([torch.stack(list(found.values())) for _, found in self._unread])
        self._unread.clear()
        for step, row in zip(steps, rows.tolist(), strict=True):
            values = dict(zip(names, row, strict=True))
            if not all(map(math.isfinite, row)):
                told = ", ".join(f"{name} {value:g}" for name, value in values.items())
                raise DataError(
                    f"A loss is not finite at step {step}: {told}. The last good state is "
                    f"{self._run / LAST}; lower --lr and start another run."
                )
            del values[GRADIENT]
            for name, value in values.items():
                before = self.means.get(name, value)
                self.means[name] = SMOOTHING * before + (1 - SMOOTHING) * value
