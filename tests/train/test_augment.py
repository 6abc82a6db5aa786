import torch

from model.pictures.framing import MEAN, STD
from tests.harness.pictures import fish
from train.data.views import photo_views, sketch_views


def restored(views: torch.Tensor) -> torch.Tensor:
    return views * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)


def frames(count: int) -> torch.Tensor:
    import numpy as np

    return torch.from_numpy(np.stack([np.asarray(fish(80, 2))] * count))


def test_without_strength_a_sketch_is_itself_or_its_mirror_image() -> None:
    torch.manual_seed(0)
    page = frames(16)
    views = restored(sketch_views(page, 80, 0.0))
    plain = page[0].float() / 255
    mirrored = 0
    for view in views[:, 0]:
        as_is, flipped = (view - plain).abs().max(), (view - plain.flip(1)).abs().max()
        assert min(as_is, flipped) < 1e-4
        mirrored += int(flipped < as_is)
    assert 2 <= mirrored <= 14


def test_sketch_views_differ_and_most_keep_paper_white() -> None:
    torch.manual_seed(0)
    views = restored(sketch_views(frames(64), 64))
    assert views.shape == (64, 3, 64, 64)
    white = (views[:, 0] > 1 - 1e-5).float().mean(dim=(1, 2)) > 0.5
    assert 0.8 < white.float().mean() < 0.99
    assert (views[0] - views[1]).abs().max() > 0.5
    assert views.min() < 0.3


def test_some_sketches_are_half_drawn_and_framed_anew() -> None:
    torch.manual_seed(0)
    page = torch.full((300, 80, 80), 255, dtype=torch.uint8)
    page[:, 6:10, 6:74] = 0  # two bars; with the lower one gone, the upper one is the drawing
    page[:, 70:74, 6:74] = 0
    ink = (restored(sketch_views(page, 80, 1.0))[:, 0] < 0.5).float()
    middle = ink[:, 30:50].mean(dim=(1, 2))
    outside = ink[:, :20].mean(dim=(1, 2)) + ink[:, 60:].mean(dim=(1, 2))
    half_drawn = (middle > 0.02) & (outside < 0.02)
    assert 0.05 < half_drawn.float().mean() < 0.3


def test_photo_views_stay_in_range_and_differ() -> None:
    torch.manual_seed(0)
    photos = torch.randint(0, 256, (8, 80, 80, 3), dtype=torch.uint8)
    views = restored(photo_views(photos, 64))
    assert views.shape == (8, 3, 64, 64)
    assert views.min() > -1e-5
    assert views.max() < 1 + 1e-5
    assert (views[0] - views[1]).abs().max() > 0.1
