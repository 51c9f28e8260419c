"""Schemas for JSON values, composed of small check functions."""

import math
import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from bricksight._support.untrusted.folders import stays_inside

Check = Callable[[Any, str], Any]
"""Takes a value and its key, such as ``"input.height"``, and return what is used of the value."""

MOST_CHARACTERS = 1_000
MOST_LABELS = 100_000

_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnexpectedValueError(ValueError):
    """A JSON value is not valid; the message gives key, value and what was expected."""

    def __init__(self, key: str, value: Any, expected: str) -> None:
        super().__init__(f"{key} is {reprlib.repr(value)}; it must be {expected}")


def whole(low: int, high: int) -> Check:
    """Return a check for an integer from ``low`` to ``high``."""

    def check(value: Any, key: str) -> int:
        if type(value) is not int or not low <= value <= high:  # bool is an int too
            raise UnexpectedValueError(key, value, f"a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float) -> Check:
    """Return a check for a finite number from ``low`` to ``high``."""

    def check(value: Any, key: str) -> float:
        is_number = type(value) in (int, float) and math.isfinite(value)
        if not is_number or not low <= value <= high:
            raise UnexpectedValueError(key, value, f"a number from {low} to {high}")
        return float(value)

    return check


def text(most: int = MOST_CHARACTERS) -> Check:
    """Return a check for text of at most ``most`` characters."""

    def check(value: Any, key: str) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise UnexpectedValueError(key, value, f"text of at most {most:,} characters")
        return value

    return check


def choice(*values: str) -> Check:
    """Return a check for one of ``values``."""

    def check(value: Any, key: str) -> str:
        if value not in values:
            raise UnexpectedValueError(key, value, " or ".join(map(repr, values)))
        return str(value)

    return check


def nullable(check: Check) -> Check:
    """Return a check that also accepts ``null``."""
    return lambda value, key: None if value is None else check(value, key)


def mapping(value: Any, key: str) -> dict[str, Any]:
    """Check for a JSON object of any content."""
    if not isinstance(value, dict):
        raise UnexpectedValueError(key, value, "an object, {...}")
    return value


def table(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return a check for a JSON object; other keys are accepted, as later versions add some."""

    def check(value: Any, key: str) -> dict[str, Any]:
        found = dict(mapping(value, key or "The content"))
        for name, check_one in {**required, **(optional or {})}.items():
            named = f"{key}.{name}" if key else name
            if name in found:
                found[name] = check_one(found[name], named)
            elif name in required:
                raise ValueError(f"{named} is missing")
        return found

    return check


def labels(value: Any, key: str) -> tuple[str, ...]:
    """Check for a list of class labels: one line of text each, without duplicates."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_LABELS:
        raise UnexpectedValueError(key, value, f"a list of 1 to {MOST_LABELS:,} names")
    first: dict[str, int] = {}
    for index, label in enumerate(value):
        one = f"{key}[{index}]"
        text()(label, one)
        is_text = label.encode(errors="replace").decode() == label
        if len(label.splitlines()) != 1 or not label.strip() or not is_text:
            raise UnexpectedValueError(one, label, "one line of text")
        if first.setdefault(label, index) != index:
            raise UnexpectedValueError(one, label, f"another name than {key}[{first[label]}]")
    return tuple(value)


def checksums(value: Any, key: str) -> dict[str, str]:
    """Check for an object file name → SHA-256; the names must stay inside their folder."""
    for name, digest in mapping(value, key).items():
        if not stays_inside(name):
            raise UnexpectedValueError(
                f"A name of {key}", name, "a path below the folder, without '..'"
            )
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise UnexpectedValueError(f"{key}[{name!r}]", digest, "64 hexadecimal digits")
    return dict(value)
