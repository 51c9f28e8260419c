"""LEGO part numbers in class names: 3068b of "3068b_tile_2x2", its variants, its mirror image."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

_NUMBER = re.compile(r"([a-z]?\d+)([a-z]\d*)?(?![a-z0-9])", re.IGNORECASE)
_BEFORE_A_NAME = re.compile(r"[a-z]?(\d+)[a-z]?\d*(?:_|$)", re.IGNORECASE)

MIRRORED_PARTS = (
    ("24299", "24307"),
    ("29119", "29120"),
    ("41747", "41748"),
    ("41749", "41750"),
    ("41764", "41765"),
    ("41769", "41770"),
    ("41767", "41768"),
    ("43710", "43711"),
    ("43720", "43721"),
    ("43722", "43723"),
    ("47397", "47398"),
    ("50304", "50305"),
    ("50955", "50956"),
    ("54383", "54384"),
)
"""Numbers of right and left wedges, wings and curved slopes, where both were made."""


def identify(name: str) -> tuple[str, str] | None:
    """Return part number and variant that a class name begins with, as ("3068", "b") of "3068b".

    ``None`` where it begins with no part number.
    """
    found = _NUMBER.match(name)
    return None if found is None else (found[1].lower(), (found[2] or "").lower())


def is_known_part(name: str) -> bool:
    """Return whether the backbone for bricks was trained on that part, in whatever variant."""
    found = identify(name)
    return found is not None and found[0] in _known_numbers()


def mirrored_parts(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of class names that begin with the numbers of a part and its mirror image.

    Args:
        names: in any order.
    """
    of_number: dict[str, list[str]] = {}
    for name in names:
        if match := _BEFORE_A_NAME.match(name):
            of_number.setdefault(match[1], []).append(name)
    return [
        (one, other)
        for pair in MIRRORED_PARTS
        for one in of_number.get(pair[0], ())
        for other in of_number.get(pair[1], ())
    ]


@functools.cache
def _known_numbers() -> frozenset[str]:
    """Numbers of the parts that the backbone knows, as its weights' file names them."""
    text = Path(__file__).with_name("known_parts.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
