"""Two processes, over gloo, give the same results as one."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.train import two_ranks
from train.runs import load_run

SCRIPT = Path(__file__).parent / "two_ranks.py"
ROOT = SCRIPT.parents[2]


def run_ranks(*arguments: object) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def gradients(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    two_ranks.gradients(one)
    run_ranks("gradients", two)
    return one, two


@pytest.mark.parametrize(
    "loss", ["cosface", "distilled", "supcon", "contrastive", "random", "semi-hard", "hard"]
)
def test_gradients_and_statistics_on_two_ranks_are_those_of_the_joined_batch(
    gradients: tuple[Path, Path], loss: str
) -> None:
    one, two = gradients
    expected = torch.load(one / f"{loss}-0.pt", weights_only=True)
    assert expected["loss"] > 0
    largest = max(value.abs().max().item() for key, value in expected.items() if "backbone" in key)
    assert largest > 1e-3
    for rank in (0, 1):
        found = torch.load(two / f"{loss}-{rank}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=0, atol=1e-8, msg=key)


def test_a_run_on_two_ranks_ends_with_equal_weights_and_counts_each_picture_once(
    sketchy: Path, tmp_path: Path
) -> None:
    run_ranks("fit", tmp_path, sketchy)
    first, second = (torch.load(tmp_path / f"fit-{rank}.pt", weights_only=True) for rank in (0, 1))
    for part in ("network", "average"):
        for key, value in first[part].items():
            assert torch.equal(second[part][key], value), key
    assert first["metrics"] == second["metrics"]
    assert first["metrics"][2:] == [45, 15]
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 2
    assert first["embedded"].shape == (29, 8)
    assert torch.equal(first["embedded"], second["embedded"])
    assert len(torch.unique(first["embedded"], dim=0)) == 29


def test_each_rank_knows_what_the_teacher_says_of_the_mixtures_of_all(
    sketchy: Path, tmp_path: Path
) -> None:
    two_ranks.teacher(tmp_path, sketchy)
    run_ranks("mix", tmp_path, sketchy)
    ranks = [torch.load(tmp_path / f"fit-{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert torch.equal(ranks[0]["targets"], ranks[1]["targets"])
    assert ranks[0]["targets"].shape == (8 + 6 + 4 + 4, 8)
    # Teacher and student see images of one size here, so that these are the very mixtures.
    # Of each rank two of photos, then two of sketches.
    mixtures = torch.cat([rank["images"][-4:] for rank in ranks])
    assert not torch.equal(mixtures[:4], mixtures[4:])
    with torch.no_grad():
        said = load_run(tmp_path / "run").network(mixtures)
    torch.testing.assert_close(ranks[0]["targets"][-8:], said, rtol=0, atol=1e-4)
    for key, value in ranks[0]["network"].items():
        assert torch.equal(ranks[1]["network"][key], value), key
