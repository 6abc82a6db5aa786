"""Batches give the same embeddings as single frames; clients take turns; newer frames replace."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.encoder.encoder import Encoder
from model.encoder.head import Embeddings
from model.pictures.framing import Pixels
from server.batching import Batcher
from server.fair_queue import BusyError
from server.metrics import Metrics

SIDE = 32


class Held:
    """An encoder that blocks until the test lets it go. An embedding is its frame's first pixel."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def embed(self, frames: Pixels) -> Embeddings:
        self.batches.append([int(frame[0, 0]) for frame in frames])
        self.begun.release()
        assert self.go.acquire(timeout=20)
        return frames[:, 0, :1].astype(np.float32)


def frame(number: int) -> Pixels:
    return np.full((SIDE, SIDE), number, np.uint8)


@pytest.fixture
def held() -> Held:
    return Held()


Make = Callable[..., Batcher]


@pytest.fixture
def make(held: Held) -> Iterator[Make]:
    """Makes a batcher that is busy with a frame numbered 99."""
    made: list[Batcher] = []

    def batcher(**options: int) -> Batcher:
        passes = options.get("batch", Encoder.BATCH).bit_length()
        held.go.release(passes)  # the passes that warm the encoder up
        made.append(Batcher(held.embed, SIDE, Metrics(), **options))
        for _ in range(passes):
            assert held.begun.acquire(timeout=20)
        made[-1].submit(frame(99), "first")
        assert held.begun.acquire(timeout=20)
        held.batches.clear()
        return made[-1]

    yield batcher
    held.go.release(1000)
    for each in made:
        each.close()


def test_embeddings_do_not_depend_on_the_batch(
    tiny_checkpoint: Checkpoint,
) -> None:
    encoder = tiny_checkpoint.encoder()
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (75, SIDE, SIDE)).astype(np.uint8)
    single = [encoder.embed_frame(each) for each in frames]
    for batch in (1, 7, 32):
        metrics = Metrics()
        batcher = Batcher(encoder.embed_frames, SIDE, metrics, batch=batch)
        futures = [batcher.submit(each, str(i % 5)) for i, each in enumerate(frames)]
        for future, expected in zip(futures, single, strict=True):
            np.testing.assert_allclose(future.result(20), expected, atol=1e-5)
        batcher.close()
        assert metrics.registry.get_sample_value("sketchzoo_batch_size_sum") == len(frames)


def test_waiting_frames_are_embedded_together(make: Make, held: Held) -> None:
    batcher = make()
    futures = [batcher.submit(frame(number), str(number)) for number in range(8)]
    held.go.release(2)
    assert [float(future.result(20)[0]) for future in futures] == list(range(8))
    assert held.batches == [list(range(8))]


def test_a_flood_of_one_client_does_not_starve_another(make: Make, held: Held) -> None:
    batcher = make(batch=4)
    flood = [batcher.submit(frame(1), "flood") for _ in range(100)]
    other = [batcher.submit(frame(2), "other") for _ in range(3)]
    held.go.release(1 + 2)
    assert [future.result(20)[0] for future in other] == [2, 2, 2]
    assert held.batches[0].count(2) == 2
    assert not flood[-1].done()


def test_a_newer_frame_of_a_page_replaces_a_queued_one(make: Make, held: Held) -> None:
    batcher = make(places=1)
    page = [batcher.submit(frame(number), "client", "page") for number in (1, 2, 3)]
    held.go.release(2)
    assert [future.result(20)[0] for future in page] == [3, 3, 3]
    assert held.batches == [[3]]


def test_pages_of_two_clients_are_different_even_with_the_same_name(make: Make, held: Held) -> None:
    batcher = make()
    one = batcher.submit(frame(1), "192.0.2.7")
    same = batcher.submit(frame(2), "192.0.2.7", "page")
    other = batcher.submit(frame(3), "192.0.2.8", "page")
    named = batcher.submit(frame(4), "192.0.2.8", "192.0.2.7")
    held.go.release(2)
    assert [f.result(20)[0] for f in (one, same, other, named)] == [1, 2, 3, 4]


