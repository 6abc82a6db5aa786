"""The training loop."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from model.encoder import SiameseNetwork
from model.preprocess import Pixels
from train import losses
from train.augment import photo_views, sketch_views
from train.classes import choose_classes
from train.config import FitConfig
from train.data import (
    DataError,
    Picture,
    Split,
    cached_frames,
    list_pictures,
    make_split,
    sketchy_folders,
)
from train.metrics import Metrics, evaluate_embeddings
from train.runs import LAST, SPLIT, Run, build_network, load_run, read, save_atomically, save_best
from train.teacher import project, teacher_targets

CACHED_ABOVE = 1.25
"""Frames are cached this much larger than the input, so that augmentation has room."""

VALIDATION_SKETCHES = 2000
"""Held-out sketches that are embedded at each evaluation during training."""

SAVE_EVERY = 180
"""Seconds between saves of `last.pt` at the most."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Sources:
    """Where the pictures of a run are."""

    sketchy: Path
    more_photos: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    cache: Path = Path("cache")


@dataclass
class Domain:
    """One kind of training picture: frames, class numbers (-1: unknown) and drawing weights."""

    pictures: Sequence[Picture]
    frames: Pixels
    labels: Indices
    weights: NDArray[np.float64]
    targets: torch.Tensor | None = None


def fit(config: FitConfig, sources: Sources, run: Path, teacher: Path | None = None) -> Metrics:
    """Trains an encoder and leaves `split.json`, `log.jsonl`, `last.pt` and `best.pt` in `run`.

    A run that was interrupted goes on from its `last.pt`.

    Returns:
        The metrics of the best evaluation.
    """
    loaded = load_run(teacher) if teacher else None
    run.mkdir(parents=True, exist_ok=True)
    photo_folder, sketch_folder = sketchy_folders(sources.sketchy)
    own = list_pictures(photo_folder, sketches=False)
    more = [p for folder in sources.more_photos for p in list_pictures(folder, sketches=False)]
    sketches = list_pictures(sketch_folder, sketches=True)
    found = {p.label for p in own} & {p.label for p in sketches}
    classes = choose_classes(config.classes, found)
    own, more, sketches = (
        [p for p in pictures if p.label in classes] for pictures in (own, more, sketches)
    )
    split = make_split(
        own + more,
        sketches,
        fraction=config.validation,
        most=config.validation_photos,
        seed=config.seed,
    )
    trainer = Trainer(config, classes, split, run)
    trainer.resume()
    split.save(run / SPLIT)
    trainer.load_pictures(own, more, sketches, sources)
    if loaded is not None:
        trainer.load_teacher(loaded, sources.cache)
    elif config.unlabelled_batch:
        raise DataError("Unlabelled photos teach nothing without a teacher: add --teacher RUN.")
    return trainer.train()


