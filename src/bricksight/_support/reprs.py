"""Reprs of one short line."""

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_LENGTH = 99


def short_repr(value: object, *parts: str) -> str:
    """Return ``<Answer: 3001 93.2 %>``: the class and what matters most, on one line.

    Args:
        value: the object.
        parts: what is shown of it, the most important first.
    """
    shown = _cut(f"{type(value).__name__}: {', '.join(parts)}", MAX_LENGTH - 2)
    return f"<{shown}>"


def changed_fields_repr(config: "DataclassInstance") -> str:
    """Return ``SplitConfig(group_by='a')``: the class and the fields that differ from defaults."""
    shown = [
        f"{one.name}={value!r}"
        for one in fields(config)
        if one.repr and (value := getattr(config, one.name)) != _default(one)
    ]
    text = f"{type(config).__name__}({', '.join(shown)}"
    return f"{_cut(text, MAX_LENGTH - 1)})"


def _default(one: Any) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _cut(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
