"""From the rows of a batch to its images, labels, and what teachers say of them."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, fields

import numpy as np
import torch

from train import distributed
from train.config import FitConfig
from train.data.dataset import Dataset, Kind
from train.data.feed import place, send
from train.data.frames import Indices
from train.data.pose_pairs import mirroring
from train.data.sampling import BatchRows, make_sampler
from train.data.views import photo_views, sketch_views
from train.mixing import mix, shrunk
from train.objective import Batch
from train.runs import Run
from train.schedule import image_size
from train.teacher import Targets

LARGE = "large sketches"
"""Name of the feed of sketches for mixtures."""

AHEAD = 2
"""Steps that may wait for the GPU: more would only fill its memory with batches."""


@dataclass(frozen=True)
class _Part:
    """One rank's part of a batch, made without communication.

    Attributes:
        images: `(n, 3, h, w)`: sketches, photos, and images without a label.
        sketch_labels, photo_labels: class numbers, of all ranks.
        targets: the teachers' projections of the labelled pictures of all ranks.
        sketch_pairs, photo_pairs: pair numbers, of all ranks; see `train.data.pose_pairs`.
        poses: a teacher's poses of the photos of all ranks.
        unlabelled_targets: the teachers' projections of the rank's own images without a label.
    """

    images: torch.Tensor
    sketch_labels: torch.Tensor
    photo_labels: torch.Tensor
    targets: torch.Tensor | None
    sketch_pairs: torch.Tensor | None
    photo_pairs: torch.Tensor | None
    poses: torch.Tensor | None
    unlabelled_targets: torch.Tensor | None


class Batches:
    """Makes the batches of a run, each from the seed and its step only.

    Args:
        config: of the run.
        dataset: its pictures.
        targets: what teachers say of them.
        mixers: teachers of mixtures of `unlabelled` photos and of `sketches`, on the device.
        device: where batches are made.
        ahead: make the next batch in a thread while this one is learned; on a GPU, on a stream of
            its own. This helps if the learning runs on another device than the preparation.
    """

    def __init__(
        self,
        config: FitConfig,
        dataset: Dataset,
        targets: Targets,
        mixers: Mapping[Kind, Sequence[Run]],
        device: torch.device,
        *,
        ahead: bool,
    ) -> None:
        self.config, self.dataset, self.device, self.mixers = config, dataset, device, mixers
        self._sampler = make_sampler(config, dataset)
        frames = {str(kind): each for kind, each in dataset.training_frames().items()}
        if dataset.large_sketches is not None:
            frames[LARGE] = dataset.large_sketches
        self._feeds = place(frames, device)
        self._targets = targets.to(device)
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
        """A part, and an event for when it is there: the GPU finishes it after this returns."""
        if len(self._drawn) > AHEAD:
            self._drawn.popleft().synchronize()
        with torch.cuda.stream(self._stream) if self._stream else nullcontext(), torch.no_grad():
            part = self._part(step, done)
        return part, self._stream.record_event() if self._stream else None

    def _take_over(self, part: _Part, made: torch.cuda.Event | None) -> None:
        """Makes the stream that learns wait for a part, and keeps its memory for that stream."""
        if made:
            learning = torch.cuda.current_stream(self.device)
            learning.wait_event(made)
            self._drawn.append(learning.record_event())
            for tensor in (getattr(part, field.name) for field in fields(part)):
                if tensor is not None:
                    tensor.record_stream(learning)

    def _complete(self, part: _Part) -> Batch:
        """Adds the other ranks' targets; only the main thread may communicate with them."""
        config, world = self.config, distributed.world()
        labelled = config.sketch_batch // world, config.photos // world
        targets = [] if part.targets is None else [part.targets]
        if part.unlabelled_targets is not None:
            targets.append(distributed.gather(part.unlabelled_targets))
        return Batch(
            part.images,
            (*labelled, len(part.images) - sum(labelled)),
            part.sketch_labels,
            part.photo_labels,
            torch.cat(targets) if targets else None,
            part.sketch_pairs,
            part.photo_pairs,
            part.poses,
        )

    def _part(self, step: int, done: float) -> _Part:
        rank = distributed.rank()
        seed = np.random.SeedSequence((self.config.seed, step, rank)).generate_state(1)
        generator = self._generator.manual_seed(int(seed[0]))
        rows = self._sampler.batch(step)
        views, unlabelled_targets = self._views(
            rows.part(rank, distributed.world()), image_size(self.config, done), generator
        )
        labelled: dict[Kind, Indices] = {"sketches": rows.sketches, "photos": rows.photos}
        targets = [
            self._targets.projections[kind][self._send(kind_rows)]
            for kind, kind_rows in labelled.items()
            if kind in self._targets.projections
        ]
        sketch_pairs = photo_pairs = poses = None
        if self.config.pose:
            sketch_pairs, photo_pairs = self._send(rows.sketch_pairs), self._send(rows.photo_pairs)
        if self._targets.poses is not None:
            poses = self._targets.poses[self._send(rows.photo_pairs.clip(0))]
        return _Part(
            torch.cat(views).contiguous(memory_format=torch.channels_last),
            self._send(self.dataset.sketches.labels[rows.sketches]),
            self._send(self.dataset.photos.labels[rows.photos]),
            torch.cat(targets) if targets else None,
            sketch_pairs,
            photo_pairs,
            poses,
            torch.cat(unlabelled_targets) if unlabelled_targets else None,
        )

    def _views(
        self, rows: BatchRows, size: int, generator: torch.Generator
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Images of the rank's own rows, and targets of those without a label.

        Args:
            rows: the rank's own.
            size: side of the images in pixels.
            generator: of the device.
        """
        config, strength = self.config, self.config.augment
        mixers, sketch_mixers = self.mixers.get("unlabelled"), self.mixers.get("sketches")
        photo_size = _largest(mixers) if mixers else size
        sketches = sketch_views(
            self._feeds["sketches"].take(rows.sketches),
            size,
            strength,
            generator,
            self._mirroring(rows.sketch_pairs),
        )
        photos = photo_views(
            self._feeds["photos"].take(rows.photos),
            photo_size,
            strength,
            generator,
            self._mirroring(rows.photo_pairs),
        )
        views, targets = [sketches, photos], []
        if self.dataset.unlabelled is not None:
            frames = self._feeds["unlabelled"].take(rows.unlabelled)
            unlabelled = photo_views(frames, photo_size, strength, generator)
            if mixers:
                unlabelled, target = mix(mixers, unlabelled, photos, generator)
            else:
                target = self._targets.projections["unlabelled"][self._send(rows.unlabelled)]
            views.append(unlabelled)
            targets.append(target)
        if sketch_mixers:
            frames = self._feeds[LARGE].take(
                rows.sketches[: config.mixed_sketches // distributed.world()]
            )
            large = sketch_views(frames, _largest(sketch_mixers), strength, generator)
            mixed, target = mix(sketch_mixers, large, large.roll(1, 0), generator)
            views.append(mixed)
            targets.append(target)
        return [shrunk(view, size) for view in views], targets

    def _mirroring(self, pairs: Indices) -> torch.Tensor | None:
        return self._send(mirroring(pairs)) if self.config.pose else None

    def _send(self, values: Indices) -> torch.Tensor:
        return send(values, self.device)


def _largest(teachers: Sequence[Run]) -> int:
    """Side in pixels of the largest images that one of the teachers takes."""
    return max(teacher.config.input_size for teacher in teachers)
