"""The configuration of a run: one frozen dataclass, from which the command line is made."""
# ruff: noqa: RUF009 (`setting` returns a dataclass field)

import math
import sys
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, TypeVar

from train.errors import DataError
from train.networks.names import PLAIN_CNN_SIDE, Backbone

MIN_SIZE, MAX_SIZE = 32, 1024
"""Sides of the images in pixels: backbones shrink 32 pixels to 1, and none is made for more."""

MAX_EMBEDDING = 512
"""Numbers in an embedding: projection, posterior and pose."""

POSE_GROUP = 16
"""Pairs of one class whose poses are compared: 8 photos and their mirror images."""

Loss = Literal["cosface", "supcon", "triplet", "contrastive"]
Mining = Literal["random", "semi-hard", "hard"]
Optimizer = Literal["adamw", "adam"]
Precision = Literal["int8", "fp32"]

T = TypeVar("T")


class Limits(NamedTuple):
    """The values that a setting may have, and how a message names them."""

    low: float
    high: float
    name: str


ANY = Limits(-math.inf, math.inf, "a number")
COUNT = Limits(1, math.inf, "1 or more")
OPTIONAL = Limits(0, math.inf, "0 or more")
POSITIVE = Limits(math.ulp(0.0), sys.float_info.max, "above 0")
SHARE = Limits(0, 1, "0 to 1")


