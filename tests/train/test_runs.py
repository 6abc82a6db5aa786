"""Files of runs, also those of the previous version."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest
import torch

from train.config import FitConfig
from train.errors import DataError
from train.networks.build import build_network
from train.runs import BEST, Run, is_blend, load_run, save_best

CONFIG = FitConfig(backbone="resnet18", embedding_size=4, input_size=32)


def small_run(folder: Path) -> Run:
    torch.manual_seed(0)
    network = build_network(CONFIG, 3, pretrained=False)
    metrics = {"precision_at_12": 0.5, "map": 0.4}
    return Run(folder, folder / BEST, network, CONFIG, ["a", "b", "c"], 7, metrics)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = small_run(tmp_path)
    save_best(written)
    found = load_run(tmp_path)
    assert (found.config, found.classes, found.step) == (CONFIG, ["a", "b", "c"], 7)
    assert (found.metrics, found.blended, found.pose_space) == (written.metrics, False, "")
    for name, value in written.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], value), name
    assert not found.network.training


@pytest.mark.parametrize("blended", [False, True])
def test_a_run_of_the_previous_version_is_read(tmp_path: Path, blended: bool) -> None:
    """It has no `pose_space` and no `blended`; a blend has no metrics."""
    save_best(small_run(tmp_path))
    state = torch.load(tmp_path / BEST, weights_only=True)
    del state["pose_space"], state["blended"]
    state["config"] = {k: v for k, v in asdict(CONFIG).items() if not k.startswith("pose")}
    assert len(state["config"]) < len(fields(FitConfig))
    state["metrics"] = {} if blended else state["metrics"]
    torch.save(state, tmp_path / BEST)
    found = load_run(tmp_path)
    assert (found.blended, found.pose_space, found.config) == (blended, "", CONFIG)
    assert is_blend(tmp_path) == blended
    assert found.metrics == (None if blended else {"precision_at_12": 0.5, "map": 0.4})


def test_a_file_of_another_program_is_named(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, tmp_path / BEST)
    with pytest.raises(DataError, match="was made by another version"):
        load_run(tmp_path)


def test_a_network_for_inference_is_a_copy_that_sees_the_same(tmp_path: Path) -> None:
    network = small_run(tmp_path).network.eval()
    names = set(network.state_dict())
    batch = torch.rand(2, 3, 32, 32)
    folded = network.for_inference(torch.device("cpu"))
    with torch.no_grad():
        torch.testing.assert_close(folded(batch), network(batch), atol=1e-5, rtol=1e-4)
    assert set(network.state_dict()) == names
    assert "backbone.1.running_mean" not in folded.state_dict()
