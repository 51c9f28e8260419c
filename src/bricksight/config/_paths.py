"""Paths as users name them: an empty one is a mistake, ``~`` is the home folder."""

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
"""A path as callers give it."""

_LONGEST_SHOWN = 1000

EMPTY_IS_NONE = frozenset({"saved_model_dir"})
"""Settings for which retrain.py's own default is an empty text; it stands for "not given"."""


def user_path(value: AnyPath, name: str) -> Path:
    """Returns the path that a text of the user's names.

    ``~`` and ``~user`` at its beginning are the home folders; variables are left as they are. An
    empty text is what remains of a variable that is not set, and never the working folder.

    Args:
        value: text or path.
        name: of the setting, for the message.

    Raises:
        ConfigError: it is empty, or cannot be a path.
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
    """Returns the path of something that is read; it may be absent, which its reader says best.

    Raises:
        ConfigError: it is empty, cannot be a path, or the system refuses to look for it.
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
    """Returns ``input_path`` of each.

    Raises:
        ConfigError: one is no such path, or ``values`` is one path or nothing to iterate over.
    """
    if isinstance(values, str | bytes | os.PathLike) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} are {values!r}; expected a list of paths.")
    return [input_path(value, f"One of {name}") for value in values]


def require_text(text: str, name: str) -> None:
    """Refuses an empty text.

    Raises:
        ConfigError: it is empty.
    """
    if not text:
        raise ConfigError(
            f"{name} is empty. Expected a value; if it comes from a variable such as $PHOTOS, the "
            "variable is not set."
        )


def take_paths(config: "DataclassInstance") -> None:
    """Makes ``Path`` objects of all fields of a frozen dataclass that are paths.

    Raises:
        ConfigError: one is empty, or cannot be a path.
    """
    for one in fields(config):
        value = getattr(config, one.name)
        if one.type is not Path and (one.type != Path | None or value is None):
            continue
        is_none = one.name in EMPTY_IS_NONE and value == ""
        path = None if is_none else user_path(value, f"--{one.name}")
        object.__setattr__(config, one.name, path)
