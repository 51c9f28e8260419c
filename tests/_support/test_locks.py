"""The lock of a file that several processes want."""

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bricksight.backbones.downloads.lock import locked

HOLD = """
import pathlib, sys, time
from bricksight.backbones.downloads.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_locked__says_once_who_holds_it_and_goes_on_when_it_dies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".f.lock"
    with hold(path) as other, caplog.at_level(logging.WARNING):
        killer = threading.Timer(0.7, os.kill, (other.pid, signal.SIGKILL))
        killer.start()
        with locked(path):
            assert other.wait() == -signal.SIGKILL, "the lock was had before it was given up"
        killer.join()
        if other.stdout is not None:
            other.stdout.close()
    (message,) = caplog.messages
    assert message.startswith(f"Waiting for process {other.pid} on ")
    assert message.endswith(f"), which holds the lock {path}.")


def test_locked__is_silent_where_nobody_holds_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "new" / ".f.lock"
    for _ in range(2):
        with locked(path):
            assert path.read_text().startswith(f"process {os.getpid()} on ")
    assert caplog.messages == []


@pytest.mark.parametrize("content", [b"", b"\x1b]0;evil\x07\xff", b"x" * 10_000])
def test_locked__shows_a_strangers_text_on_one_safe_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / ".f.lock"
    with hold(path) as other:
        path.write_bytes(content)
        threading.Timer(0.2, os.kill, (other.pid, signal.SIGKILL)).start()
        with locked(path):
            pass
        if other.stdout is not None:
            other.stdout.close()
    (message,) = caplog.messages
    assert message.isprintable()
    assert len(message) < 500
