"""Progress of a run: a progress bar, `log.jsonl`, and TensorBoard."""

import json
from dataclasses import asdict
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from model.files import replacing
from train import distributed
from train.console import say
from train.metrics import Metrics

LOG = "log.jsonl"

LOG_EVERY = 20
"""Steps between updates of the figures beside the progress bar, and in TensorBoard."""


class TrainingLogger:
    """Logs on rank 0 only.

    Args:
        run: the run's folder. Lines of its `log.jsonl` after `step` are dropped, since the run
            will write them again.
        name: of the progress bar.
        step: where the training starts.
        steps: where it is expected to end.
        images: in a step, over all ranks.
    """

    def __init__(self, run: Path, name: str, *, step: int, steps: int, images: int) -> None:
        self.log, self.images = run / LOG, images
        self.bar = tqdm(
            total=steps, initial=step, desc=name, unit="step", disable=distributed.rank() > 0
        )
        self.board: SummaryWriter | None = None
        if distributed.rank() == 0:
            run.mkdir(parents=True, exist_ok=True)
            kept = [line for line in read_log(run) if line["step"] <= step] if step else []
            with replacing(self.log) as unfinished:
                unfinished.write_text("".join(json.dumps(line) + "\n" for line in kept))
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def log_step(self, step: int, done: float, losses: dict[str, float]) -> None:
        """After each step.

        Args:
            step: number of steps so far.
            done: share of the training that is over.
            losses: running means by name.
        """
        self.bar.update()
        if distributed.rank() == 0 and step % LOG_EVERY == 0:
            rate = self.images * (self.bar.format_dict["rate"] or 0)
            self.bar.total = max(step, round(step / done))
            shown = {name: round(value, 3) for name, value in losses.items()}
            self.bar.set_postfix({"images/s": round(rate), **shown})
            self._plot("train", {**losses, "images/s": rate}, step)

    def log_evaluation(
        self, step: int, elapsed: float, metrics: Metrics, losses: dict[str, float]
    ) -> None:
        """After each evaluation.

        Args:
            step: number of steps so far.
            elapsed: seconds of training so far.
            metrics: of the evaluation.
            losses: running means by name.
        """
        if distributed.rank() > 0:
            return
        tqdm.write(
            f"step {step}: P@12 {metrics.precision_at_12:.3f}  P@1 {metrics.precision_at_1:.3f}  "
            f"mAP {metrics.map:.3f}"
        )
        line = {"step": step, "minutes": elapsed / 60, **asdict(metrics), **losses}
        try:
            with self.log.open("a") as log:
                log.write(json.dumps(line) + "\n")
        except OSError as error:
            say(f"warning: {self.log} could not be written ({error.strerror}). Free some space.")
        self._plot("validation", asdict(metrics), step)

    def _plot(self, group: str, values: dict[str, float], step: int) -> None:
        if self.board is None:
            return
        try:
            for name, value in values.items():
                self.board.add_scalar(f"{group}/{name}", value, step)
        except OSError as error:
            say(f"warning: TensorBoard's files could not be written ({error}); there are no more.")
            self.board = None

    def close(self) -> None:
        """Ends the progress bar, and flushes the files."""
        self.bar.close()
        if self.board:
            self.board.close()


def read_log(run: Path) -> list[dict[str, float]]:
    """The evaluations of a run, oldest first, without lines that were cut short."""
    lines = []
    if (run / LOG).exists():
        for line in (run / LOG).read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
    return lines
