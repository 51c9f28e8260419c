"""CSV tables that spreadsheets open without running a cell, and that are read back exactly."""

import csv
import re
from collections.abc import Iterator
from typing import Any, TextIO

_FORMULA = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# A cell that begins so is run as a formula. In front of one stands an apostrophe, which
# spreadsheets take for "text", and in front of what looks like that already stands one more.
_TO_GUARD = re.compile(f"'*{_FORMULA}")
_GUARDED = re.compile(f"'+{_FORMULA}")


class CsvWriter:
    r"""Writes rows as RFC 4180 has them, lines ending with ``\n``.

    Args:
        file: opened with ``newline=""``.
    """

    def __init__(self, file: TextIO) -> None:
        # Before Python 3.13 only characters of the terminator are reason to quote a cell, and both
        # ends of a line are.
        self._writer = csv.writer(_Lines(file), lineterminator="\r\n")

    def write(self, *cells: object) -> None:
        """Writes a row; text that a spreadsheet would run as a formula gets an apostrophe first."""
        self._writer.writerow([_guarded(one) if isinstance(one, str) else one for one in cells])


class _Lines:
    """Takes the whole rows of a ``csv.writer``."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def read_rows(file: TextIO) -> Iterator[dict[str, Any]]:
    """Yields the rows of a table of ``CsvWriter``: heading → cell as it was given.

    Args:
        file: opened with ``newline=""``.
    """
    for row in csv.DictReader(file):
        yield {
            name: cell[1:] if isinstance(cell, str) and _GUARDED.match(cell) else cell
            for name, cell in row.items()
        }


def _guarded(cell: str) -> str:
    return f"'{cell}" if _TO_GUARD.match(cell) else cell
