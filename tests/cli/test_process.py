"""A command as a process: signals, closed and full streams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams and shells of POSIX")

COMMANDS = [
    "--help",
    "train --help",
    "retrain --help",
    "backbones",
    "check photos --no_contact_sheets",
]


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(line: str, streams: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a shell, with the streams as the shell turns them."""
    command = f'"{sys.executable}" -m bricksight {line} {streams}'
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("line", COMMANDS)
def test_stdout__a_closed_pipe_ends_the_command_without_a_word(
    line: str, photo_folder: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # nobody will ever read
    command = [sys.executable, "-m", "bricksight", *line.split()]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("line", COMMANDS)
def test_stdout__a_full_disk_is_one_line_and_exit_code_1(line: str, photo_folder: Path) -> None:
    done = run(line, "> /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "bricksight: stdout cannot be written (No space left on device)."
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("streams", ["2>&-", "2> /dev/full", "2> >(true)"])
def test_stderr__progress_that_nobody_reads_ends_nothing(streams: str, photo_folder: Path) -> None:
    done = run("check photos --json", streams)
    assert done.returncode == 0
    assert json.loads(done.stdout)["num_photos"] == 24


def test_stderr__an_error_that_nobody_reads_has_its_exit_code(photo_folder: Path) -> None:
    assert run("check nowhere", "2>&-").returncode == 1
    assert run("check", "2>&-").stdout == ""


def test_sigterm__ends_a_command_as_ctrl_c_does(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "import bricksight.cli as cli\n"
        "threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()\n"
        "sys.exit(cli.main(['check', sys.argv[1]]))\n"
    )
    photos = tmp_path / "many"
    for label in ("a", "b"):
        (photos / label).mkdir(parents=True)
        for number in range(1500):
            (photos / label / f"{number}.jpg").write_bytes(os.urandom(30_000))
    done = subprocess.run(
        [sys.executable, "-c", code, str(photos)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 143
    assert done.stderr.splitlines()[-1] == "bricksight: Interrupted."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many"]
