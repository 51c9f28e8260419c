"""CSV tables: no cell runs as a formula in a spreadsheet, and reading restores every cell."""

import csv
import re
from collections.abc import Iterator
from typing import Any, TextIO

_FORMULA = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# Spreadsheets run a cell that begins with one of these as a formula. The writer puts an apostrophe
# in front, which marks text there, and one more if the cell already begins like a guarded one.
_TO_GUARD = re.compile(f"'*{_FORMULA}")
_GUARDED = re.compile(f"'+{_FORMULA}")


class CsvWriter:
    r"""Writes rows as RFC 4180 has them, lines ending with ``\n``.

    Args:
        file: opened with ``newline=""``.
    """

    def __init__(self, file: TextIO) -> None:
        # Before Python 3.13 csv quotes a cell for line ends only if they are in the terminator, so
        # both are; ``_Lines`` writes the plain one.
        self._writer = csv.writer(_Lines(file), lineterminator="\r\n")

    def write(self, *cells: object) -> None:
        """Write a row; text that a spreadsheet would run as a formula gets an apostrophe first."""
        self._writer.writerow([_guarded(one) if isinstance(one, str) else one for one in cells])


class _Lines:
    """Takes the whole rows of a ``csv.writer``."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def read_rows(file: TextIO) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table of ``CsvWriter``: heading → cell as it was given.

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
