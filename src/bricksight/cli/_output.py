"""Output of all commands to stdout and stderr.

File names, class names and messages of other programs may contain anything. Here control characters
are escaped, so that output cannot control the terminal or fake a line, and characters that the
encoding lacks are escaped too.
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
    """Let the standard streams read and write every file name, with escapes where needed.

    A stream that is closed at the start becomes the null device. Otherwise the next opened file
    would get its descriptor.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Stays open as long as the process runs, like a standard stream.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, errors="backslashreplace")
    # Standard input holds paths, which have the encoding of the file system.
    _reconfigure(sys.stdin, encoding=sys.getfilesystemencoding(), errors="surrogateescape")


def _reconfigure(stream: Any, **settings: str) -> None:
    # io.StringIO and the like have no encoding. On Windows stdin may have been read already.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        stream.reconfigure(**settings)


def say(*lines: str) -> None:
    """Print results to stdout, one line per argument."""
    _write(sys.stdout, lines)


def note(*lines: str) -> None:
    """Print notes and errors to stderr, one line per argument."""
    _write(own_stderr(), lines)


def say_json(content: Any, *, indent: int | None = None) -> None:
    """Print JSON to stdout in its encoding; see ``json_text``."""
    text = json_text(content, indent=indent, encoding=_encoding(sys.stdout))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # a program at the other end of a pipe sees each line at once


class CsvOutput:
    """Prints a CSV table to stdout, with control characters escaped on a terminal."""

    def __init__(self) -> None:
        from bricksight._support.filesystem.csv_files import CsvWriter

        self._writer = CsvWriter(sys.stdout)
        self._shown = printable if sys.stdout.isatty() else encodable

    def write(self, *cells: object) -> None:
        """Print a row."""
        self._writer.write(*(self._shown(one) if isinstance(one, str) else one for one in cells))


def own_stderr() -> TextIO:
    """Return a stream to stderr that works while another thread redirects descriptor 2."""
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
    """A stream that ignores write errors, so that no run fails because of its progress output."""

    def write(self, content: Any, /) -> int:
        """Write what can be written, and drop the rest."""
        with contextlib.suppress(OSError):
            return super().write(content)
        return len(memoryview(content).cast("B"))


def _encoding(stream: TextIO) -> str:
    return stream.encoding or "utf-8"


def _write(stream: TextIO, lines: tuple[str, ...]) -> None:
    stream.write("".join(f"{printable(line)}\n" for line in lines))
