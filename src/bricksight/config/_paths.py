"""Paths as users name them: an empty one is a mistake, ``~`` is the home folder."""

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from bricksight.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EMPTY_IS_NONE = frozenset({"saved_model_dir"})
"""Settings for which retrain.py's own default is an empty text; it stands for "not given"."""


def user_path(value: str | os.PathLike[str], name: str) -> Path:
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
        if one.type not in (Path, Path | None) or value is None:
            continue
        is_none = one.name in EMPTY_IS_NONE and value == ""
        path = None if is_none else user_path(value, f"--{one.name}")
        object.__setattr__(config, one.name, path)
