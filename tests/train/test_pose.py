"""Poses: pairs, their batches and views, the loss, pairs of networks, and a whole training."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import PhotoEncoderInfo
from train.__main__ import main
from train.config import POSE_GROUP, FitConfig
from train.data.pictures import Picture, Split, find_pairs
from train.data.pose_pairs import NO_PAIR, PosePairs
from train.data.sampling import BalancedSampler
from train.data.views import photo_views, sketch_views
from train.errors import DataError
from train.losses import pose_contrastive, supervised_contrastive
from train.networks.pair import first_of, pair_of, set_pose_size
from train.networks.siamese import SiameseNetwork
from train.runs import load_run


def picture(name: str, photo_id: str = "", label: str = "cat") -> Picture:
    return Picture(Path(f"{name}.jpg"), label, photo_id or name)


def test_a_sketch_is_paired_with_its_photo_whatever_stands_before_the_id() -> None:
    photos = [
        picture("n01_7"),
        picture("web_12_n02_8"),
        picture("n03_9"),
        picture("n01_7", label="dog"),
    ]
    sketches = [
        picture("n01_7-1", "n01_7"),
        picture("n02_8-1", "n02_8"),
        picture("n02_8-2", "n02_8"),
        picture("n04_1-1", "n04_1"),
        picture("8-1", "8"),
    ]
    assert find_pairs(sketches, photos).tolist() == [[0, 0], [1, 1], [2, 1]]
    assert find_pairs(sketches[3:4], photos).shape == (0, 2)


def test_a_held_out_photo_is_not_trained_on_under_another_name() -> None:
    split = Split(frozenset({"n02_8", "dog/n03_9"}))
    photos = [picture(name) for name in ("n02_8", "web_n02_8", "n02_88", "web_n03_9")]
    photos.append(picture("web_n03_9", label="dog"))
    assert split.train(photos) == [photos[2], photos[3]]
    assert split.validation(photos, []) == [photos[0]]


PAIRS = np.array([(s, s // 3) for s in range(60)])
"""Three sketches of each of 20 photos: 12 of class 0, 6 of class 1 and 2 of class 2."""

LABELS = np.repeat([0, 1, 2], [12, 6, 2])


def test_pairs_come_in_groups_of_a_class_with_the_mirror_image_of_each_photo() -> None:
    drawer = PosePairs(PAIRS, LABELS, count=3 * POSE_GROUP)
    seen = set()
    for step in range(20):
        sketches, photos, numbers = drawer.draw(np.random.default_rng(step))
        assert (sketches // 3 == photos).all(), "each sketch is of its photo"
        assert (numbers // 2 == photos).all()
        assert (numbers % 2 == np.arange(3 * POSE_GROUP) % 2).all(), "as it is, then mirrored"
        assert (sketches[0::2] != sketches[1::2]).all(), "two sketches of each photo"
        for group in LABELS[photos].reshape(3, POSE_GROUP):
            assert len(set(group.tolist())) == 1
            seen.add(int(group[0]))
        large = photos.reshape(3, POSE_GROUP)[LABELS[photos].reshape(3, -1)[:, 0] == 0]
        assert all(len(set(group.tolist())) == POSE_GROUP // 2 for group in large)
    assert seen == {0, 1, 2}


def test_pairs_are_part_of_a_balanced_batch_on_any_number_of_ranks() -> None:
    sketch_labels = LABELS[PAIRS[:, 1]]
    drawer = PosePairs(PAIRS, LABELS, count=POSE_GROUP)
    sampler = BalancedSampler(
        sketch_labels, LABELS, np.ones(20), batch=40, photos=24, pose_pairs=drawer, seed=1
    )
    rows = sampler.batch(3)
    assert (len(rows.sketches), len(rows.photos)) == (40, 24)
    assert (rows.sketch_pairs >= 0).sum() == (rows.photo_pairs >= 0).sum() == POSE_GROUP
    paired = rows.photo_pairs >= 0
    assert (rows.photo_pairs[paired] // 2 == rows.photos[paired]).all()
    halves = [rows.part(rank, 2) for rank in (0, 1)]
    for name in ("sketches", "photos", "sketch_pairs", "photo_pairs"):
        joined = np.concatenate([getattr(half, name) for half in halves])
        assert (joined == getattr(rows, name)).all()
    plain = BalancedSampler(sketch_labels, LABELS, np.ones(20), batch=40, photos=24, seed=1)
    assert (plain.batch(3).sketch_pairs == NO_PAIR).all()


def test_all_sketches_of_a_batch_may_be_in_pairs() -> None:
    sketch_labels = LABELS[PAIRS[:, 1]]
    for photos in (POSE_GROUP, 24):
        drawer = PosePairs(PAIRS, LABELS, count=POSE_GROUP)
        sampler = BalancedSampler(
            sketch_labels, LABELS, np.ones(20), batch=16, photos=photos, pose_pairs=drawer, seed=1
        )
        rows = sampler.batch(0)
        assert (len(rows.sketches), len(rows.photos)) == (16, photos)
        assert (rows.sketch_pairs >= 0).all()
        assert (LABELS[rows.sketch_pairs // 2] == sketch_labels[rows.sketches]).all()


@pytest.mark.parametrize("ranks", [1, 8])
def test_mixtures_are_rarely_of_one_class(ranks: int) -> None:
    """With 55 classes of 13 photos, of 6 sketches each.

    Two random sketches of 240 are of one group of pairs, of which there are 6 of 16 sketches, with
    probability 6 * (16 / 240) * (15 / 239) = 2.5 %, and otherwise of one class with about 1 / 55;
    they are a photo's two of a pair with 96 / 240 / 239 = 0.2 %, and otherwise of one photo with
    about 1 / 715.
    """
    photo_of_sketch = np.repeat(np.arange(55 * 13), 6)
    labels = np.repeat(np.arange(55), 13)
    pairs = np.stack([np.arange(len(photo_of_sketch)), photo_of_sketch], axis=1)
    sampler = BalancedSampler(
        labels[photo_of_sketch],
        labels,
        np.ones(len(labels)),
        batch=240,
        photos=144,
        pose_pairs=PosePairs(pairs, labels, count=96),
        seed=3,
    )
    same_class, same_photo, paired_photos = [], [], []
    for rows in map(sampler.batch, range(100)):
        for part in (rows.part(rank, ranks) for rank in range(ranks)):
            photos = photo_of_sketch[part.sketches[: 128 // ranks]]
            others = np.roll(photos, 1)
            same_class += (labels[photos] == labels[others]).tolist()
            same_photo += (photos == others).tolist()
            paired_photos += (part.photo_pairs[: 64 // ranks] != NO_PAIR).tolist()
    assert np.mean(same_class) == pytest.approx(0.025 + 1 / 55, abs=0.01)
    assert np.mean(same_photo) == pytest.approx(0.0017 + 1 / 715, abs=0.003)
    assert np.mean(paired_photos) == pytest.approx(96 / 144, abs=0.03)


def test_views_of_a_pair_are_mirrored_together() -> None:
    """A dark left half stays on the left, or is mirrored to the right."""
    frames = np.full((2, 40, 40), 255, np.uint8)
    frames[:, 8:32, 4:20] = 0
    told = torch.tensor([0, 1])
    drawn = sketch_views(torch.from_numpy(frames), 32, 0.0, None, told).mean(dim=(1, 2))
    coloured = torch.from_numpy(np.repeat(frames[..., None], 3, axis=3))
    shown = photo_views(coloured, 32, 0.0, None, told).mean(dim=(1, 2))
    for columns in (drawn, shown):
        left, right = columns[:, :16].mean(dim=1), columns[:, 16:].mean(dim=1)
        assert left[0] < right[0]
        assert left[1] > right[1]


def test_the_loss_is_infonce_over_the_pictures_of_the_class() -> None:
    anchors = functional.normalize(torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64))
    others = functional.normalize(
        torch.tensor([[0.8, 0.6], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    )
    loss = pose_contrastive(
        anchors,
        others,
        torch.tensor([4, NO_PAIR]),
        torch.tensor([4, 5, 6, NO_PAIR]),
        torch.tensor([0, 0]),
        torch.tensor([0, 0, 1, 0]),
        temperature=0.5,
    )
    # The anchor's own photo has cosine 0.8, the other one of its class 0; the third is of another
    # class, the fourth in no pair. The second anchor is in no pair.
    expected = -math.log(math.exp(1.6) / (math.exp(1.6) + math.exp(0.0)))
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_in_one_class_the_loss_is_the_supervised_contrastive_one_of_pairs() -> None:
    torch.manual_seed(0)
    anchors, others = (functional.normalize(torch.randn(12, 5), dim=1) for _ in range(2))
    pairs, one_class = torch.arange(12) // 2, torch.zeros(12, dtype=torch.int64)
    anchors.requires_grad_()
    found = pose_contrastive(anchors, others, pairs, pairs, one_class, one_class, temperature=0.1)
    expected = supervised_contrastive(anchors, others, pairs, pairs)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert anchors.grad is not None
    assert torch.isfinite(anchors.grad).all()


def test_a_pair_of_networks_has_the_projection_of_one_and_the_pose_of_the_other() -> None:
    torch.manual_seed(0)
    animal = SiameseNetwork("efficientnet_lite2", 8, 3).eval()
    pose = SiameseNetwork("efficientnet_lite2", 8, 3, pose=4, pose_weight=0.25).eval()
    pair = pair_of(animal, pose)
    batch = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        rows, projections = pair(batch), animal(batch)
        torch.testing.assert_close(rows[:, :8], projections, atol=1e-5, rtol=0)
        torch.testing.assert_close(rows[:, 8:], pose.poses(pose.maps(batch)), atol=1e-5, rtol=0)
        torch.testing.assert_close(first_of(pair)(batch), projections, atol=1e-5, rtol=0)
    embedded = pair.embed(batch, sketches=False)
    assert pair.size == embedded.shape[1] == 8 + 3 + 16
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(2))


def test_the_network_for_the_pose_of_a_pair_may_see_smaller_photos() -> None:
    torch.manual_seed(0)
    animal = SiameseNetwork("efficientnet_lite2", 8, 3).eval()
    pose = SiameseNetwork("efficientnet_lite2", 8, 3, pose=4, pose_cells=1).eval()
    pair = pair_of(animal, pose)
    set_pose_size(pair, 64)
    small = torch.randn(2, 3, 64, 64)
    doubled = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    with torch.no_grad():
        rows, maps = pair(doubled), pair.maps(doubled)
        assert maps.shape == (2, 2560, 4, 4), "those of the larger photo"
        torch.testing.assert_close(rows[:, :8], animal(doubled), atol=1e-5, rtol=0)
        torch.testing.assert_close(rows[:, 8:], pose.poses(pose.maps(small)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"pose_pairs": 40}, "a multiple of 16"),
        ({"sketch_batch": 64}, "at most --sketch-batch"),
        ({"loss": "triplet"}, "--loss cosface"),
        ({"pose_weight": 0.0}, "--pose-weight must be above 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    settings: dict[str, object], told: str
) -> None:
    FitConfig(pose=8, sketch_batch=96, photo_batch=96)
    with pytest.raises(DataError, match=told):
        FitConfig(**{"pose": 8, "sketch_batch": 96, "photo_batch": 96} | settings)  # type: ignore[arg-type]


def test_a_teacher_of_poses_and_its_student_make_a_checkpoint_that_compares_them(
    sketchy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without ONNX files: those of the pair take long, and test_export checks them."""
    monkeypatch.setattr("train.checkpoints.write_backbone", lambda *given: given[2].touch())
    own = ["--sketchy", str(sketchy), "--cache", str(tmp_path / "cache")]
    settings = "--input-size 32 --classes all --sketch-batch 20 --photo-batch 20 --no-standardise "
    settings += "--validation 0.5 --steps 1 --eval-every 1 --embedding-size 8 --pose-pairs 16 "
    teacher, student, other = (tmp_path / name for name in ("teacher", "student", "other"))

    def fit(run: Path, more: str) -> int:
        return main(["fit", *own, "--run", str(run), *settings.split(), *more.split()])

    def export(*more: str) -> int:
        out = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
        return main(["export", "--precision", "fp32", *out, *more])

    lite = "--backbone efficientnet_lite2 --pose 6"
    assert fit(teacher, lite) == 0
    taught = f"--backbone resnet18 --split {teacher}/split.json --teacher {teacher}"
    assert fit(student, f"{taught} --pose 6 --pose-teacher {teacher}") == 0
    assert "pose_distil" in (student / "log.jsonl").read_text()
    assert load_run(student).pose_space == load_run(teacher).pose_space != ""
    assert fit(other, f"{taught} --pose 6") == 0
    assert fit(tmp_path / "wrong", f"{taught} --pose 5 --pose-teacher {teacher}") == 1
    assert "give this run --pose 6 --pose-cells 2" in capsys.readouterr().err
    assert fit(tmp_path / "large", "--pose 200") == 1
    assert "would have 811 numbers; 512 is the most" in capsys.readouterr().err

    assert export("--run", str(other), "--photo-encoder", str(teacher)) == 1
    assert "cannot be compared" in capsys.readouterr().err
    both = ["--photo-encoder", str(teacher), "--pose-encoder", str(teacher)]
    sizes = ["--photo-size", "64", "--pose-size", "48", "--pose-weight", "0.5"]
    assert export("--run", str(student), *both, *sizes) == 0
    manifest = Checkpoint.open(tmp_path / "out").manifest
    assert manifest.embedding_size == 8 + 3 + 4 * 6
    assert manifest.photo_encoder == PhotoEncoderInfo("efficientnet_lite2_pair", 64, pose_size=48)
    assert manifest.pose is not None
    assert (
        manifest.pose.weight == load_run(tmp_path / "out", photos=True).network.pose_weight == 0.5
    )
    assert (tmp_path / "out" / "encoder.onnx").is_file()

    (tmp_path / "out").rename(tmp_path / "again")
    again = ["--run", str(tmp_path / "again")]
    assert export(*again) == 0
    assert Checkpoint.open(tmp_path / "out").manifest.photo_encoder == manifest.photo_encoder
    for wrong, told in {
        "--pose-size 65": "must be 32 to --photo-size, 64; it is 65",
        "--photo-size 40": "must be 32 to --photo-size, 40; it is 48",
        "--pose-weight 0": "must be above 0; it is 0.0",
    }.items():
        assert export(*again, *wrong.split()) == 1
        assert told in capsys.readouterr().err
    assert export("--run", str(teacher), "--pose-size", "32") == 1
    assert "--pose-size needs a --pose-encoder" in capsys.readouterr().err