def setting(default: T, text: str, limits: Limits = ANY) -> T:
    """A field of `FitConfig`: its default, its text in `--help`, and the values it may have."""
    described: T = field(default=default, metadata={"help": text, "limits": limits})
    return described


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides what a run learns. It is saved with the run's checkpoints."""

    backbone: Backbone = setting("resnet34", "Convolutional network.")
    pretrained: bool = setting(False, "Start from ImageNet weights, if they are available.")
    classes: str = setting(
        "animals",
        "Classes: animals (the 55 of Sketchy), mini (5 of them), all, or names with commas.",
    )
    embedding_size: int = setting(
        256, "Numbers in the projection. cosface appends the posterior, one number a class.", COUNT
    )
    normalise: bool = setting(
        True,
        "Put projections on the unit sphere. Otherwise they are compared by Euclidean distance.",
    )
    standardise: bool = setting(
        True,
        "Give each image zero mean and unit variance, so that sketches and photos differ less.",
    )
    input_size: int = setting(64, "Side in pixels of the images that the encoder sees.")
    grow_from: int = setting(
        0,
        "Side in pixels at the start. It grows to --input-size over the first half of the run. "
        "0: no growing.",
        OPTIONAL,
    )
    steps: int = setting(12000, "Optimizer steps.", COUNT)
    epochs: int = setting(
        0,
        "Epochs over the training sketches; overrides --steps if above 0. The contrastive loss and "
        "random triplets draw each sketch once an epoch. Other losses have as many steps, but draw "
        "half of the sketches by class, or more with --pose.",
        OPTIONAL,
    )
    minutes: float = setting(
        0.0, "Stop after this many minutes; the schedule fits them. 0: no limit.", OPTIONAL
    )
    patience: int = setting(
        0, "Stop after this many evaluations in a row without a better P@12. 0: never.", OPTIONAL
    )
    sketch_batch: int = setting(64, "Sketches in a batch, over all processes.", COUNT)
    photo_batch: int = setting(
        48,
        "Photos in a batch, over all processes. The contrastive loss and random triplets use one "
        "or two for each sketch instead.",
        COUNT,
    )
    unlabelled_batch: int = setting(
        0, "Unlabelled photos in a batch. They need a --teacher.", OPTIONAL
    )
    photo_balance: float = setting(
        0.75,
        "A class is drawn in proportion to (number of its photos)^(1 - this). 1: all classes "
        "equally; 0: all photos equally. Photos of the Sketchy Database count twice. The "
        "contrastive loss and random triplets follow the classes of the sketches.",
        SHARE,
    )
    mix: bool = setting(
        False, "Mix each unlabelled photo with a labelled one; the teacher sees the same mixture."
    )
    mixed_sketches: int = setting(
        0,
        "Adds this many mixtures of two sketches to each batch; the teacher sees the same ones.",
        OPTIONAL,
    )
    loss: Loss = setting("cosface", "Loss on labels.")
    mining: Mining = setting("semi-hard", "How the triplet loss chooses its negatives.")
    margin: float = setting(
        -1.0,
        "Margin of the loss. Below 0: 0.1 for cosface, 2 for contrastive, 0.2 for triplet "
        "(1 with --no-normalise).",
    )
    scale: float = setting(16.0, "Scale of the cosine softmax and of the posterior.", POSITIVE)
    smoothing: float = setting(0.05, "Label smoothing of the cosine softmax.", SHARE)
    supcon: float = setting(
        0.3, "Weight of a supervised contrastive loss that is added to cosface.", OPTIONAL
    )
    pose: int = setting(
        0,
        "Numbers in each cell of the pose, the part of the embedding that describes the layout. "
        "0: no pose. It is learned from sketches whose own photo is among the photos.",
        OPTIONAL,
    )
    pose_cells: int = setting(2, "Cells of the pose along each side.", COUNT)
    pose_weight: float = setting(
        0.25, "Weight of the pose's cosine in a search; the rest has the weight 1.", POSITIVE
    )
    pose_pairs: int = setting(
        96,
        f"Sketches in a batch that come with their own photo, in groups of {POSE_GROUP} of one "
        "class.",
        COUNT,
    )
    pose_loss: float = setting(1.0, "Weight of the loss on poses.", OPTIONAL)
    pose_temperature: float = setting(0.1, "Temperature of the loss on poses.", POSITIVE)
    labels: float = setting(1.0, "Weight of the losses on labels.", OPTIONAL)
    distil: float = setting(
        1.0, "Weight of the distillation loss, if there is a --teacher.", OPTIONAL
    )
    optimizer: Optimizer = setting("adamw", "Adam, with or without decoupled weight decay.")
    lr: float = setting(
        1e-3, "Peak learning rate: after a warm-up of 3 %, it falls along a cosine.", POSITIVE
    )
    weight_decay: float = setting(0.05, "Weight decay of AdamW, on matrices only.", OPTIONAL)
    ema: float = setting(
        0.998,
        "Decay of the moving average of the weights. The average is evaluated and kept.",
        SHARE,
    )
    dropout: float = setting(
        0.0, "Share of the backbone's features that training drops before the projection.", SHARE
    )
    clip: float = setting(5.0, "Largest norm of the gradient.", POSITIVE)
    augment: float = setting(1.0, "Strength of the augmentation, 0 to 1.", SHARE)
    amp: bool = setting(True, "Compute in bf16 where it is safe and the device supports it.")
    validation: float = setting(0.2, "Share of the photo ids of each class to hold out.")
    validation_photos: int = setting(12, "Maximum number of photos of a class to hold out.", COUNT)
    eval_every: int = setting(500, "Steps between evaluations on the held-out pictures.", COUNT)
    keep: int = setting(
        1, "Older training states (step-*.pt) to keep beside last.pt and best.pt.", OPTIONAL
    )
    seed: int = setting(
        0, "Seed of the split, the weights, the batches and the augmentation.", OPTIONAL
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            limits: Limits = each.metadata["limits"]
            if limits is not ANY and not limits.low <= getattr(self, each.name) <= limits.high:
                raise DataError(f"--{each.name.replace('_', '-')} must be {limits.name}.")
        self._check_numbers()
        self._check_batches()
        if self.pose:
            self._check_pose()
        if self.backbone == "plain_cnn":
            self._check_plain_cnn()

    def _check_numbers(self) -> None:
        if self.dropout == 1:
            raise DataError("--dropout must be below 1: with 1 there is nothing to learn from.")
        if self.embedding_size > MAX_EMBEDDING:
            raise DataError(f"--embedding-size must be at most {MAX_EMBEDDING}.")
        if self.input_size < MIN_SIZE or 0 < self.grow_from < MIN_SIZE:
            raise DataError(f"--input-size and --grow-from must be at least {MIN_SIZE} pixels.")
        if self.input_size > MAX_SIZE:
            raise DataError(f"--input-size must be at most {MAX_SIZE}.")
        if self.grow_from > self.input_size:
            raise DataError("--grow-from must be at most --input-size.")
        if self.seed >= 1 << 63:
            raise DataError("--seed must be below 2^63.")
        if not math.isfinite(self.margin):
            raise DataError("--margin must be a finite number.")
        if not 0 < self.validation < 1:
            raise DataError("--validation must be between 0 and 1.")
        if self.loss in ("cosface", "supcon") and not self.normalise:
            raise DataError(f"--loss {self.loss} needs embeddings on the unit sphere: --normalise.")

    def _check_batches(self) -> None:
        if self.unlabelled_batch and self.loss != "cosface":
            raise DataError("Unlabelled photos are learned by distillation: use --loss cosface.")
        if self.mix and not self.unlabelled_batch:
            raise DataError("--mix mixes unlabelled photos with others: add --unlabelled-batch.")
        if self.mixed_sketches and self.loss != "cosface":
            raise DataError("Mixed sketches are learned by distillation: use --loss cosface.")
        if self.mixed_sketches > self.sketch_batch:
            raise DataError("--mixed-sketches must be at most --sketch-batch: it mixes those.")

    def _check_pose(self) -> None:
        if self.loss != "cosface":
            raise DataError("--pose needs --loss cosface.")
        if self.pose_pairs % POSE_GROUP:
            raise DataError(f"--pose-pairs must be a multiple of {POSE_GROUP}.")
        if self.pose_pairs > min(self.sketch_batch, self.photo_batch):
            raise DataError(
                "--pose-pairs must be at most --sketch-batch and at most --photo-batch: pairs are "
                "part of both."
            )

    def _check_plain_cnn(self) -> None:
        if self.input_size != PLAIN_CNN_SIDE or self.grow_from:
            raise DataError(
                f"plain_cnn takes images of {PLAIN_CNN_SIDE} pixels: use --input-size "
                f"{PLAIN_CNN_SIDE}, and no --grow-from."
            )
        if self.pretrained:
            raise DataError("There are no ImageNet weights of plain_cnn: use --no-pretrained.")

    @property
    def loss_margin(self) -> float:
        """The margin if one is set, else the usual one of the loss."""
        if self.margin >= 0:
            return self.margin
        triplet = 0.2 if self.normalise else 1.0
        return {"cosface": 0.1, "contrastive": 2.0, "triplet": triplet, "supcon": 0.0}[self.loss]

    @property
    def photos(self) -> int:
        """Labelled photos in a batch."""
        if self.loss == "contrastive":
            return self.sketch_batch
        if self.loss == "triplet" and self.mining == "random":
            return 2 * self.sketch_batch
        return self.photo_batch

    @property
    def images(self) -> int:
        """Images in a batch."""
        return self.sketch_batch + self.photos + self.unlabelled_batch + self.mixed_sketches


PRESETS: dict[str, dict[str, object]] = {
    "report": {
        **{"backbone": "plain_cnn", "input_size": 100, "classes": "all", "embedding_size": 16},
        **{"normalise": False, "loss": "contrastive", "optimizer": "adam", "lr": 5e-4},
        **{"sketch_batch": 64, "epochs": 200, "validation": 0.2, "validation_photos": 1000},
        **{"ema": 0.0, "eval_every": 944},
    },
    "sketchzoo": {
        **{"pretrained": True, "input_size": 224, "embedding_size": 16, "normalise": False},
        **{"loss": "contrastive", "optimizer": "adam", "lr": 1e-4, "ema": 0.0},
        **{"sketch_batch": 32, "patience": 10},
    },
}
"""Settings of the two earlier systems. Where they left something open, the choice is ours."""
