"""The other end of ``_worker``: a process for one model file and one number of threads."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bricksight.benchmark._models import ModelFile
from bricksight.errors import BricksightError

_WORKER = Path(__file__).with_name("_worker.py")
_SECONDS_TO_END = 10
_LAST_LINES = 5


class Worker:
    """A process that has loaded a model file and given a first answer.

    Attributes:
        opened: What it said of that; see ``_worker``.
        started_s: Seconds from the start of the process to its first answer.
    """

    def __init__(
        self, model: ModelFile, *, threads: int, photos: Sequence[Path], trust: bool = False
    ) -> None:
        """Start the process.

        Raises:
            BricksightError: the model cannot be loaded, or its runtime is not installed.
        """
        self._name = f"{model.name} in {model.runtime}"
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=_environment(threads),
        )
        try:
            self.opened = self._ask(
                source=str(model.source),
                runtime=model.runtime,
                threads=threads,
                photos=[str(photo) for photo in photos],
                trust=trust,
            )
        except BaseException:
            self.close()
            raise
        self.started_s = time.perf_counter() - start

    def ask(self, question: str, **details: Any) -> dict[str, Any]:
        """Return what the process answers; the questions are the methods of its session.

        Raises:
            BricksightError: it could not answer.
        """
        return self._ask(ask=question, **details)

    def _ask(self, **words: Any) -> dict[str, Any]:
        line = ""
        try:
            self._stdin.write(json.dumps(words) + "\n")
            self._stdin.flush()
            line = self._stdout.readline()
        except BrokenPipeError:
            pass
        if not line:
            raise BricksightError(f"The process for {self._name} {self._end()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BricksightError(answer["error"])
        return answer

    def _end(self) -> str:
        code = self._process.wait(_SECONDS_TO_END)
        self._errors.seek(0)
        last = "\n".join(f"  {line}" for line in self._errors.read().splitlines()[-_LAST_LINES:])
        return f"ended with code {code} before it answered. Its last words:\n{last}"

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            self._stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        self._errors.close()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout


def _environment(threads: int) -> dict[str, str]:
    """Return the environment in which also what takes no setting keeps to ``threads``."""
    # TensorFlow runs SavedModels on threads of the whole process, which only these limit.
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONUTF8": "1"}
