"""The one way to stdout and stderr for every command.

Names of files and classes, and what other programs and servers say, may hold anything. What goes
through here cannot steer the terminal, forge a line, or fail for want of a character.
"""

import contextlib
import functools
import io
import os
import sys
from typing import Any, TextIO

from bricksight._support.text import encodable, json_text, printable

_STDERR = 2


def prepare_streams() -> None:
    """Makes the standard streams take and give every name, escaped where a character is lacking.

    A stream that was closed when the program started becomes the null device, so that no file that
    is opened later gets its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open as long as the process runs, as the stream itself would be.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, errors="backslashreplace")
    # Paths, whatever the encoding of text is.
    _reconfigure(sys.stdin, encoding=sys.getfilesystemencoding(), errors="surrogateescape")


def _reconfigure(stream: Any, **settings: str) -> None:
    # One that is no file, such as io.StringIO, has no encoding. Windows' stdin may be begun.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        stream.reconfigure(**settings)


def say(*lines: str) -> None:
    """Prints results to stdout, an argument a line."""
    _write(sys.stdout, lines)


def note(*lines: str) -> None:
    """Prints remarks and errors to stderr, an argument a line."""
    _write(own_stderr(), lines)


def say_json(content: Any, *, indent: int | None = None) -> None:
    """Prints JSON to stdout, in what its encoding has; see ``json_text``."""
    text = json_text(content, indent=indent, encoding=_encoding(sys.stdout))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # who reads through a pipe sees each line at once


class CsvOutput:
    """Prints a CSV table to stdout: safe to show on a terminal, exact elsewhere."""

    def __init__(self) -> None:
        from bricksight._support.filesystem.csv_files import CsvWriter

        self._writer = CsvWriter(sys.stdout)
        self._shown = printable if sys.stdout.isatty() else encodable

    def write(self, *cells: object) -> None:
        """Prints a row."""
        self._writer.write(*(self._shown(one) if isinstance(one, str) else one for one in cells))


def own_stderr() -> TextIO:
    """Returns stderr, visible also while another thread has descriptor 2 turned elsewhere."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # not a real file, or closed
        if sys.stderr.fileno() == _STDERR:
            return _duplicate_of_stderr()
    return sys.stderr


@functools.cache
def _duplicate_of_stderr() -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Patient(os.dup(_STDERR), "w")),
        encoding=_encoding(sys.stderr),
        errors="backslashreplace",
        line_buffering=True,
    )


class _Patient(io.FileIO):
    """A stream whose reader may go, or whose disk may be full: no run ends for its progress."""

    def write(self, content: Any, /) -> int:
        """Writes what can be written, and drops the rest."""
        with contextlib.suppress(OSError):
            return super().write(content)
        return len(memoryview(content).cast("B"))


def _encoding(stream: TextIO) -> str:
    return stream.encoding or "utf-8"


def _write(stream: TextIO, lines: tuple[str, ...]) -> None:
    stream.write("".join(f"{printable(line)}\n" for line in lines))
