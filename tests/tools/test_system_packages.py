"""Set-up while another program holds dpkg's lock."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.harness.apps import ROOT

LOCKED = (
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 77 (apt-get)\\n"
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another "
    "process using it?"
)
LISTS = "E: Unable to lock directory /var/lib/apt/lists/"
"""What apt says, as seen on Debian 12."""


def install(folder: Path, said: str, fails: int, seconds: int = 60) -> tuple[str, str, list[str]]:
    """Installs `zoo` with an apt-get that fails so often; what is said, and how apt was called."""
    programs = {
        "dpkg-query": "exit 1",
        "sudo": 'exec "$@"',
        "apt-get": f"""echo "$@" >> {folder}/calls
            [ "$(wc -l < {folder}/calls)" -gt {fails} ] && exit 0
            printf '{said}\\n' >&2; exit 100""",
    }
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / "tools" / "system-packages", "zoo"],
        env={**os.environ, "PATH": path, "LOCK_SECONDS": str(seconds)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    return done.stdout, done.stderr, (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("said", [LOCKED, LISTS])
def test_set_up_waits_until_another_program_lets_go_of_the_lock(tmp_path: Path, said: str) -> None:
    stdout, _, calls = install(tmp_path, said, fails=3)
    assert "waiting until another program" in stdout
    assert "could not be installed" not in stdout
    assert [call.split()[0] for call in calls] == ["update"] * 4 + ["install"]


def test_a_lock_that_is_never_let_go_is_said(tmp_path: Path) -> None:
    stdout, stderr, _ = install(tmp_path, LOCKED, fails=99, seconds=1)
    assert "zoo could not be installed" in stdout
    assert "held dpkg's lock for 1 seconds" in stderr


def test_another_failure_is_told_in_apt_s_own_words_and_not_waited_for(tmp_path: Path) -> None:
    stdout, stderr, calls = install(tmp_path, "E: Unable to locate package zoo", fails=99)
    assert "zoo could not be installed" in stdout
    assert "Unable to locate package zoo" in stderr
    assert len(calls) == 2
