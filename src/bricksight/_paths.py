"""Paths as users name them, in the Python API and on the command line."""

import os
from pathlib import Path

from bricksight.errors import ConfigError


def as_path(value: object, name: str) -> Path:
    """Returns a path that was given as text or as an object that stands for a path.

    ``~`` and ``~user`` at its beginning are the home folders; variables are left as they are.

    Args:
        value: what the caller gave.
        name: of the argument, for the message.

    Raises:
        ConfigError: it is no path, or an empty one, which would mean the working folder.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        raise ConfigError(f"{name} is {value!r}; it must be a path: text or a pathlib.Path.")
    require_text(text, name)
    return Path(os.path.expanduser(text))  # noqa: PTH111  (leaves an unknown ~user as it is)


def require_text(text: str, name: str) -> None:
    """Refuses an empty text, which is mostly what remains of a variable that is not set.

    Raises:
        ConfigError: it is empty.
    """
    if not text:
        raise ConfigError(
            f"{name} is empty. If its value comes from a variable such as $PHOTOS, that one is "
            "not set. The working folder is '.'."
        )
