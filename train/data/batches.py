"""From the rows of a batch to its images, labels and what teachers say of them."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch.nn.functional import interpolate

from train import distributed
from train.config import FitConfig
from train.data.feed import Feed, place, send
from train.data.material import Material
from train.data.sampling import Rows, make_sampler
from train.data.views import photo_views, sketch_views
from train.objective import Batch
from train.runs import Run
from train.schedule import image_size
from train.teacher import mix

LARGE = "large sketches"
"""Name of the sketches that are large enough for a teacher who explains mixtures."""

AHEAD = 2
"""Steps that may wait for the GPU: more would only fill its memory with batches."""


@dataclass(frozen=True)
class _Part:
    """One rank's part of a batch, made without a word to the others.

    Attributes:
        images: `(n, 3, h, w)`: sketches, photos, and what has no label.
        sketch_labels, photo_labels: class numbers, of all ranks.
        sketch_pairs, photo_pairs: their pairs, of all ranks; see `train.data.sampling.Rows`.
        targets: the teachers' projections of the labelled pictures of all ranks.
        poses: a teacher's poses of the photos that are in pairs, of all ranks.
        explained: their projections of the rank's own pictures without a label.
    """

    images: torch.Tensor
    sketch_labels: torch.Tensor
    photo_labels: torch.Tensor
    sketch_pairs: torch.Tensor
    photo_pairs: torch.Tensor
    targets: torch.Tensor | None
    poses: torch.Tensor | None
    explained: torch.Tensor | None


class Batches:
    """Makes the batches of a run, each from the seed and its step alone.

    Args:
        config: of the run.
        material: its pictures, with what teachers say of them.
        device: where batches are made.
        mixers: teachers that explain mixtures of `unlabelled` photos and of `sketches`.
        ahead: make the next batch in a thread, on a GPU also on a stream of its own, while this
            one is learned. It pays where another device learns than the one that prepares.
    """

    def __init__(
        self,
        config: FitConfig,
        material: Material,
        device: torch.device,
        mixers: Mapping[str, Run],
        *,
        ahead: bool,
    ) -> None:
        self.config, self.material, self.device, self.mixers = config, material, device, mixers
        self._sampler = make_sampler(config, material)
        frames = {name: domain.frames for name, domain in material.domains().items()}
        if material.large_sketches is not None:
            frames[LARGE] = material.large_sketches
        self._feeds: Mapping[str, Feed] = place(frames, device)
        self._targets = {
            name: domain.targets.to(device)
            for name, domain in material.domains().items()
            if domain.targets is not None
        }
        poses = material.poses
        self._poses = None if poses is None else poses.to(device)
        self._generator = torch.Generator(device)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" and ahead else None
        if self._stream:  # frames, targets and teachers come by the other stream
            self._stream.wait_stream(torch.cuda.current_stream(device))
        self._thread = ThreadPoolExecutor(1, "batches") if ahead else None
        self._coming: tuple[int, Future[tuple[_Part, torch.cuda.Event | None]]] | None = None
        self._drawn: deque[torch.cuda.Event] = deque()

    def draw(self, step: int, done: Callable[[int], float]) -> Batch:
        """Random views of this rank's part of a batch, and labels and targets of all of it.

        Args:
            step: 0, 1, ...
            done: from a step to the share of the training that is over then.
        """
        if not self._thread:
            return self._complete(self._make(step, done(step))[0])
        if self._coming is None or self._coming[0] != step:
            self._coming = step, self._thread.submit(self._make, step, done(step))
        part, made = self._coming[1].result()
        self._take_over(part, made)
        batch = self._complete(part)
        self._coming = step + 1, self._thread.submit(self._make, step + 1, done(step + 1))
        return batch

    def close(self) -> None:
        """Ends the thread."""
        if self._thread:
            self._thread.shutdown(cancel_futures=True)

    def _make(self, step: int, done: float) -> tuple[_Part, torch.cuda.Event | None]:
        """A part, and when it is there: the GPU makes it after this has returned."""
        if len(self._drawn) > AHEAD:
            self._drawn.popleft().synchronize()
        with torch.cuda.stream(self._stream) if self._stream else nullcontext(), torch.no_grad():
            part = self._part(step, done)
        return part, self._stream.record_event() if self._stream else None

    def _take_over(self, part: _Part, made: torch.cuda.Event | None) -> None:
        """Lets the stream that learns wait for a part, and keeps its memory for that stream."""
        if made:
            learning = torch.cuda.current_stream(self.device)
            learning.wait_event(made)
            self._drawn.append(learning.record_event())
            for tensor in (getattr(part, field.name) for field in fields(part)):
                if tensor is not None:
                    tensor.record_stream(learning)

    def _complete(self, part: _Part) -> Batch:
        """Adds what the other ranks have to say; ranks talk in one thread and one order alone."""
        config, world = self.config, distributed.world()
        labelled = config.sketch_batch // world, config.photos // world
        targets = [] if part.targets is None else [part.targets]
        if part.explained is not None:
            targets.append(distributed.gather(part.explained))
        return Batch(
            part.images,
            (*labelled, len(part.images) - sum(labelled)),
            (part.sketch_labels, part.photo_labels),
            torch.cat(targets) if targets else None,
            (part.sketch_pairs, part.photo_pairs),
            part.poses,
        )

    def _mirrored(self, name: str, rows: Rows) -> torch.Tensor | None:
        """What `sketch_views` and `photo_views` are told, where poses are learned."""
        if not self.config.pose or name == "unlabelled":
            return None
        pairs = rows.sketch_pairs if name == "sketches" else rows.photo_pairs
        return send(np.where(pairs < 0, -1, pairs % 2), self.device)

    def _part(self, step: int, done: float) -> _Part:
        config, material, rank = self.config, self.material, distributed.rank()
        seed = np.random.SeedSequence((config.seed, step, rank)).generate_state(1)
        generator = self._generator.manual_seed(int(seed[0]))
        rows = self._sampler.batch(step)
        mine = rows.part(rank, distributed.world())
        size = image_size(config, done)
        of_photos, of_sketches = self.mixers.get("unlabelled"), self.mixers.get("sketches")
        photo_size = of_photos.config.input_size if of_photos else size
        views, targets, explained = {}, [], []
        for name in material.domains():
            own = getattr(mine, name)
            frames = self._feeds[name].take(own)
            mirrored = self._mirrored(name, mine)
            if name == "sketches":
                views[name] = sketch_views(frames, size, config.augment, generator, mirrored)
            else:
                views[name] = photo_views(frames, photo_size, config.augment, generator, mirrored)
            if name == "unlabelled" and of_photos:
                views[name], said = mix(of_photos, views[name], views["photos"], generator)
                explained.append(said)
            elif name in self._targets and name == "unlabelled":
                explained.append(self._targets[name][send(own, self.device)])
            elif name in self._targets:
                targets.append(self._targets[name][send(getattr(rows, name), self.device)])
        if of_sketches:
            some = mine.sketches[: config.mixed_sketches // distributed.world()]
            frames = self._feeds[LARGE].take(some)
            large = of_sketches.config.input_size
            drawn = sketch_views(frames, large, config.augment, generator)
            views["mixed"], said = mix(of_sketches, drawn, drawn.roll(1, 0), generator)
            explained.append(said)
        for name, view in views.items():
            if view.shape[-1] > size:
                views[name] = interpolate(view, size, mode="area")
        images = torch.cat(list(views.values())).contiguous(memory_format=torch.channels_last)
        return _Part(
            images,
            send(material.sketches.labels[rows.sketches], self.device),
            send(material.photos.labels[rows.photos], self.device),
            send(rows.sketch_pairs, self.device),
            send(rows.photo_pairs, self.device),
            torch.cat(targets) if targets else None,
            self._poses[send(rows.photo_pairs.clip(0), self.device)]
            if self._poses is not None
            else None,
            torch.cat(explained) if explained else None,
        )
