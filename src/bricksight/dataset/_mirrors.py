"""Find classes that are mirror images of each other, such as left and right shoes."""

import re
from collections.abc import Sequence

from bricksight.packs import find_packs

_SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)


def mirrored_pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of labels that name an object and its mirror image.

    Two labels are a pair if they differ only in "left" and "right", or if an installed pack says
    so.

    Args:
        labels: Labels in any order.
    """
    found = set()
    of_name = {label.lower(): label for label in labels}
    for label in labels:
        other = of_name.get(_SIDE.sub(lambda match: _SIDES[match[1].lower()], label.lower()))
        if other not in (None, label):
            found.add(tuple(sorted((label, other or ""))))
    for pack in find_packs():
        if pack.mirrored_pairs is not None:
            found.update((min(pair), max(pair)) for pair in pack.mirrored_pairs(labels))
    return sorted((one, other) for one, other in found)
