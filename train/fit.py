"""The training loop, for one process or many.

one CPU or GPU:           python -m train fit --sketchy ~/sketchy --run runs/first
eight GPUs:               torchrun --nproc-per-node=8 -m train fit ...
two hosts, eight each:    torchrun --nnodes=2 --node-rank=0 --nproc-per-node=8 \
                              --master-addr=HOST0 -m train fit ...       (and --node-rank=1)
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from train import ranks
from train.batches import Batches
from train.config import FitConfig
from train.convolutions import speed_up_convolutions
from train.data import DataError
from train.frames import pictures_key
from train.journal import Journal, say
from train.material import Domain, Material, Sources, load_material
from train.metrics import Metrics, evaluate_embeddings
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
    read,
    save_best,
    save_last,
)
from train.schedule import learning_rate_share, moving_average
from train.teacher import Teachers, begin_with, project

SAVE_EVERY = 180
"""Seconds between saves of `last.pt` at the most."""

SMOOTHED = 0.98
"""Share of the past in the losses that are shown and logged."""


def fit(
    config: FitConfig, sources: Sources, run: Path, *, device: str = "auto", resume: bool = False
) -> Metrics:
    """Trains an encoder; leaves `split.json`, `log.jsonl`, `last.pt` and `best.pt` in `run`.

    Args:
        device: `auto`, `cpu` or `cuda`.
        resume: go on from the `last.pt` of the run.

    Returns:
        The metrics of the best evaluation.

    Raises:
        DataError: the data, the run's folder or the device are not as they have to be.
    """
    with ranks.process_group(device) as where:
        evaluated = (run / BEST).exists()
        begun = evaluated or (run / LAST).exists()
        blended = evaluated and not read(run / BEST)["metrics"]
        begun, blended = ranks.from_first((begun, blended))
        if blended:
            raise DataError(f"{run} holds a blend, which is not trained on. Name another --run.")
        if begun and not resume:
            raise DataError(
                f"{run} holds a run already. Add --resume to go on with it, or name another --run."
            )
        for name in ("sketch_batch", "photos", "unlabelled_batch", "mixed_sketches"):
            if getattr(config, name) % ranks.world():
                raise DataError(
                    f"A batch of {getattr(config, name)} ({name}) cannot be shared evenly by "
                    f"{ranks.world()} processes."
                )
        if 0 < config.mixed_sketches < 2 * ranks.world():
            raise DataError(
                "Each process mixes its sketches with one another: --mixed-sketches is at least "
                f"{2 * ranks.world()} here."
            )
        _check(config, sources)
        teachers = Teachers.load(sources)
        wanted = {"unlabelled": config.mix, "sketches": config.mixed_sketches > 0}
        mixers = {kind: teachers.of(kind) for kind in wanted if teachers and wanted[kind]}
        mixed = {kind: mixer.config.input_size for kind, mixer in mixers.items()}
        for kind, size in mixed.items():
            if size < config.input_size:
                raise DataError(
                    f"{mixers[kind].folder}, which is to explain mixtures, takes images of {size} "
                    "pixels, fewer than this run. Take another teacher, or a smaller --input-size."
                )
        material = load_material(config, sources, mixed)
        trainer = Trainer(config, material, run, where, sources, mixers)
        if sources.start:
            begin_with(trainer.network, sources.start, trainer.material, teachers)
        if teachers:
            teachers.teach(trainer.network, trainer.material, where, sources.cache, mixed=mixed)
        trainer.prepare()
        if resume:
            trainer.resume()
        return trainer.train()


def _check(config: FitConfig, sources: Sources) -> None:
    """Finds what does not go together before anything is decoded."""
    if bool(config.unlabelled_batch) != bool(sources.unlabelled):
        raise DataError("--unlabelled-photos and --unlabelled-batch need each other.")
    if config.unlabelled_batch and not sources.teacher:
        raise DataError("Unlabelled photos teach nothing without a teacher: add --teacher RUN.")
    if config.mixed_sketches and not sources.teacher:
        raise DataError("--mixed-sketches need one who explains the mixtures: add --teacher RUN.")
    if sources.photo_teacher and not sources.teacher:
        raise DataError("--photo-teacher stands beside a --teacher, who explains the sketches.")
    if not config.labels and not (sources.teacher and config.distil):
        raise DataError(
            "With --labels 0 there is nothing to learn from but a --teacher, with --distil above 0."
        )


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
        self.sources = sources
        self.config, self.material, self.run, self.device = config, material, run, device
        self.network = build_network(config, len(material.classes), pretrained=config.pretrained)
        self.batches = Batches(config, material, device, mixers or {})
        self.steps = config.steps
        if config.epochs:
            self.steps = config.epochs * math.ceil(
                len(material.sketches.labels) / config.sketch_batch
            )
        self.step, self.elapsed, self.without_better = 0, 0.0, 0
        self.best = Metrics(0, 0, 0, 0, 0, 0)
        self.running: dict[str, float] = {}
        self.identity = self._identity()

    def prepare(self) -> None:
        """Puts the network on its device, and makes what depends on its weights."""
        self.network.to(self.device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.network, multi_avg_fn=moving_average(self.config.ema), use_buffers=True
        )
        if self.device.type == "cpu":
            speed_up_convolutions(self.network)
        if self.config.amp and not bf16_is_fast(self.device):
            say("this CPU has no instructions for bf16: computing in fp32")
        ranks.join_batch_norms(self.network, self.device)
        self.forward: nn.Module = self.network
        if ranks.world() > 1:
            self.forward = DistributedDataParallel(self.network)
        decay = self.config.weight_decay if self.config.optimizer == "adamw" else 0.0
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
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
        minutes = self.config.minutes
        return max(self.step / self.steps, self.elapsed / 60 / minutes if minutes else 0)

    def train(self) -> Metrics:
        """Runs what is left."""
        config = self.config
        images = config.images
        journal = Journal(
            self.run, config.backbone, step=self.step, steps=self.steps, images=images
        )
        if ranks.rank() == 0:
            self.material.split.save(self.run / SPLIT)
            Pictures(self.sources.sketchy, self.sources.more_photos).save(self.run)
        saved = time.monotonic()
        while self.done < 1 and not self.stalled:
            began = time.monotonic()
            for name, value in self.learn(self.draw()).items():
                before = self.running.get(name, value)
                self.running[name] = SMOOTHED * before + (1 - SMOOTHED) * value
            self.step += 1
            self.elapsed += time.monotonic() - began
            if config.minutes:
                self.elapsed = ranks.from_first(self.elapsed)
            journal.stepped(self.step, self.done, self.running)
            if self.step % config.eval_every == 0 or self.done >= 1:
                metrics = self._evaluate()
                journal.evaluated(self.step, self.elapsed, metrics, self.running)
                self._save(keep=config.keep)
                saved = time.monotonic()
            elif time.monotonic() - saved > SAVE_EVERY:
                self._save()
                saved = time.monotonic()
        journal.close()
        if self.stalled:
            say(f"stopped at step {self.step}: P@12 has not risen for {config.patience} times")
        return self.best

    @property
    def stalled(self) -> bool:
        """Whether so many evaluations were no better that it is time to stop."""
        return self.without_better >= self.config.patience > 0

    def learn(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; returns the losses.

        Raises:
            DataError: a loss or the gradient is not finite; the weights are left as they were.
        """
        config = self.config
        self.network.train()
        terms = loss_terms(config, self.forward, batch)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise DataError(
                f"The loss became {loss.item()}, and its gradient {norm.item()}, at step "
                f"{self.step}. The last good checkpoint is {self.run / LAST}; lower --lr and begin "
                "another run."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * learning_rate_share(self.done)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return {name: term.item() for name, term in terms.items()}

    def draw(self) -> Batch:
        """The part of the next batch that this rank learns from."""
        return self.batches.draw(self.step, self.done)

    @torch.no_grad()
    def _evaluate(self) -> Metrics:
        network: SiameseNetwork = self.average.module  # type: ignore[assignment]

        def embed(domain: Domain, *, mirror: bool) -> NDArray[np.float32]:
            rows = project(network, domain.frames, self.device, amp=self.config.amp, mirror=mirror)
            embedded: NDArray[np.float32] = network.extend(rows.to(self.device)).cpu().numpy()
            return embedded

        sketches, photos = self.material.held_sketches, self.material.held_photos
        metrics = ranks.from_first(
            evaluate_embeddings(
                embed(sketches, mirror=False),
                embed(photos, mirror=True),
                sketches.labels,
                photos.labels,
            )
        )
        better = _order(metrics) > _order(self.best)
        saved = better
        if better and ranks.rank() == 0:
            found = {**asdict(metrics), "minutes": self.elapsed / 60}
            classes = self.material.classes
            saved = _or_say(save_best, self.run, network, self.config, classes, found, self.step)
        self.without_better = 0 if better else self.without_better + 1
        if ranks.from_first(saved):
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
            "the checkpoint to start from": str(self.sources.start or "none"),
            "the classes": material.classes,
            "the held-out pictures": sorted(material.split.validation_ids),
            "the training pictures": [
                pictures_key(d.frames.pictures) for d in material.domains().values()
            ],
        }

    def _save(self, keep: int = 0) -> None:
        if ranks.rank() > 0:
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
        if not ranks.from_first(path.exists()):
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
