"""Numbers and lists of names in the words of a message."""

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun, such as ``"1 photo"`` or ``"1,200 photos"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Returns a share of 1 in percent, such as ``"86.6 %"``."""
    return f"{100 * share:.1f} %"


def some(names: Sequence[str], *, limit: int = 5) -> str:
    """Returns the first names, quoted, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"
