"""The configuration of a run: one frozen dataclass, which also makes the command line."""

from dataclasses import dataclass

from train.data import DataError


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides what a run learns; saved with its checkpoints."""

    backbone: str = "resnet34"
    """Convolutional network: resnet18, resnet34, resnet50, resnet101, efficientnet_lite0/2."""
    pretrained: bool = False
    """Start from ImageNet weights."""
    classes: str = "animals"
    """Classes: animals (the 55 of Sketchy), mini (5 of them), all, or names with commas."""
    projection_size: int = 256
    """Numbers in the projection; the embedding adds one a class."""
    input_size: int = 64
    """Side in pixels of the images the encoder sees."""
    steps: int = 12000
    """Optimizer steps."""
    sketch_batch: int = 64
    """Sketches in a batch."""
    photo_batch: int = 48
    """Photos in a batch."""
    unlabelled_batch: int = 0
    """Unlabelled photos in a batch; they need a teacher."""
    lr: float = 1e-3
    """Peak learning rate of AdamW, reached after a warm-up of 3 % and then lowered as a cosine."""
    weight_decay: float = 0.05
    """Weight decay of AdamW, on matrices only."""
    ema: float = 0.998
    """Decay of the moving average of the weights, which is what gets evaluated and kept."""
    augment: float = 1.0
    """Strength of the augmentation, 0 to 1."""
    scale: float = 16.0
    """Scale of the cosine softmax and of the class posterior."""
    margin: float = 0.1
    """Margin of the cosine softmax."""
    smoothing: float = 0.05
    """Label smoothing of the cosine softmax."""
    contrastive: float = 0.3
    """Weight of the contrastive loss from sketches to photos."""
    labels: float = 1.0
    """Weight of the losses on labels."""
    distil: float = 1.0
    """Weight of the distillation loss, where there is a teacher."""
    validation: float = 0.2
    """Share of the photo ids of each class that is held out."""
    validation_photos: int = 12
    """Most photos of a class to hold out."""
    eval_every: int = 500
    """Steps between evaluations on the held-out photos and sketches."""
    seed: int = 0
    """Seed of the split, the weights, the batches and the augmentation."""

    def __post_init__(self) -> None:
        for name in ("projection_size", "steps", "sketch_batch", "photo_batch", "eval_every"):
            if getattr(self, name) < 1:
                raise DataError(f"--{name.replace('_', '-')} is at least 1.")
        if self.input_size < 32:
            raise DataError("--input-size is at least 32, which the networks shrink to 1.")
        if not 0 < self.validation < 1:
            raise DataError("--validation is a share between 0 and 1.")
