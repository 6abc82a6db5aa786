"""What a run tells while it goes: a progress bar, `log.jsonl`, and TensorBoard."""

import json
from dataclasses import asdict
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from train import ranks
from train.metrics import Metrics

LOG = "log.jsonl"

SHOWN_EVERY = 20
"""Steps between updates of the figures beside the progress bar, and in TensorBoard."""


class Journal:
    """Tells on rank 0 alone.

    Args:
        run: the run's folder; lines of its `log.jsonl` after `step` are dropped: they come again.
        name: what the progress bar calls the run.
        step: where the training begins.
        steps: where it ends, as far as one knows.
        images: pictures in a step.
    """

    def __init__(self, run: Path, name: str, *, step: int, steps: int, images: int) -> None:
        self.log, self.images = run / LOG, images
        self.bar = tqdm(total=steps, initial=step, desc=name, unit="step", disable=ranks.rank() > 0)
        self.board = None
        if ranks.rank() == 0:
            run.mkdir(parents=True, exist_ok=True)
            lines = self.log.read_text().splitlines() if step and self.log.exists() else []
            kept = [line + "\n" for line in lines if json.loads(line)["step"] <= step]
            self.log.write_text("".join(kept))
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step)

    def stepped(self, step: int, done: float, losses: dict[str, float]) -> None:
        """After each step.

        Args:
            done: share of the training that is over.
            losses: running means.
        """
        self.bar.update()
        if self.board and step % SHOWN_EVERY == 0:
            rate = self.images * (self.bar.format_dict["rate"] or 0)
            self.bar.total = max(step, round(step / done))
            shown = {name: round(value, 3) for name, value in losses.items()}
            self.bar.set_postfix({"images/s": round(rate), **shown})
            for name, value in {**losses, "images/s": rate}.items():
                self.board.add_scalar(f"train/{name}", value, step)

    def evaluated(
        self, step: int, elapsed: float, metrics: Metrics, losses: dict[str, float]
    ) -> None:
        """After each evaluation; `elapsed` are seconds of training."""
        if self.board is None:
            return
        tqdm.write(
            f"step {step}: P@12 {metrics.precision_at_12:.3f}  P@1 {metrics.precision_at_1:.3f}  "
            f"mAP {metrics.map:.3f}"
        )
        line = {"step": step, "minutes": elapsed / 60, **asdict(metrics), **losses}
        with self.log.open("a") as log:
            log.write(json.dumps(line) + "\n")
        for name, value in asdict(metrics).items():
            self.board.add_scalar(f"validation/{name}", value, step)

    def close(self) -> None:
        """Ends the progress bar and flushes what is written."""
        self.bar.close()
        if self.board:
            self.board.close()


def say(line: str) -> None:
    """A line above the progress bar, once for all ranks."""
    if ranks.rank() == 0:
        tqdm.write(line)
