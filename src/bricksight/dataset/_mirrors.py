"""Classes that are mirror images of one another, such as left and right wedges."""

import re
from collections.abc import Sequence

_SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)

_NUMBERS = re.compile(r"[a-z]?(\d+)[a-z]?\d*(?:_|$)", re.IGNORECASE)

PART_PAIRS = (
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
"""LEGO's numbers of right and left wedges, wings and curved slopes, where both were made."""


def mirrored_pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the pairs of labels that name an object and its mirror image.

    They differ by "left" and "right" alone, or begin with the numbers of such a pair of LEGO parts.

    Args:
        labels: in any order.
    """
    found = set()
    of_name = {label.lower(): label for label in labels}
    for label in labels:
        other = of_name.get(_SIDE.sub(lambda match: _SIDES[match[1].lower()], label.lower()))
        if other not in (None, label):
            found.add(tuple(sorted((label, other or ""))))
    of_number: dict[str, list[str]] = {}
    for label in labels:
        if match := _NUMBERS.match(label):
            of_number.setdefault(match[1], []).append(label)
    for pair in PART_PAIRS:
        found.update(
            (min(one, other), max(one, other))
            for one in of_number.get(pair[0], ())
            for other in of_number.get(pair[1], ())
        )
    return sorted((one, other) for one, other in found)