class Trainer:
    """State of a run: network, optimizer, data, and the best evaluation so far."""

    def __init__(self, config: FitConfig, classes: Sequence[str], split: Split, run: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.classes, self.split, self.run = config, list(classes), split, run
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = build_network(config, len(classes), pretrained=config.pretrained)
        self.network.to(self.device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True
        )
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.lr,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._lr_share)
        self.random = np.random.default_rng(config.seed)
        self.step, self.best = 0, Metrics(0, 0, 0, 0, 0, 0)

    def _lr_share(self, step: int) -> float:
        """Linear warm-up over 3 % of the steps, then a cosine down to 1 %."""
        done = step / self.config.steps
        if done < 0.03:
            return max(done / 0.03, 0.01)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.03) / 0.97)))

    def load_pictures(
        self,
        own: Sequence[Picture],
        more: Sequence[Picture],
        sketches: Sequence[Picture],
        sources: Sources,
    ) -> None:
        """Decodes the frames of training and validation pictures."""
        config, split = self.config, self.split
        number = {label: i for i, label in enumerate(self.classes)}
        size = round(config.input_size * CACHED_ABOVE)

        def domain(
            pictures: Sequence[Picture], weights: NDArray[np.float64], drawn: bool
        ) -> Domain:
            frames = cached_frames(pictures, size, sketches=drawn, cache=sources.cache)
            labels = np.array([number.get(p.label, -1) for p in pictures])
            return Domain(pictures, frames, labels, weights / weights.sum())

        train_own, train_more = split.train(own), split.train(more)
        photos = train_own + train_more
        in_class = {label: sum(p.label == label for p in photos) for label in self.classes}
        weights = np.array(
            [
                (2.0 if row < len(train_own) else 1.0) / in_class[p.label] ** 0.5
                for row, p in enumerate(photos)
            ]
        )
        self.photos = domain(photos, weights, False)
        train_sketches = split.train(sketches)
        self.sketches = domain(train_sketches, np.ones(len(train_sketches)), True)
        self.unlabelled = None
        if config.unlabelled_batch:
            extra = [
                p for folder in sources.unlabelled for p in list_pictures(folder, sketches=False)
            ]
            extra = split.train(extra)
            self.unlabelled = domain(extra, np.ones(len(extra)), False)
        held_photos = split.validation([*own, *more])
        held_sketches = split.validation(sketches)
        chosen = np.random.default_rng(0).permutation(len(held_sketches))[:VALIDATION_SKETCHES]
        held_sketches = [held_sketches[i] for i in sorted(chosen)]
        frame = config.input_size
        self.held_photos = cached_frames(held_photos, frame, sketches=False, cache=sources.cache)
        self.held_sketches = cached_frames(held_sketches, frame, sketches=True, cache=sources.cache)
        self.held_labels = (
            np.array([p.label for p in held_sketches]),
            np.array([p.label for p in held_photos]),
        )
        tqdm.write(
            f"{len(self.classes)} classes; training on {len(photos)} photos and "
            f"{len(train_sketches)} sketches; held out {len(held_photos)} photos and "
            f"{len(held_sketches)} sketches"
        )

    def load_teacher(self, teacher: Run, cache: Path) -> None:
        """Takes the teacher's prototypes, and what it says of every training picture.

        Raises:
            DataError: the teacher knows other classes, or was trained on held-out pictures.
        """
        if teacher.classes != self.classes:
            raise DataError(f"The teacher {teacher.folder} knows other classes than this run.")
        if Split.load(teacher.folder / SPLIT) != self.split:
            raise DataError(
                f"The teacher {teacher.folder} has another split, so that it may have seen what is "
                "held out here. Give both runs the same data, --seed and --validation."
            )
        for name, domain in self._domains():
            domain.targets = teacher_targets(teacher, domain.pictures, name, self.device, cache)
        with torch.no_grad():
            self.network.prototypes.copy_(teacher.network.prototypes)
        self.network.prototypes.requires_grad_(False)

    def _domains(self) -> list[tuple[str, Domain]]:
        named = [("sketches", self.sketches), ("photos", self.photos)]
        return named + ([("unlabelled", self.unlabelled)] if self.unlabelled else [])

    def train(self) -> Metrics:
        """Runs all steps that are left."""
        config = self.config
        started, first = time.monotonic(), self.step
        progress = tqdm(total=config.steps, initial=self.step, desc=config.backbone, unit="step")
        saved = time.monotonic()
        running: dict[str, float] = {}
        while self.step < config.steps:
            for name, value in self._train_step().items():
                running[name] = 0.98 * running.get(name, value) + 0.02 * value
            self.step += 1
            progress.update()
            if self.step % 20 == 0:
                images = (self.step - first) * (
                    config.sketch_batch + config.photo_batch + config.unlabelled_batch
                )
                rate = images / (time.monotonic() - started)
                progress.set_postfix(
                    {"images/s": round(rate), **{k: round(v, 3) for k, v in running.items()}}
                )
            if self.step % config.eval_every == 0 or self.step == config.steps:
                self._evaluate(running)
                self._save()
                saved = time.monotonic()
            elif time.monotonic() - saved > SAVE_EVERY:
                self._save()
                saved = time.monotonic()
        progress.close()
        return self.best

    def _train_step(self) -> dict[str, float]:
        config = self.config
        self.network.train()
        chosen = self._choose()
        size, strength = config.input_size, config.augment
        views, labels, targets = [], [], []
        for (name, domain), rows in zip(self._domains(), chosen, strict=True):
            frames = torch.from_numpy(domain.frames[rows]).to(self.device)
            view = sketch_views if name == "sketches" else photo_views
            views.append(view(frames, size, strength))
            labels.append(torch.from_numpy(domain.labels[rows]))
            if domain.targets is not None:
                targets.append(domain.targets[rows])
        batch = torch.cat(views).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            projected = self.network(batch)
        terms = self._losses(projected, torch.cat(labels).to(self.device), targets)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise DataError(
                f"The loss became {loss.item()} at step {self.step}. The last good checkpoint is "
                f"{self.run / LAST}; lower --lr and run again."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return {name: term.item() for name, term in terms.items()}

    def _choose(self) -> list[Indices]:
        """Rows of the next batch: photos by weight, half of the sketches of the same classes."""
        config = self.config
        photos = self.random.choice(
            len(self.photos.labels), config.photo_batch, p=self.photos.weights
        )
        sketches = self.random.integers(len(self.sketches.labels), size=config.sketch_batch)
        half = config.sketch_batch // 2
        labels = self.random.permutation(np.resize(self.photos.labels[photos], half))
        for place, label in enumerate(labels):
            of_label = np.flatnonzero(self.sketches.labels == label)
            sketches[place] = self.random.choice(of_label)
        chosen = [sketches, photos]
        if self.unlabelled:
            chosen.append(
                self.random.integers(len(self.unlabelled.labels), size=config.unlabelled_batch)
            )
        return chosen

    def _losses(
        self, projected: torch.Tensor, labels: torch.Tensor, targets: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        config, terms = self.config, {}
        cosines = self.network.cosines(projected)
        drawn = config.sketch_batch
        labelled = drawn + config.photo_batch
        if config.labels:
            terms["class"] = config.labels * losses.cosine_softmax(
                cosines[:labelled],
                labels[:labelled],
                scale=config.scale,
                margin=config.margin,
                smoothing=config.smoothing,
            )
        if config.labels and config.contrastive:
            terms["pair"] = (config.labels * config.contrastive) * losses.cross_modal_contrastive(
                projected[:drawn],
                projected[drawn:labelled],
                labels[:drawn],
                labels[drawn:labelled],
            )
        if targets:
            wanted = torch.cat(list(targets)).to(self.device)
            terms["distil"] = config.distil * losses.distillation(
                projected, wanted, cosines, self.network.cosines(wanted), scale=config.scale
            )
        return terms

    @torch.no_grad()
    def _evaluate(self, running: dict[str, float]) -> None:
        network: SiameseNetwork = self.average.module  # type: ignore[assignment]
        sketches = network.extend(project(network, self.held_sketches))
        photos = network.extend(project(network, self.held_photos, mirror=True))
        metrics = evaluate_embeddings(sketches.numpy(), photos.numpy(), *self.held_labels)
        line = {"step": self.step, **asdict(metrics), **running}
        with (self.run / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        tqdm.write(
            f"step {self.step}: P@12 {metrics.precision_at_12:.3f}  "
            f"P@1 {metrics.precision_at_1:.3f}  mAP {metrics.map:.3f}"
        )
        if _order(metrics) > _order(self.best):
            self.best = metrics
            save_best(self.run, network, self.config, self.classes, asdict(metrics), self.step)

    def _identity(self) -> dict[str, object]:
        """What has to be the same for a run to go on; the number of steps may change."""
        config = asdict(self.config)
        del config["steps"]
        held_out = sorted(self.split.validation_ids)
        return {**config, "classes": self.classes, "held-out pictures": held_out}

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "best": asdict(self.best),
            "identity": self._identity(),
        }
        save_atomically(state, self.run / LAST)

    def resume(self) -> None:
        """Goes on from the run's `last.pt`, if there is one.

        Raises:
            DataError: it is of a run with another configuration or other data.
        """
        path = self.run / LAST
        if not path.exists():
            return
        state = read(path)
        before, now = state["identity"], self._identity()
        changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if changed:
            raise DataError(
                f"{self.run} was begun with other settings ({', '.join(changed)}). Give the same "
                "ones to go on with it, or another --run to begin anew."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.best = state["step"], Metrics(**state["best"])
        self.random = np.random.default_rng((self.config.seed, self.step))
        tqdm.write(f"going on from step {self.step}")


def _order(metrics: Metrics) -> tuple[float, float]:
    """Better checkpoints come last; mAP decides where P@12 is even."""
    return metrics.precision_at_12, metrics.map
