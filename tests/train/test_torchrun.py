"""The commands for many GPUs in docs/training.md, on CPUs over gloo."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.harness.apps import free_port
from tests.train.fitting import export_fp32
from train.runs import load_run

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^ +(torchrun .+)$", (ROOT / "docs" / "training.md").read_text(), re.M)
TINY = (
    "--classes bat,cow,eel --backbone resnet18 --embedding-size 8 --input-size 32 --sketch-batch 8 "
    "--photo-batch 6 --validation 0.5 --device cpu"
)


@pytest.fixture
def home(sketchy: Path, tmp_path: Path) -> Path:
    """A home folder with the data where the document expects them."""
    (tmp_path / "sketchy").symlink_to(sketchy)
    return tmp_path


def start(command: str, home: Path, port: int = 0) -> "subprocess.Popen[str]":
    """Starts a command in a shell."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        **({"PET_MASTER_PORT": str(port)} if port else {}),
    }
    return subprocess.Popen(
        ["bash", "-c", command],
        cwd=home,
        env=environment,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def output(process: "subprocess.Popen[str]", seconds: float = 240) -> str:
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def two_hosts(home: Path, more: str) -> Iterator["subprocess.Popen[str]"]:
    """The document's commands for two hosts, with one process each, on this host."""
    port = free_port()
    for command in COMMANDS[1:3]:
        local = command.replace("HOST0", "127.0.0.1").replace("per-node=8", "per-node=1")
        yield start(f"{local} {TINY} {more}", home, port)


def rank_of(run: str, rank: int) -> int:
    """The process id of a rank that trains in this folder."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            told = (folder / "environ").read_bytes().split(b"\0")
            at_home = (folder / "cwd").readlink() == Path(run)
        except OSError:
            continue
        if at_home and f"RANK={rank}".encode() in told and b"-m" in words and b"train" in words:
            return int(folder.name)
    raise AssertionError(f"no process is rank {rank}")


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, output(process)
        time.sleep(0.1)


def last(run: Path) -> dict[str, object]:
    state: dict[str, object] = torch.load(run / "last.pt", weights_only=True)
    return state


def test_the_document_says_how_to_train_on_two_gpus_and_on_two_hosts() -> None:
    assert len(COMMANDS) == 3
    assert all("-m -- train fit " in command for command in COMMANDS)


def test_two_processes_train_by_the_command_of_the_document(home: Path, run: Path) -> None:
    """With further options, which torchrun would take as abbreviations of its own."""
    assert export_fp32(run, home / "start") == 0
    split = ["--split", str(run / "split.json")]
    more = ["--start", "start", *split, "--resume", "--steps", "4", "--eval-every", "2"]
    command = [COMMANDS[0], TINY, "--embedding-size", str(load_run(run).config.embedding_size)]
    process = start(" ".join([*command, *more]), home)
    said = output(process)
    assert process.returncode == 0, said
    assert said.count("best P@12 on held-out photos and sketches") == 1
    assert last(home / "runs" / "two-gpus")["step"] == 4


def test_two_hosts_train_by_the_commands_of_the_document(home: Path) -> None:
    hosts = list(two_hosts(home, "--steps 4 --eval-every 2"))
    said = [output(host) for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], said
    assert "best P@12" in said[0]
    assert "best P@12" not in said[1]
    assert last(home / "runs" / "two-hosts")["step"] == 4


def test_a_rank_that_is_killed_ends_the_others_of_its_host_and_is_named(home: Path) -> None:
    process = start(f"{COMMANDS[0]} {TINY} --steps 100000 --eval-every 2", home)
    wait_for(home / "runs" / "two-gpus" / "last.pt", process)
    os.kill(rank_of(str(home), 1), signal.SIGKILL)
    said = output(process)
    assert process.returncode != 0
    assert re.search(r"rank +: 1 ", said)
    assert "Signal 9" in said
    assert last(home / "runs" / "two-gpus")["step"]


def test_a_rank_that_is_killed_ends_those_of_other_hosts_and_is_named(home: Path) -> None:
    first, second = two_hosts(home, "--steps 100000 --eval-every 2")
    wait_for(home / "runs" / "two-hosts" / "last.pt", first)
    os.kill(rank_of(str(home), 1), signal.SIGKILL)
    said = output(first), output(second)
    assert first.returncode != 0
    assert second.returncode != 0
    assert f"error: Rank 1 on host {socket.gethostname()} has died" in said[0]
    assert "with --resume go on" in said[0]
    assert "Signal 9" in said[1]


def test_a_rank_that_fails_tells_the_other_hosts_why(home: Path) -> None:
    first, second = two_hosts(home, "--steps 100000 --eval-every 2 --lr 1e30")
    said = output(first), output(second)
    assert first.returncode != 0
    assert second.returncode != 0
    for text in said:
        assert "A loss is not finite at step" in text
