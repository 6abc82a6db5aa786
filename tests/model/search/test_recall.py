import numpy as np
import pytest

from model.search.recall import choose_search_k


@pytest.mark.parametrize(("found", "effort"), [(11, 64), (12, 144)])
def test_the_effort_does_not_grow_for_photos_that_an_index_never_finds(
    found: int, effort: int
) -> None:
    nearest = np.arange(24).reshape(2, 12)

    def find(effort: int) -> list[list[int]]:
        return [row[: found if effort >= 100 else 11].tolist() for row in nearest]

    chosen, share = choose_search_k(find, nearest, 64, 10_000)
    assert (chosen, share) == (effort, found / 12)
