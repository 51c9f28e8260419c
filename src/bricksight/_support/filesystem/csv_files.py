"""CSV tables without formula injection; reading restores the original cells."""

import csv
import re
from collections.abc import Iterator
from typing import Any, TextIO

_FORMULA = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# A spreadsheet runs a cell that begins with one of these as a formula. The writer prepends an
# apostrophe, which marks text, also if the cell already begins with apostrophes and one of these.
_TO_GUARD = re.compile(f"'*{_FORMULA}")
_GUARDED = re.compile(f"'+{_FORMULA}")


class CsvWriter:
    r"""CSV writer by RFC 4180, except that lines end with ``\n``.

    Args:
        file: opened with ``newline=""``.
    """

    def __init__(self, file: TextIO) -> None:
        # Before Python 3.13, csv quotes only those line breaks that are in the terminator. So the
        # terminator is \r\n here, and ``_Lines`` writes \n.
        self._writer = csv.writer(_Lines(file), lineterminator="\r\n")

    def write(self, *cells: object) -> None:
        """Write a row; an apostrophe is put before text that a spreadsheet would run."""
        self._writer.writerow([_guarded(one) if isinstance(one, str) else one for one in cells])


class _Lines:
    r"""Writes the rows of a ``csv.writer`` with ``\n`` at the end."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def read_rows(file: TextIO) -> Iterator[dict[str, Any]]:
    """Read the rows of a table written by ``CsvWriter``: heading → original cell.

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
