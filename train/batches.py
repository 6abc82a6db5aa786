"""From the rows of a batch to its images, labels and what teachers say of them."""

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn.functional import interpolate

from train import ranks
from train.augment import photo_views, sketch_views
from train.config import FitConfig
from train.material import Material
from train.objective import Batch
from train.runs import Run
from train.sampling import make_sampler
from train.schedule import image_size
from train.teacher import mix


class Batches:
    """Makes the batches of a run, each from the seed and its step alone.

    Args:
        config: of the run.
        material: its pictures.
        device: where batches are made.
        mixers: teachers that explain mixtures of `unlabelled` photos and of `sketches`.
    """

    def __init__(
        self,
        config: FitConfig,
        material: Material,
        device: torch.device,
        mixers: Mapping[str, Run],
    ) -> None:
        self.config, self.material, self.device = config, material, device
        self.mixers = mixers
        self.sampler = make_sampler(config, material)

    def draw(self, step: int, done: float) -> Batch:
        """Random views of this rank's part of a batch, and labels and targets of all of it.

        Args:
            step: 0, 1, ...
            done: share of the training that is over.
        """
        config, material, rank = self.config, self.material, ranks.rank()
        seed = np.random.SeedSequence((config.seed, step, rank)).generate_state(1)
        torch.manual_seed(int(seed[0]))
        rows = self.sampler.batch(step)
        mine = rows.part(rank, ranks.world())
        size = image_size(config, done)
        of_photos, of_sketches = self.mixers.get("unlabelled"), self.mixers.get("sketches")
        photo_size = of_photos.config.input_size if of_photos else size
        views, targets, explained = {}, [], []
        for name, domain in material.domains().items():
            own = getattr(mine, name)
            frames = torch.from_numpy(domain.frames.take(own)).to(self.device)
            if name == "sketches":
                views[name] = sketch_views(frames, size, config.augment)
            else:
                views[name] = photo_views(frames, photo_size, config.augment)
            if name == "unlabelled" and of_photos:
                views[name], said = mix(of_photos, views[name], views["photos"])
                explained.append(said)
            elif domain.targets is not None and name == "unlabelled":
                explained.append(domain.targets[own].to(self.device))
            elif domain.targets is not None:
                targets.append(domain.targets[getattr(rows, name)].to(self.device))
        if of_sketches:
            assert material.large_sketches is not None
            some = mine.sketches[: config.mixed_sketches // ranks.world()]
            frames = torch.from_numpy(material.large_sketches.take(some)).to(self.device)
            drawn = sketch_views(frames, of_sketches.config.input_size, config.augment)
            views["mixed"], said = mix(of_sketches, drawn, drawn.roll(1, 0))
            explained.append(said)
        if explained:
            targets.append(ranks.gather(torch.cat(explained)))
        for name, large in views.items():
            if large.shape[-1] > size:
                views[name] = interpolate(large, size, mode="area")
        images = torch.cat(list(views.values())).contiguous(memory_format=torch.channels_last)
        labelled = len(mine.sketches), len(mine.photos)
        return Batch(
            images,
            (*labelled, len(images) - sum(labelled)),
            (
                torch.from_numpy(material.sketches.labels[rows.sketches]).to(self.device),
                torch.from_numpy(material.photos.labels[rows.photos]).to(self.device),
            ),
            torch.cat(targets) if targets else None,
        )
