"""The training loop: steps, evaluations and saves of one run."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from train import distributed
from train.average import MovingAverage
from train.config import FitConfig
from train.console import say
from train.data.batches import Batches
from train.data.frames import pictures_key
from train.data.material import Domain, Material, Sources
from train.errors import DataError
from train.journal import SHOWN_EVERY, Journal
from train.metrics import Metrics, evaluate_embeddings
from train.networks.convolutions import speed_up_convolutions
from train.networks.siamese import SiameseNetwork
from train.objective import Batch, loss_terms
from train.precision import bf16_is_fast
from train.runs import (
    BEST,
    LAST,
    SPLIT,
    Pictures,
    Run,
    build_network,
    new_pose_space,
    read,
    save_best,
    save_last,
)
from train.schedule import learning_rate_share
from train.teacher import embed

SAVE_EVERY = 180
"""Seconds between saves of `last.pt` at the most."""

SMOOTHED = 0.98
"""Share of the past in the losses that are shown and logged."""

GRADIENT = "the norm of the gradient"


class Trainer:
    """A run: network, optimizer, pictures, and the best evaluation so far."""

    def __init__(
        self,
        config: FitConfig,
        material: Material,
        run: Path,
        device: torch.device,
        sources: Sources,
        mixers: Mapping[str, Run] | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.sources, self.mixers = sources, mixers or {}
        self.config, self.material, self.run, self.device = config, material, run, device
        self.network = build_network(config, len(material.classes), pretrained=config.pretrained)
        self.steps = config.steps
        if config.epochs:
            self.steps = config.epochs * math.ceil(
                len(material.sketches.labels) / config.sketch_batch
            )
        self.step, self.elapsed, self.without_better = 0, 0.0, 0
        self.best = Metrics(0, 0, 0, 0, 0, 0)
        self.running: dict[str, float] = {}
        self._unread: list[tuple[int, dict[str, torch.Tensor]]] = []
        self.identity = self._identity()
        self.pose_space = new_pose_space() if config.pose else ""

    def prepare(self, *, ahead: bool | None = None, compiled: bool = False) -> None:
        """Puts network and pictures on the device, and makes what depends on the weights.

        Args:
            ahead: make the next batch while this one is learned; by default on a GPU.
            compiled: compile the network with `torch.compile`.
        """
        gpu = self.device.type == "cuda"
        if gpu:
            torch.backends.cudnn.benchmark = True
        self.network.to(self.device).to(memory_format=torch.channels_last)
        distributed.join_batch_norms(self.network, self.device)
        self.average = MovingAverage(self.network, self.config.ema)
        if not gpu and not compiled:
            speed_up_convolutions(self.network)
        if self.config.amp and not bf16_is_fast(self.device):
            say("this CPU has no instructions for bf16: computing in fp32")
        self.forward: nn.Module = self.network
        if distributed.world() > 1:  # batch norms are joined, so that their statistics are the same
            self.forward = DistributedDataParallel(self.network, broadcast_buffers=False)
        if compiled:
            self.forward = cast(nn.Module, torch.compile(self.forward, dynamic=False))
        self.optimizer = self._make_optimizer()
        ahead = gpu if ahead is None else ahead
        self.batches = Batches(self.config, self.material, self.device, self.mixers, ahead=ahead)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        decay = self.config.weight_decay if self.config.optimizer == "adamw" else 0.0
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        return torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.config.lr,
            fused=True,
        )

    @property
    def done(self) -> float:
        """Share of the training that is over, by steps or by minutes."""
        return self._done_at(self.step)

    def _done_at(self, step: int) -> float:
        minutes = self.config.minutes
        return max(step / self.steps, self.elapsed / 60 / minutes if minutes else 0)

    def train(self) -> Metrics:
        """Runs what is left."""
        config = self.config
        journal = Journal(
            self.run, config.backbone, step=self.step, steps=self.steps, images=config.images
        )
        if distributed.rank() == 0:
            self.material.split.save(self.run / SPLIT)
            Pictures(self.sources.sketchy, self.sources.more_photos).save(self.run)
        saved = time.monotonic()
        while self.done < 1 and not self.stalled:
            evaluate = self._timed_step()
            journal.stepped(self.step, self.done, self.running)
            if evaluate:
                metrics = self._evaluate()
                journal.evaluated(self.step, self.elapsed, metrics, self.running)
                self._save(keep=config.keep)
                saved = time.monotonic()
            elif self.step % SHOWN_EVERY == 0 and time.monotonic() - saved > SAVE_EVERY:
                self._save()
                saved = time.monotonic()
        self.batches.close()
        journal.close()
        if self.stalled:
            say(f"stopped at step {self.step}: P@12 has not risen for {config.patience} times")
        return self.best

    def _timed_step(self) -> bool:
        """One step; returns whether to evaluate then.

        Losses are read, for which a GPU has to be waited for, where they are needed alone.
        """
        began = time.monotonic()
        self.learn(self.draw())
        self.step += 1

        def pass_time() -> None:
            nonlocal began
            now = time.monotonic()
            self.elapsed, began = self.elapsed + now - began, now
            if self.config.minutes:
                self.elapsed = distributed.from_first(self.elapsed)

        pass_time()
        evaluate = self.step % self.config.eval_every == 0 or self.done >= 1
        if evaluate or self.step % SHOWN_EVERY == 0:
            self.read_losses()
            pass_time()
        return evaluate

    @property
    def stalled(self) -> bool:
        """Whether so many evaluations were no better that it is time to stop."""
        return self.without_better >= self.config.patience > 0

    def learn(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One optimizer step; returns the losses, which `read_losses` checks."""
        config = self.config
        if not self.network.training:
            self.network.train()
        if config.dropout:  # the same after a stop, and another on each rank
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
        self._unread.append((self.step, {**found, GRADIENT: norm.detach()}))
        return found

    def read_losses(self) -> None:
        """Takes the losses since the last call into the running means.

        Raises:
            DataError: one of them, or a gradient, is not finite. It names the first such step.
        """
        if not self._unread:
            return
        steps = [step for step, _ in self._unread]
        names = list(self._unread[0][1])
        rows = torch.stack([torch.stack(list(found.values())) for _, found in self._unread])
        self._unread.clear()
        for step, row in zip(steps, rows.tolist(), strict=True):
            if not all(map(math.isfinite, row)):
                said = ", ".join(f"{n} {v:g}" for n, v in zip(names, row, strict=True))
                raise DataError(
                    f"A loss is not finite at step {step}: {said}. The last good checkpoint is "
                    f"{self.run / LAST}; lower --lr and begin another run."
                )
            for name, value in zip(names, row, strict=True):
                if name != GRADIENT:
                    before = self.running.get(name, value)
                    self.running[name] = SMOOTHED * before + (1 - SMOOTHED) * value

    def draw(self) -> Batch:
        """The part of the next batch that this rank learns from."""
        return self.batches.draw(self.step, self._done_at)

    @torch.no_grad()
    def _evaluate(self) -> Metrics:
        network = cast(SiameseNetwork, self.average.module)

        def rows(domain: Domain, *, mirror: bool) -> NDArray[np.float32]:
            found = embed(network, domain.frames, self.device, amp=self.config.amp, mirror=mirror)
            embedded: NDArray[np.float32] = found.numpy()
            return embedded

        sketches, photos = self.material.held_sketches, self.material.held_photos
        metrics = distributed.from_first(
            evaluate_embeddings(
                rows(sketches, mirror=False),
                rows(photos, mirror=True),
                sketches.labels,
                photos.labels,
                sketches.photo_ids,
                photos.photo_ids,
            )
        )
        better = _order(metrics) > _order(self.best)
        saved = better
        if better and distributed.rank() == 0:
            found = {**asdict(metrics), "minutes": self.elapsed / 60}
            classes = self.material.classes
            saved = _or_say(
                save_best,
                self.run,
                network,
                self.config,
                classes,
                found,
                self.step,
                self.pose_space,
            )
        self.without_better = 0 if better else self.without_better + 1
        if distributed.from_first(saved):
            self.best = metrics
        return metrics

    def _identity(self) -> dict[str, object]:
        """What has to be the same for a run to go on; its length may change."""
        config = asdict(self.config)
        for name in ("steps", "epochs", "minutes", "patience", "keep", "eval_every"):
            del config[name]
        material = self.material
        return {
            **config,
            "the teacher": _which(self.sources.teacher),
            "the teacher of photos": _which(self.sources.photo_teacher),
            "the teacher of poses": _which(self.sources.pose_teacher),
            "the checkpoint to start from": str(self.sources.start or "none"),
            "the classes": material.classes,
            "the held-out pictures": sorted(material.split.validation_ids),
            "the training pictures": [
                pictures_key(d.frames.pictures) for d in material.domains().values()
            ],
        }

    def _save(self, keep: int = 0) -> None:
        if distributed.rank() > 0:
            return
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "without_better": self.without_better,
            "running": self.running,
            "best": asdict(self.best),
            "identity": self.identity,
            "pose_space": self.pose_space,
        }
        _or_say(save_last, state, self.run, keep)

    def resume(self) -> None:
        """Goes on from the run's `last.pt`, if there is one.

        Batches and augmentation depend on the seed, the number of the step and the rank alone,
        the schedule on the step or on the minutes of training so far, so that they go on as if
        nothing had happened.

        Raises:
            DataError: it is of a run with another configuration or other data.
        """
        path = self.run / LAST
        if not distributed.from_first(path.exists()):
            say(f"{path} is not there yet: this run begins anew")
            return
        state = read(path)
        before, now = state["identity"], self.identity
        if before.keys() != now.keys():
            raise DataError(f"{self.run} was begun by another version. Name another --run.")
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if changed:
            short = (str, int, float, bool)
            told = [
                f"{key} was {before.get(key)!r} and is {now[key]!r}"
                if isinstance(now.get(key), short)
                else f"{key} differ"
                for key in sorted(changed)
            ]
            raise DataError(
                f"{self.run} was begun with other settings: {'; '.join(told)}. Give the same ones "
                "to go on with it, or another --run to begin anew."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        self.without_better, self.running = state["without_better"], state["running"]
        self.best = Metrics(**state["best"])
        self.pose_space = state["pose_space"]
        say(f"going on from step {self.step}")


def _which(teacher: Path | None) -> str:
    """Where a teacher is, and when it was written: another one may take its place."""
    if teacher is None:
        return "none"
    return f"{teacher.resolve()}, of {(teacher / BEST).stat().st_mtime_ns}"


def _or_say(save: Callable[..., None], *arguments: object) -> bool:
    """A checkpoint that cannot be written costs a message, not the training."""
    try:
        save(*arguments)
    except (DataError, OSError) as error:
        say(f"warning: {error}")
        return False
    return True


def _order(metrics: Metrics) -> tuple[float, float]:
    """Better checkpoints come last; mAP decides where P@12 is even."""
    return metrics.precision_at_12, metrics.map
