"""The cache: shared by two runs, listed and pruned."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from train.__main__ import main
from train.data.cache import entries
from train.data.frames import load_frames
from train.data.pictures import Picture, list_pictures, sketchy_folders

ROOT = Path(__file__).parents[2]

DECODE = """
import sys
from pathlib import Path
import numpy as np
import train.data.frames
from train.data.pictures import list_pictures, sketchy_folders
real = train.data.frames._store
def slowly(*arguments):
    print("decoding", flush=True)
    sys.stdin.readline()
    return real(*arguments)
train.data.frames._store = slowly
pictures = list_pictures(sketchy_folders(Path(sys.argv[1]))[1], sketches=True)
frames = train.data.frames.load_frames(pictures, 40, sketches=True, cache=Path(sys.argv[2]))
print(int(frames.take(np.arange(len(pictures))).astype(np.int64).sum()), flush=True)
if sys.argv[3:]:
    sys.stdin.read()
"""


def decode(sketchy: Path, cache: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DECODE, str(sketchy), str(cache), *more],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_runs_that_begin_at_once_decode_once_and_see_the_same(
    sketchy: Path, tmp_path: Path
) -> None:
    first = decode(sketchy, tmp_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "decoding\n"
    second = decode(sketchy, tmp_path)
    assert second.stdout is not None
    assert "another run is making sketches-40px-" in second.stdout.readline()
    said = [run.communicate("\n", timeout=300)[0] for run in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "decoding" not in said[1]
    sums = {out.strip() for out in said}
    pictures = list_pictures(sketchy_folders(sketchy)[1], sketches=True)
    frames = load_frames(pictures, 40, sketches=True, cache=tmp_path / "own")
    assert sums == {str(frames.take(np.arange(len(pictures))).astype(np.int64).sum())}


def test_a_run_that_is_killed_while_it_decodes_leaves_the_work_to_the_next(
    sketchy: Path, tmp_path: Path
) -> None:
    first = decode(sketchy, tmp_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "decoding\n"
    second = decode(sketchy, tmp_path)
    first.kill()
    first.communicate()
    out, err = second.communicate("\n", timeout=300)
    assert second.returncode == 0, err
    assert "decoding" in out


STUCK = """
import os, sys, time
from pathlib import Path
import train.data.frames
from train.data.pictures import list_pictures, sketchy_folders
def frame_file(path, *, size, sketches):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(600)
train.data.frames.frame_file = frame_file
pictures = list_pictures(sketchy_folders(Path(sys.argv[1]))[1], sketches=True)
train.data.frames.load_frames(pictures, 40, sketches=True, cache=Path(sys.argv[2]))
"""


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie that nobody waits for."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_processes_that_decode_end_with_a_run_that_is_killed_and_the_next_run_goes_on(
    sketchy: Path, tmp_path: Path, how: signal.Signals
) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(sketchy), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert first.stdout is not None
    workers = {int(first.stdout.readline())}
    first.send_signal(how)
    workers |= {int(pid) for pid in first.communicate(timeout=60)[0].split()}
    pictures = list_pictures(sketchy_folders(sketchy)[1], sketches=True)
    script = DECODE.replace("sys.stdin.readline()", "")
    second = subprocess.run(
        [sys.executable, "-c", script, str(sketchy), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    frames = load_frames(pictures, 40, sketches=True, cache=tmp_path / "own")
    total = int(frames.take(np.arange(len(pictures))).astype(np.int64).sum())
    assert second.stdout.split()[-1] == str(total)
    assert not any(map(is_running, workers))
    assert not list(tmp_path.glob(".*.tmp")), "the file that was begun is written over"


def fill(pictures: list[Picture], cache: Path) -> None:
    for size in (32, 40):
        load_frames(pictures, size, sketches=True, cache=cache)


def test_the_cache_is_listed_and_what_no_run_has_used_is_deleted(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    code = (
        "import sys; from pathlib import Path; from tests.train.test_cache import fill; "
        "from train.data.pictures import list_pictures, sketchy_folders; "
        "fill(list_pictures(sketchy_folders(Path(sys.argv[1]))[1], sketches=True), "
        "Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(sketchy), str(cache)], cwd=ROOT, check=True)
    (cache / "notes.txt").write_text("my own")
    old = next(cache.glob("sketches-32px-*.npy"))
    long_ago = time.time() - 40 * 24 * 3600
    for path in cache.glob(f"{old.stem}*"):
        os.utime(path, (long_ago, long_ago))
    command = ["cache", "--cache", str(cache)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "used   40.0 days ago  sketches-32px-" in said
    bytes_kept = sum(path.stat().st_size for path in cache.glob("*.npy"))
    assert f"2 files, {bytes_kept / 1e9:.2f} GB" in said
    assert main([*command, "--unused", "30"]) == 0
    assert "deleted 1 files" in capsys.readouterr().out
    assert [entry.path.name[:13] for entry in entries(cache)] == ["sketches-40px"]
    assert not list(cache.glob("*32px*"))
    assert (cache / "notes.txt").read_text() == "my own"
    assert main([*command, "--unused", "nan"]) == 1
    assert "--unused must be a number of days" in capsys.readouterr().err
    assert main(["cache", "--cache", str(tmp_path / "none")]) == 1
    assert "is not there" in capsys.readouterr().err


def test_what_a_run_uses_is_kept(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = decode(sketchy, tmp_path, "stay")
    assert run.stdout is not None
    assert run.stdout.readline() == "decoding\n"
    assert run.stdin is not None
    run.stdin.write("\n")
    run.stdin.flush()
    assert int(run.stdout.readline()) > 0
    command = ["cache", "--cache", str(tmp_path), "--unused", "0"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "deleted 0 files" in said
    assert "kept, since a run uses it: sketches-40px-" in said
    run.communicate()
    assert main(command) == 0
    assert "deleted 1 files" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