def test_a_client_with_many_pages_does_not_starve_another(make: Make, held: Held) -> None:
    batcher = make(batch=4)
    flood = [batcher.submit(frame(1), "flood", f"page {number}") for number in range(100)]
    other = [batcher.submit(frame(2), "other", "page") for _ in range(2)]
    held.go.release(2)
    assert [future.result(20)[0] for future in other] == [2, 2]
    assert held.batches[0].count(2) == 1
    assert not flood[-1].done()


def test_an_encoder_that_never_works_fails_each_search() -> None:
    def embed(frames: Pixels) -> Embeddings:
        raise RuntimeError("no such kernel")

    batcher = Batcher(embed, SIDE, Metrics())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no such kernel"):
            batcher.submit(frame(1), "one").result(20)
    batcher.close()


def test_a_full_queue_refuses_frames_until_there_is_room(make: Make, held: Held) -> None:
    batcher = make(places=2)
    waiting = [batcher.submit(frame(1), "program") for _ in range(2)]
    assert batcher.trouble == "busy"
    with pytest.raises(BusyError, match="Try again"):
        batcher.submit(frame(1), "program")
    held.go.release(2)
    for future in waiting:
        future.result(20)
    assert batcher.trouble == ""
    held.go.release()
    assert batcher.submit(frame(5), "program").result(20)[0] == 5


def test_a_cancelled_frame_is_not_embedded_and_the_worker_goes_on(make: Make, held: Held) -> None:
    batcher = make()
    gone, stays = batcher.submit(frame(1), "gone"), batcher.submit(frame(2), "stays")
    assert gone.cancel()
    held.go.release(2)
    assert stays.result(20)[0] == 2
    assert held.batches == [[2]]


def test_batch_sizes_are_powers_of_two_and_warmed_up(make: Make, held: Held) -> None:
    sizes: list[int] = []

    def embed(frames: Pixels) -> Embeddings:
        sizes.append(len(frames))
        return frames[:, 0, :1].astype(np.float32)

    batcher = Batcher(embed, SIDE, Metrics(), batch=12)
    batcher.submit(frame(1), "one").result(20)
    batcher.close()
    assert sizes == [8, 4, 2, 1, 1]
    busy = make(batch=12)
    futures = [busy.submit(frame(number), str(number)) for number in range(13)]
    held.go.release(4)
    assert [float(future.result(20)[0]) for future in futures] == list(range(13))
    assert [len(batch) for batch in held.batches] == [8, 4, 1]


def test_an_error_of_the_encoder_reaches_the_caller_and_the_worker_goes_on(held: Held) -> None:
    def embed(frames: Pixels) -> Embeddings:
        if frames[0, 0, 0] == 7:
            raise RuntimeError("out of memory")
        return frames[:, 0, :1].astype(np.float32)

    batcher = Batcher(embed, SIDE, Metrics())
    with pytest.raises(RuntimeError, match="out of memory"):
        batcher.submit(frame(7), "one").result(20)
    assert batcher.submit(frame(8), "one").result(20)[0] == 8
    batcher.close()


def test_closing_embeds_waiting_frames_and_refuses_new_ones(make: Make, held: Held) -> None:
    batcher = make()
    waiting = [batcher.submit(frame(number), "one") for number in range(12)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while batcher.trouble != "stopping":
        closing.join(0.01)
    with pytest.raises(BusyError):
        batcher.submit(frame(1), "late")
    held.go.release(10)
    assert [float(future.result(20)[0]) for future in waiting] == list(range(12))
    closing.join(20)
    assert not closing.is_alive()


def test_a_process_that_ends_while_the_encoder_works_is_not_aborted() -> None:
    program = f"""
from pathlib import Path
from model.checkpoint.checkpoint import Checkpoint
from server.batching import Batcher
from server.metrics import Metrics
encoder = Checkpoint.open(Path({str(SHIPPED)!r})).encoder()
batcher = Batcher(encoder.embed_frames, encoder.input_size, Metrics())
print(batcher.trouble)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "starting\n", "")
