import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from train.average import MovingAverage


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def change(trained: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in (*trained.parameters(), *trained.buffers()):
            tensor.fill_(value)


def test_the_average_forgets_its_beginning_and_counts_batches_as_they_are() -> None:
    trained = network()
    average = MovingAverage(trained, 0.9)
    change(trained, 0.0)
    average.update()
    expected = 0.0
    for count in range(1, 60):
        change(trained, 1.0)
        trained.get_buffer("1.num_batches_tracked").fill_(count)
        average.update()
        share = min(0.9, (1 + count) / (10 + count))
        expected = share * expected + (1 - share)
    kept = average.module.state_dict()
    assert kept["0.weight"][2, 1].item() == pytest.approx(expected, abs=1e-6)
    assert kept["1.running_var"][3].item() == pytest.approx(expected, abs=1e-6)
    assert kept["1.num_batches_tracked"].item() == 59
    assert trained.get_parameter("0.weight")[0, 0].item() == 1.0


def test_without_decay_the_average_is_the_network() -> None:
    trained = network()
    average = MovingAverage(trained, 0.0)
    for value in (3.0, 5.0):
        change(trained, value)
        average.update()
    assert average.module.state_dict()["0.bias"].tolist() == [5.0] * 4


def test_runs_of_earlier_versions_kept_the_same_names() -> None:
    earlier = AveragedModel(network(), use_buffers=True)
    assert MovingAverage(network(), 0.9).state_dict().keys() == earlier.state_dict().keys()
