"""Paths from users: ``~`` is expanded, empty paths are refused."""

import errno
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from bricksight._support.text import shortened
from bricksight.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyPath = str | os.PathLike[str]
"""A path as callers pass it."""

_LONGEST_SHOWN = 1000

EMPTY_IS_NONE = frozenset({"saved_model_dir"})
"""Settings whose default in retrain.py is an empty string, which means "not given"."""


def user_path(value: AnyPath, name: str) -> Path:
    """Return the path that a user gave, with ``~`` and ``~user`` expanded.

    An empty string is refused: it usually comes from a shell variable that is not set, and
    ``Path("")`` would be the working folder.

    Args:
        value: string or path.
        name: name of the setting, for the message.

    Raises:
        ConfigError: it is empty or not a path.
    """
    try:
        text = os.fsdecode(value)
    except TypeError:
        raise ConfigError(
            f"{name} is {value!r}; expected a path, as text or pathlib.Path."
        ) from None
    require_text(text, name)
    if "\0" in text:
        raise ConfigError(f"{name} is {text!r}; a path holds no NUL character.")
    return Path(os.path.expanduser(text))  # noqa: PTH111  (leaves an unknown ~user as it is)


def input_path(value: AnyPath, name: str) -> Path:
    """Return the path of an input. That it exists is left to its reader to check.

    Raises:
        ConfigError: it is empty, not a path, or not accessible.
    """
    path = user_path(value, name)
    try:
        path.stat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            shown = shortened(str(path), limit=_LONGEST_SHOWN)
            raise ConfigError(
                f"{name} is {shown!r}, which cannot be read ({error.strerror})."
            ) from error
    return path


def input_paths(values: Iterable[AnyPath], name: str) -> list[Path]:
    """Return ``input_path`` of each value.

    Raises:
        ConfigError: a value is not a usable path, or ``values`` is not a list of paths.
    """
    if isinstance(values, str | bytes | os.PathLike) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} are {values!r}; expected a list of paths.")
    return [input_path(value, f"One of {name}") for value in values]


def require_text(text: str, name: str) -> None:
    """Raise ConfigError if a value is empty.

    Raises:
        ConfigError: it is empty.
    """
    if not text:
        raise ConfigError(
            f"{name} is empty. Expected a value; if it comes from a variable such as $PHOTOS, the "
            "variable is not set."
        )


def take_paths(config: "DataclassInstance") -> None:
    """Convert all path fields of a frozen dataclass to ``Path``.

    Raises:
        ConfigError: one is empty or not a path.
    """
    for one in fields(config):
        value = getattr(config, one.name)
        if one.type is not Path and (one.type != Path | None or value is None):
            continue
        is_none = one.name in EMPTY_IS_NONE and value == ""
        path = None if is_none else user_path(value, f"--{one.name}")
        object.__setattr__(config, one.name, path)
