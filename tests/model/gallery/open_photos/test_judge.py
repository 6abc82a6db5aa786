import numpy as np

from model.gallery.open_photos.judge import most_different


def test_the_most_different_are_far_from_each_other() -> None:
    angles = np.radians([0, 1, 2, 90, 91, 180, 181, 270])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    chosen = most_different(points, 4)
    quarters = {round(float(np.degrees(angles[i])) / 90) for i in chosen}
    assert quarters == {0, 1, 2, 3}
    assert len(most_different(points[:0], 4)) == 0


def test_the_same_photo_is_taken_once() -> None:
    angles = np.radians([0, 1, 90, 91, 92, 180])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    chosen = most_different(points, 6).tolist()
    assert len(chosen) == 3, "cos(2 degrees) is 0.9994"
    assert {round(float(np.degrees(angles[i])) / 90) for i in chosen} == {0, 1, 2}
