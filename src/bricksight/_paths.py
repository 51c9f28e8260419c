"""Paths as callers of the Python API give them."""

import os
from pathlib import Path

from bricksight.errors import ConfigError


def as_path(value: object, name: str) -> Path:
    """Returns a path that was given as text or as an object that stands for a path.

    Args:
        value: what the caller gave.
        name: of the argument, for the message.

    Raises:
        ConfigError: it is no path, or an empty one, which would mean the working folder.
    """
    if isinstance(value, Path):
        return value
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        raise ConfigError(f"{name} is {value!r}; it must be a path: text or a pathlib.Path.")
    if not text:
        raise ConfigError(f"{name} is empty; it must be a path. The working folder is '.'.")
    return Path(text)
