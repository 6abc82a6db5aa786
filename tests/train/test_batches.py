"""Batches that are made ahead, and losses that are read later."""

import json
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter

from train.config import FitConfig
from train.data import batches, feed
from train.data.dataset import Dataset, load_dataset
from train.data.feed import HostFrames
from train.data.sources import Sources
from train.errors import DataError
from train.networks.inputs import as_input, to_input
from train.objective import Batch
from train.schedule import image_size
from train.trainer import Trainer

CONFIG = FitConfig(
    backbone="resnet18",
    classes="all",
    embedding_size=8,
    input_size=48,
    grow_from=32,
    steps=6,
    sketch_batch=8,
    photo_batch=6,
    validation=0.5,
    eval_every=3,
    amp=False,
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sources(sketchy: Path, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources(sketchy, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def dataset(sources: Sources) -> Dataset:
    return load_dataset(CONFIG, sources)


def train(dataset: Dataset, sources: Sources, run: Path, *, ahead: bool) -> dict[str, object]:
    trainer = Trainer(CONFIG, dataset, run, CPU, sources, ahead=ahead)
    trainer.train()
    state: dict[str, object] = torch.load(run / "last.pt", weights_only=True)
    return state


def test_a_training_that_makes_batches_ahead_ends_with_the_very_same_weights(
    dataset: Dataset, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers: set[str] = set()
    make = batches.Batches._part

    def recorded(self: batches.Batches, step: int, done: float) -> object:
        makers.add(threading.current_thread().name)
        torch.rand(1000)  # what others draw does not change a batch
        return make(self, step, done)

    at_once = train(dataset, sources, tmp_path / "once", ahead=False)
    monkeypatch.setattr(batches.Batches, "_part", recorded)
    ahead = train(dataset, sources, tmp_path / "ahead", ahead=True)
    assert makers == {"batches_0"}
    for key in ("network", "average"):
        for name, value in at_once[key].items():  # type: ignore[attr-defined]
            assert torch.equal(ahead[key][name], value), name  # type: ignore[index]
    assert ahead["running"] == at_once["running"]


def test_an_error_in_the_thread_ends_the_training(
    dataset: Dataset, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, rows: object) -> None:
        raise DataError("No picture of bat can be read any more.")

    trainer = Trainer(CONFIG, dataset, tmp_path / "run", CPU, sources, ahead=True)
    monkeypatch.setattr(HostFrames, "take", broken)
    with pytest.raises(DataError, match="No picture of bat"):
        trainer.train()


class Poisoned(Trainer):
    """A pixel of the batch of step 23 is not a number."""

    def draw(self) -> Batch:
        batch = super().draw()
        if self.step == 23:
            batch.images[0, 0, 0, 0] = float("nan")
        return batch


def test_a_loss_that_is_no_number_is_found_within_twenty_steps_and_never_saved(
    dataset: Dataset, sources: Sources, tmp_path: Path
) -> None:
    config = replace(CONFIG, steps=200, eval_every=20, input_size=32, grow_from=0)
    trainer = Poisoned(config, dataset, tmp_path / "run", CPU, sources)
    with pytest.raises(DataError, match="not finite at step 23"):
        trainer.train()
    assert 23 < trainer.step <= 23 + 20
    kept = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert kept["step"] == 20
    assert all(bool(torch.isfinite(v).all()) for v in kept["average"].values())
    assert all(np.isfinite(v) for v in kept["running"].values())
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 1


def test_running_means_are_those_of_every_step(
    dataset: Dataset, sources: Sources, tmp_path: Path
) -> None:
    trainer = Trainer(CONFIG, dataset, tmp_path / "run", CPU, sources)
    expected: float | None = None
    for _ in range(5):
        loss = float(trainer.learn(trainer.draw())["cosface"])
        expected = loss if expected is None else 0.98 * expected + 0.02 * loss
        trainer.step += 1
    assert trainer.losses.means == {}
    trainer.losses.read()
    assert trainer.losses.means["cosface"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(5, 40, 40), (5, 40, 40, 3)])
def test_the_input_made_on_the_device_is_the_one_that_the_app_makes(shape: tuple[int, ...]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = as_input(torch.from_numpy(frames))
    assert torch.equal(made, to_input(frames))
    assert made.is_contiguous(memory_format=torch.channels_last)


def test_frames_go_to_the_gpu_while_half_of_its_free_memory_holds_them(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The CPU's memory stands in for that of a GPU."""
    of = {str(kind): frames for kind, frames in dataset.training_frames().items()}
    bytes_of = {
        name: len(frames.pictures) * frames.take(np.array([0])).nbytes
        for name, frames in of.items()
    }
    free = 2 * bytes_of["sketches"] + 100
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    for name in ("DeviceFrames", "HostFrames"):
        real = getattr(feed, name)
        monkeypatch.setattr(
            feed, name, lambda frames, device, *more, real=real: real(frames, CPU, *more)
        )
    placed = feed.place(of, torch.device("cuda"))
    said = "".join(capfd.readouterr())
    assert f"sketches: 45 frames, {bytes_of['sketches'] / 1e9:.2f} GB, are on the GPU" in said
    assert "photos: 15 frames" in said
    assert "stay in the computer's memory" in said
    rows = np.array([7, 0, 7])
    for name, frames in of.items():
        assert np.array_equal(placed[name].take(rows).numpy(), frames.take(rows)), name
    assert type(placed["sketches"]).__name__ == "DeviceFrames"
    assert type(placed["photos"]).__name__ == "HostFrames"


def test_what_dropout_leaves_out_is_the_same_after_a_stop_and_nothing_when_evaluated(
    dataset: Dataset, sources: Sources, tmp_path: Path
) -> None:
    config = replace(CONFIG, dropout=0.5, eval_every=2, steps=4, input_size=32, grow_from=0)
    whole = stop_and_go(config, dataset, sources, tmp_path)
    features = torch.ones(1, 512)
    with torch.no_grad():
        whole.network.train()
        assert not torch.equal(
            whole.network.projection(features), whole.network.projection(features)
        )
        whole.network.eval()
        plain = features @ whole.network.projection.weight.T + whole.network.projection.bias
        torch.testing.assert_close(whole.network.projection(features), plain)
    assert json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[-1])["step"] == 4


def test_what_drop_connect_leaves_out_is_the_same_after_a_stop(
    dataset: Dataset, sources: Sources, tmp_path: Path
) -> None:
    config = replace(
        CONFIG, backbone="efficientnet_lite0", eval_every=2, steps=4, input_size=32, grow_from=0
    )
    stop_and_go(config, dataset, sources, tmp_path)


def stop_and_go(config: FitConfig, dataset: Dataset, sources: Sources, folder: Path) -> Trainer:
    """A run of four steps; another one, stopped after two, must end with the same weights."""

    def run(name: str, seed: int) -> Trainer:
        trainer = Trainer(config, dataset, folder / name, CPU, sources)
        trainer.resume()
        torch.manual_seed(seed)
        trainer.train()
        return trainer

    whole = run("whole", 1)
    trainer = Trainer(config, dataset, folder / "stopped", CPU, sources)
    for _ in range(2):
        trainer.learn(trainer.draw())
        trainer.step += 1
    trainer.losses.read()
    trainer.save()
    stopped = run("stopped", 2)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(stopped.network.state_dict()[name], value), name
    return whole


def test_a_network_is_compiled_for_all_sizes_of_growing_images(
    dataset: Dataset, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 32 to 192 pixels in steps of 16 there are eleven sizes; PyTorch gives up after eight."""
    counter = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counter))
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 8)
    config = replace(CONFIG, input_size=192, grow_from=32)
    trainer = Trainer(config, dataset, tmp_path / "run", CPU, sources, compiled=True)
    sizes = range(32, 193, 16)
    assert {image_size(config, share / 1000) for share in range(1001)} == set(sizes)
    with torch.no_grad():
        for size in sizes:
            trainer.forward(torch.zeros(2, 3, size, size))
    assert counter.frame_count == 11
