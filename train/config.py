"""The configuration of a run: one frozen dataclass, which also makes the command line."""

import math
import sys
from dataclasses import dataclass
from typing import Literal

from train.errors import DataError
from train.networks.backbones import PLAIN_CNN_SIDE

MAX_SIZE = 1024
"""Pixels a side; more than any of the backbones is made for."""

MAX_EMBEDDING = 512
"""Numbers in an embedding: projection, posterior and pose."""

POSE_GROUP = 16
"""Pairs of one class that are told apart by their poses: 8 photos and their mirror images."""

Loss = Literal["cosface", "supcon", "triplet", "contrastive"]
Mining = Literal["random", "semi-hard", "hard"]
Optimizer = Literal["adamw", "adam"]
Precision = Literal["int8", "fp32"]


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides what a run learns; saved with its checkpoints."""

    backbone: str = "resnet34"
    """Convolutional network."""
    pretrained: bool = False
    """Start from ImageNet weights, where they can be had."""
    classes: str = "animals"
    """Classes: animals (the 55 of Sketchy), mini (5 of them), all, or names with commas."""
    embedding_size: int = 256
    """Numbers in the embedding; cosface appends the posterior, one number a class."""
    normalise: bool = True
    """Put embeddings on the unit sphere; without, they are compared by Euclidean distance."""
    standardise: bool = True
    """Shift and scale each image to zero mean and unit variance, so that modalities differ less."""
    input_size: int = 64
    """Side in pixels of the images the encoder sees."""
    grow_from: int = 0
    """Side to begin with, which grows to the input size over the first half; 0: no growing."""
    steps: int = 12000
    """Optimizer steps."""
    epochs: int = 0
    """As many sketches as so many passes over the training sketches; above 0 it decides the number
    of steps. Batches balanced by class draw half of their sketches by class, not in passes."""
    minutes: float = 0.0
    """Stop after so many minutes of training, with the schedule fitted to it; 0: no limit."""
    patience: int = 0
    """Stop after so many evaluations without a better P@12; 0: never."""
    sketch_batch: int = 64
    """Sketches in a batch, over all processes."""
    photo_batch: int = 48
    """Photos in a batch, over all processes; pairs and random triplets follow the sketches."""
    unlabelled_batch: int = 0
    """Unlabelled photos in a batch; they need a teacher."""
    photo_balance: float = 0.75
    """How photos are drawn: 1 all classes alike, 0 by their size, 0.75 by its fourth root; of one
    class, those of the database twice as often as others. Pairs and random triplets follow the
    classes of their sketches."""
    mix: bool = False
    """Mix each unlabelled photo with a labelled one, and let the teacher see the very mixture."""
    mixed_sketches: int = 0
    """Mixtures of two sketches in a batch, beside the rest of it, that the teacher sees, too; it
    needs one."""
    loss: Loss = "cosface"
    """Loss on labels."""
    mining: Mining = "semi-hard"
    """How the triplet loss finds its negatives."""
    margin: float = -1.0
    """Margin of the loss; below 0: 0.1 for cosface, 2 for contrastive, 0.2 or 1 for triplet."""
    scale: float = 16.0
    """Scale of the cosine softmax and of the class posterior."""
    smoothing: float = 0.05
    """Label smoothing of the cosine softmax."""
    supcon: float = 0.3
    """Weight of a supervised contrastive loss from sketches to photos beside cosface."""
    pose: int = 0
    """Numbers in each cell of the pose, the part of the embedding that tells where things are;
    0: no pose. It is learned from sketches whose very photo is there."""
    pose_cells: int = 2
    """Cells of the pose on each side."""
    pose_weight: float = 0.25
    """What the cosine of two poses counts in a search, beside 1 for the rest."""
    pose_pairs: int = 96
    """Sketches of a batch that come with their very photo, in groups of 16 of one class."""
    pose_loss: float = 1.0
    """Weight of the loss on poses."""
    pose_temperature: float = 0.1
    """Temperature of the loss on poses."""
    labels: float = 1.0
    """Weight of the losses on labels."""
    distil: float = 1.0
    """Weight of the distillation loss, where there is a teacher."""
    optimizer: Optimizer = "adamw"
    """Adam, with decoupled weight decay or without any."""
    lr: float = 1e-3
    """Peak learning rate, reached after a warm-up of 3 % and then lowered as a cosine."""
    weight_decay: float = 0.05
    """Weight decay of AdamW, on matrices only."""
    ema: float = 0.998
    """Decay of the moving average of the weights, which is what gets evaluated and kept."""
    dropout: float = 0.0
    """Share of the backbone's features that are left out of each training image, before the
    projection; below 1."""
    clip: float = 5.0
    """Largest norm of the gradient."""
    augment: float = 1.0
    """Strength of the augmentation, 0 to 1."""
    amp: bool = True
    """Compute in bf16 where it is safe and the device has instructions for it."""
    validation: float = 0.2
    """Share of the photo ids of each class that is held out."""
    validation_photos: int = 12
    """Most photos of a class to hold out."""
    eval_every: int = 500
    """Steps between evaluations on the held-out photos and sketches."""
    keep: int = 1
    """Older checkpoints to keep beside the last and the best."""
    seed: int = 0
    """Seed of the split, the weights, the batches and the augmentation."""

    def __post_init__(self) -> None:
        for names, least, most, told in (
            (_COUNTS, 1, math.inf, "1 or more"),
            (_OPTIONAL, 0, math.inf, "0 or more"),
            (_POSITIVE, math.ulp(0.0), sys.float_info.max, "above 0"),
            (_SHARES, 0, 1, "0 to 1"),
        ):
            for name in names:
                if not least <= getattr(self, name) <= most:
                    raise DataError(f"--{name.replace('_', '-')} is {told}.")
        if self.dropout == 1:
            raise DataError("--dropout is below 1: with 1 nothing is left to learn from.")
        if self.embedding_size > MAX_EMBEDDING:
            raise DataError(f"--embedding-size is at most {MAX_EMBEDDING}.")
        if self.input_size < 32 or 0 < self.grow_from < 32:
            raise DataError("Images are at least 32 pixels wide, which the networks shrink to 1.")
        if self.input_size > MAX_SIZE:
            raise DataError(f"--input-size is at most {MAX_SIZE}.")
        if self.seed >= 1 << 63:
            raise DataError("--seed is below 2^63.")
        if self.pose:
            self._check_pose()
        if not math.isfinite(self.margin):
            raise DataError("--margin is a number.")
        if self.grow_from > self.input_size:
            raise DataError("--grow-from is at most --input-size.")
        if not 0 < self.validation < 1:
            raise DataError("--validation is a share between 0 and 1.")
        if self.loss in ("cosface", "supcon") and not self.normalise:
            raise DataError(f"--loss {self.loss} needs embeddings on the unit sphere: --normalise.")
        if self.unlabelled_batch and self.loss != "cosface":
            raise DataError("Unlabelled photos are learned by distillation: --loss cosface.")
        if self.mix and not self.unlabelled_batch:
            raise DataError("--mix mixes unlabelled photos with others: add --unlabelled-batch.")
        if self.mixed_sketches and self.loss != "cosface":
            raise DataError("Mixtures of sketches are learned by distillation: --loss cosface.")
        if self.mixed_sketches > self.sketch_batch:
            raise DataError("--mixed-sketches is at most --sketch-batch, whose sketches are mixed.")
        if self.backbone == "plain_cnn":
            if self.input_size != PLAIN_CNN_SIDE or self.grow_from:
                raise DataError(
                    f"plain_cnn takes images of {PLAIN_CNN_SIDE} pixels: --input-size "
                    f"{PLAIN_CNN_SIDE}, and no --grow-from."
                )
            if self.pretrained:
                raise DataError("There are no ImageNet weights of plain_cnn: --no-pretrained.")

    def _check_pose(self) -> None:
        if self.loss != "cosface":
            raise DataError("--pose goes with --loss cosface.")
        if self.pose_pairs % POSE_GROUP:
            raise DataError(f"--pose-pairs is a multiple of {POSE_GROUP}.")
        if self.pose_pairs > min(self.sketch_batch, self.photo_batch):
            raise DataError(
                "--pose-pairs is at most --sketch-batch and --photo-batch, which they are part of."
            )

    @property
    def loss_margin(self) -> float:
        """The margin, or the usual one of the loss."""
        if self.margin >= 0:
            return self.margin
        triplet = 0.2 if self.normalise else 1.0
        return {"cosface": 0.1, "contrastive": 2.0, "triplet": triplet, "supcon": 0.0}[self.loss]

    @property
    def images(self) -> int:
        """Images in a batch."""
        return self.sketch_batch + self.photos + self.unlabelled_batch + self.mixed_sketches

    @property
    def photos(self) -> int:
        """Labelled photos in a batch."""
        if self.loss == "contrastive":
            return self.sketch_batch
        if self.loss == "triplet" and self.mining == "random":
            return 2 * self.sketch_batch
        return self.photo_batch


_COUNTS = (
    *("embedding_size", "steps", "sketch_batch", "photo_batch", "eval_every"),
    *("validation_photos", "pose_cells", "pose_pairs"),
)
_OPTIONAL = (
    *("epochs", "minutes", "patience", "unlabelled_batch", "keep", "grow_from", "seed"),
    *("weight_decay", "supcon", "labels", "distil", "mixed_sketches", "pose", "pose_loss"),
)
_POSITIVE = ("lr", "clip", "scale", "pose_weight", "pose_temperature")
_SHARES = ("augment", "photo_balance", "smoothing", "ema", "dropout")

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
"""Settings of the two earlier systems; what they leave open is our choice."""
