import pytest

from train.data.classes import ANIMALS, choose_classes
from train.errors import DataError

FOUND = {*ANIMALS, "teapot", "axe"}


def test_sets_are_the_documented_ones() -> None:
    assert choose_classes("animals", FOUND) == sorted(ANIMALS)
    assert len(ANIMALS) == 55
    assert choose_classes("mini", FOUND) == ["bear", "crocodilian", "jellyfish", "parrot", "spider"]
    assert choose_classes("all", FOUND) == sorted(FOUND)
    assert choose_classes("teapot,bat", FOUND) == ["bat", "teapot"]


@pytest.mark.parametrize(
    ("wanted", "said"), [("teapot,unicorn", "unicorn"), ("mini", "--classes all")]
)
def test_missing_classes_are_named(wanted: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        choose_classes(wanted, {"teapot"})
