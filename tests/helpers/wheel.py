"""The wheel as users install it, built once."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, timeout: float = 120, fails: bool = False, **environment: str) -> str:
    """Return what a command prints: on stdout, or on stderr if it is expected to fail."""
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=os.environ | environment
    )
    assert (finished.returncode != 0) == fails, finished.stdout + finished.stderr
    return finished.stderr if fails else finished.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source tree."""
    if find_spec("build") is None or find_spec("hatchling") is None:
        pytest.skip("build and hatchling, of the dev group, are not installed")
    folder = tmp_path_factory.mktemp("wheel")
    arguments = ("--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    run(sys.executable, "-m", "build", *arguments)
    (built,) = folder.glob("*.whl")
    return built
