import pytest

from train.config import PRESETS, FitConfig
from train.errors import DataError


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "--steps must be 1 or more"),
        ({"minutes": -1.0}, "--minutes must be 0 or more"),
        ({"seed": -1}, "--seed must be 0 or more"),
        ({"lr": 0.0}, "--lr must be above 0"),
        ({"lr": float("nan")}, "--lr must be above 0"),
        ({"ema": 1.5}, "--ema must be 0 to 1"),
        ({"smoothing": 2.0}, "--smoothing must be 0 to 1"),
        ({"embedding_size": 513}, "at most 512"),
        ({"input_size": 16}, "at least 32 pixels"),
        ({"grow_from": 128}, "at most --input-size"),
        ({"validation": 1.0}, "between 0 and 1"),
        ({"normalise": False}, "needs embeddings on the unit sphere"),
        ({"loss": "triplet", "unlabelled_batch": 4}, "--loss cosface"),
        ({"loss": "triplet", "mixed_sketches": 4}, "--loss cosface"),
        ({"mixed_sketches": 99}, "at most --sketch-batch"),
        ({"backbone": "plain_cnn"}, "--input-size 100"),
        ({"backbone": "plain_cnn", "input_size": 100, "pretrained": True}, "no ImageNet weights"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        FitConfig(**changes)  # type: ignore[arg-type]


def test_presets_are_those_of_the_earlier_systems() -> None:
    report = FitConfig(**PRESETS["report"])  # type: ignore[arg-type]
    assert (report.backbone, report.input_size, report.classes) == ("plain_cnn", 100, "all")
    assert (report.loss, report.optimizer, report.lr) == ("contrastive", "adam", 5e-4)
    assert (report.sketch_batch, report.photos, report.epochs) == (64, 64, 200)
    assert (report.validation, report.validation_photos >= 100) == (0.2, True)
    sketchzoo = FitConfig(**PRESETS["sketchzoo"])  # type: ignore[arg-type]
    assert (sketchzoo.backbone, sketchzoo.embedding_size) == ("resnet34", 16)
    assert (sketchzoo.loss, sketchzoo.loss_margin) == ("contrastive", 2.0)
    assert (sketchzoo.optimizer, sketchzoo.lr, sketchzoo.patience > 0) == ("adam", 1e-4, True)


def test_margins_are_the_usual_ones_unless_given() -> None:
    assert FitConfig().loss_margin == 0.1
    assert FitConfig(loss="contrastive", normalise=False).loss_margin == 2.0
    assert FitConfig(loss="triplet").loss_margin == 0.2
    assert FitConfig(loss="triplet", normalise=False).loss_margin == 1.0
    assert FitConfig(margin=0.35).loss_margin == 0.35
