"""Runs on one process or two; writes the results of each rank.

python -m torch.distributed.run --nproc-per-node=2 two_ranks.py gradients FOLDER
python -m torch.distributed.run --nproc-per-node=2 two_ranks.py fit FOLDER SKETCHY
python -m torch.distributed.run --nproc-per-node=2 two_ranks.py mix FOLDER SKETCHY
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel

from train import distributed
from train import fit as fitting
from train.config import FitConfig
from train.data.frames import load_frames
from train.data.pictures import list_pictures, sketchy_folders
from train.data.pose_pairs import NO_PAIR
from train.data.sampling import BatchRows
from train.data.sources import Sources
from train.embedding import project
from train.metrics import Metrics
from train.networks.build import build_network
from train.objective import Batch, loss_terms
from train.trainer import Trainer

LOSSES: dict[str, dict[str, object]] = {
    "cosface": {},
    "distilled": {"unlabelled_batch": 4},
    "supcon": {"loss": "supcon"},
    "contrastive": {"loss": "contrastive", "normalise": False},
    "random": {"loss": "triplet", "mining": "random", "normalise": False, "margin": 1.0},
    "semi-hard": {"loss": "triplet", "mining": "semi-hard", "margin": 0.5},
    "hard": {"loss": "triplet", "mining": "hard", "margin": 0.5},
}


def gradients(folder: Path) -> None:
    """Gradients of one step on a fixed batch, in fp64, for every loss."""
    for name, changes in LOSSES.items():
        config = FitConfig(
            backbone="resnet18",
            embedding_size=8,
            sketch_batch=8,
            photo_batch=12,
            amp=False,
            **changes,  # type: ignore[arg-type]
        )
        torch.manual_seed(1)
        network = build_network(config, 3, pretrained=False).double().train()
        random = np.random.default_rng(0)
        counts = (config.sketch_batch, config.photos, config.unlabelled_batch)
        images = [torch.from_numpy(random.normal(size=(n, 3, 32, 32))) for n in counts]
        labels = [torch.from_numpy(random.integers(3, size=n)) for n in counts[:2]]
        if name == "random":
            labels[1][0::2], labels[1][1::2] = labels[0], (labels[0] + 1) % 3
        targets = None
        if name == "distilled":
            targets = torch.nn.functional.normalize(
                torch.from_numpy(random.normal(size=(sum(counts), 8))), dim=1
            )
        whole = (np.arange(n) for n in counts)
        no_pairs = (np.full(n, NO_PAIR) for n in counts[:2])
        mine = BatchRows(*whole, *no_pairs).part(distributed.rank(), distributed.world())
        own = [torch.from_numpy(r) for r in (mine.sketches, mine.photos, mine.unlabelled)]
        batch = Batch(
            torch.cat([part[rows] for part, rows in zip(images, own, strict=True)]),
            (len(own[0]), len(own[1]), len(own[2])),
            labels[0],
            labels[1],
            targets,
        )
        distributed.join_batch_norms(network, torch.device("cpu"))
        forward = DistributedDataParallel(network) if distributed.world() > 1 else network
        terms = loss_terms(config, forward, batch)
        torch.stack(list(terms.values())).sum().backward()
        found = {k: p.grad for k, p in network.named_parameters() if p.requires_grad}
        found |= {key: b for key, b in network.named_buffers() if b.is_floating_point()}
        found["loss"] = torch.stack(list(terms.values())).sum().detach()
        torch.save(found, folder / f"{name}-{distributed.rank()}.pt")


class Recorded(Trainer):
    """Writes the weights of every rank, and its projections of some photos."""

    folder: Path
    sketchy: Path
    batch: Batch

    def draw(self) -> Batch:
        self.batch = super().draw()
        return self.batch

    def train(self) -> Metrics:
        best = super().train()
        photos = list_pictures(sketchy_folders(self.sketchy)[0], sketches=False)[:29]
        frames = load_frames(photos, 32, sketches=False, cache=self.folder / "cache")
        found = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "metrics": [best.precision_at_12, best.map, best.sketches, best.photos],
            "embedded": project(self.network, frames, self.device, amp=True),
            "images": self.batch.images,
            "targets": self.batch.targets,
        }
        torch.save(found, self.folder / f"fit-{distributed.rank()}.pt")
        return best


CONFIG = FitConfig(
    backbone="resnet18",
    classes="all",
    embedding_size=8,
    input_size=32,
    steps=4,
    sketch_batch=8,
    photo_batch=6,
    validation=0.5,
    eval_every=2,
)

EXACT = replace(CONFIG, amp=False)
"""In fp32, so that what the teacher says is the same to the last digits."""


def teacher(folder: Path, sketchy: Path) -> None:
    """Trains the teacher of `mix`, on one process."""
    fitting.fit(EXACT, Sources(sketchy, cache=folder / "cache"), folder / "run", device="cpu")


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    if what == "gradients":
        with distributed.process_group("cpu"):
            gradients(folder)
        return
    Recorded.folder, Recorded.sketchy = folder, Path(sys.argv[3])
    fitting.Trainer = Recorded  # type: ignore[attr-defined]
    sources = Sources(Recorded.sketchy, cache=folder / "cache")
    if what == "mix":
        photos = sketchy_folders(Recorded.sketchy)[0]
        taught = replace(sources, unlabelled=(photos,), teachers=(folder / "run",))
        config = replace(EXACT, unlabelled_batch=4, mix=True, mixed_sketches=4)
        fitting.fit(config, taught, folder / "student", device="cpu")
    else:
        fitting.fit(CONFIG, sources, folder / "run", device="cpu")


if __name__ == "__main__":
    main()
