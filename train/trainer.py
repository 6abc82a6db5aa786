"""The training loop: steps, evaluations and saves of one run."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from train import distributed
from train.average import MovingAverage
from train.config import FitConfig
from train.console import say
from train.data.batches import Batches
from train.data.dataset import Dataset
from train.data.sources import DataFolders, Sources
from train.embedding import validate
from train.errors import DataError
from train.identity import check_identity, run_identity
from train.logger import LOG_EVERY, TrainingLogger
from train.metrics import Metrics
from train.networks.convolutions import speed_up_convolutions
from train.networks.siamese import SiameseNetwork
from train.objective import Batch, loss_terms
from train.precision import bf16_is_fast
from train.run_files import LAST, read_state, save_last
from train.running_losses import RunningLosses
from train.runs import BEST, SPLIT, Run, new_pose_space, save_best
from train.schedule import learning_rate_share, most_sizes
from train.start import start_network
from train.teacher import NO_TEACHERS, Teachers

SAVE_EVERY = 180
"""Seconds between saves of `last.pt` while there is no evaluation."""


class Trainer:
    """A run: network, optimizer, batches, and the best evaluation so far.

    Args:
        config: of the run.
        dataset: its pictures.
        run: its folder.
        device: where to train.
        sources: where its inputs are.
        teachers: what it learns from beside labels.
        ahead: make the next batch while this one is learned; by default on a GPU only.
        compiled: compile the network with `torch.compile`.

    Raises:
        DataError: the start or a teacher does not fit the run.
    """

    def __init__(
        self,
        config: FitConfig,
        dataset: Dataset,
        run: Path,
        device: torch.device,
        sources: Sources,
        teachers: Teachers = NO_TEACHERS,
        *,
        ahead: bool | None = None,
        compiled: bool = False,
    ) -> None:
        self.config, self.dataset, self.run, self.device = config, dataset, run, device
        self.sources = sources
        self.identity = run_identity(config, dataset, sources)
        self.steps = config.steps
        if config.epochs:
            self.steps = config.epochs * math.ceil(
                len(dataset.sketches.labels) / config.sketch_batch
            )
        self.network = start_network(config, dataset, sources.start, teachers)
        targets = teachers.targets(dataset, device, sources.cache)
        self.network.to(device).to(memory_format=torch.channels_last)
        distributed.join_batch_norms(self.network, device)
        self.average = MovingAverage(self.network, config.ema)  # with PyTorch's own convolutions
        self.forward = self._make_fast(compiled=compiled)
        self.optimizer = _make_optimizer(config, self.network)
        ahead = device.type == "cuda" if ahead is None else ahead
        mixers = teachers.mixers(device)
        self.batches = Batches(config, dataset, targets, mixers, device, ahead=ahead)
        self.step, self.elapsed, self.without_better = 0, 0.0, 0
        self.best = Metrics(0, 0, 0, 0, 0, 0)
        self.losses = RunningLosses(run)
        self.pose_space = ""
        if config.pose:
            self.pose_space = teachers.poses.pose_space if teachers.poses else new_pose_space()

    def _make_fast(self, *, compiled: bool) -> nn.Module:
        """Makes the network fast on its device; returns what runs it."""
        gpu = self.device.type == "cuda"
        if gpu:
            torch.backends.cudnn.benchmark = True
        elif not compiled:
            speed_up_convolutions(self.network)
        if self.config.amp and not bf16_is_fast(self.device):
            name = "GPU" if gpu else "CPU"
            say(f"this {name} has no instructions for bf16: computing in fp32")
        forward: nn.Module = self.network
        if distributed.world() > 1:  # batch norms are joined, so that their statistics are the same
            forward = DistributedDataParallel(self.network, broadcast_buffers=False)
        if not compiled:
            return forward
        compiler = torch._dynamo.config  # it would give up at the ninth size
        compiler.recompile_limit = max(compiler.recompile_limit, most_sizes(self.config))
        return cast(nn.Module, torch.compile(forward, dynamic=False))

    @property
    def done(self) -> float:
        """Share of the training that is over, by steps or by minutes."""
        return self._done_at(self.step)

    def _done_at(self, step: int) -> float:
        minutes = self.config.minutes
        return max(step / self.steps, self.elapsed / 60 / minutes if minutes else 0)

    @property
    def stalled(self) -> bool:
        """Whether so many evaluations in a row were no better that it is time to stop."""
        return self.without_better >= self.config.patience > 0

    def train(self) -> Metrics:
        """Trains to the end; returns the metrics of the best evaluation."""
        config = self.config
        logger = TrainingLogger(
            self.run, config.backbone, step=self.step, steps=self.steps, images=config.images
        )
        if distributed.rank() == 0:
            self.dataset.split.save(self.run / SPLIT)
            DataFolders(self.sources.sketchy, self.sources.more_photos).save(self.run)
        saved = time.monotonic()
        while self.done < 1 and not self.stalled:
            is_evaluated = self._timed_step()
            logger.log_step(self.step, self.done, self.losses.means)
            if is_evaluated:
                metrics = self._evaluate()
                logger.log_evaluation(self.step, self.elapsed, metrics, self.losses.means)
                self.save(keep=config.keep)
                saved = time.monotonic()
            elif self.step % LOG_EVERY == 0 and time.monotonic() - saved > SAVE_EVERY:
                self.save()
                saved = time.monotonic()
        self.batches.close()
        logger.close()
        if self.stalled:
            say(f"stopped at step {self.step}: P@12 has not risen for {config.patience} times")
        return self.best

    def _timed_step(self) -> bool:
        """One step; returns whether an evaluation follows.

        Losses are read only when they are needed, since this waits for the GPU.
        """
        began = time.monotonic()
        self.learn(self.draw())
        self.step += 1

        def add_time() -> None:
            nonlocal began
            now = time.monotonic()
            self.elapsed, began = self.elapsed + now - began, now
            if self.config.minutes:
                self.elapsed = distributed.from_first(self.elapsed)

        add_time()
        is_due = self.step % self.config.eval_every == 0
        if is_due or self.step % LOG_EVERY == 0 or self.done >= 1:
            self.losses.read()
            add_time()  # The time may be over now, where a GPU was waited for.
        return is_due or self.done >= 1

    def draw(self) -> Batch:
        """The next batch, of which this rank has its part."""
        return self.batches.draw(self.step, self._done_at)

    def learn(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One optimizer step; returns the losses, which `losses.read` checks."""
        config = self.config
        if not self.network.training:
            self.network.train()
        # What dropout and drop connect leave out: the same after a stop, and another on each rank.
        seed = np.random.SeedSequence((config.seed, self.step, distributed.rank(), 1))
        torch.manual_seed(int(seed.generate_state(1)[0]))
        terms = loss_terms(config, self.forward, batch)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * learning_rate_share(self.done)
        self.optimizer.step()
        self.average.update()
        found = {name: term.detach() for name, term in terms.items()}
        self.losses.add(self.step, found, norm.detach())
        return found

    def _evaluate(self) -> Metrics:
        """Measures the averaged network, and keeps it if it is the best so far."""
        network = cast(SiameseNetwork, self.average.module)
        metrics = validate(network, self.dataset, self.device, amp=self.config.amp)
        is_better = _order(metrics) > _order(self.best)
        is_saved = is_better
        if is_better and distributed.rank() == 0:
            best = Run(
                self.run,
                self.run / BEST,
                network,
                self.config,
                self.dataset.classes,
                self.step,
                {**asdict(metrics), "minutes": self.elapsed / 60},
                pose_space=self.pose_space,
            )
            is_saved = _try_to_save(lambda: save_best(best))
        self.without_better = 0 if is_better else self.without_better + 1
        if distributed.from_first(is_saved):
            self.best = metrics
        return metrics

    def save(self, keep: int = 0) -> None:
        """Writes `last.pt`, which `resume` reads; see `train.run_files.save_last`."""
        if distributed.rank() > 0:
            return
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "without_better": self.without_better,
            "running": self.losses.means,
            "best": asdict(self.best),
            "identity": self.identity,
            "pose_space": self.pose_space,
        }
        _try_to_save(lambda: save_last(state, self.run, keep))

    def resume(self) -> None:
        """Continues from the run's `last.pt`, if there is one.

        Batches and augmentation depend on the seed, the step and the rank only, the schedule on
        the step or on the minutes of training. So the result is that of a run without a stop.

        Raises:
            DataError: `last.pt` has another configuration or other data.
        """
        path = self.run / LAST
        if not distributed.from_first(path.exists()):
            say(f"{path} is not there yet: this run starts anew")
            return
        state = read_state(path)
        check_identity(self.run, state["identity"], self.identity)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        self.without_better, self.losses.means = state["without_better"], state["running"]
        self.best = Metrics(**state["best"])
        self.pose_space = state["pose_space"]
        say(f"going on from step {self.step}")


def _make_optimizer(config: FitConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Adam, or AdamW with weight decay on matrices only."""
    decay = config.weight_decay if config.optimizer == "adamw" else 0.0
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=config.lr,
        fused=True,
    )


def _try_to_save(save: Callable[[], None]) -> bool:
    """Saves; if that fails, prints a warning, and the training goes on."""
    try:
        save()
    except (DataError, OSError) as error:
        say(f"warning: {error}")
        return False
    return True


def _order(metrics: Metrics) -> tuple[float, float]:
    """Sorts evaluations, the best one last; mAP decides if P@12 is equal."""
    return metrics.precision_at_12, metrics.map
