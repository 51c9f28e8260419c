"""Commands to continue with, printed after a result so that they can be pasted."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bricksight.config import user_name

if TYPE_CHECKING:
    from rich.console import Console


def shown(path: Path) -> str:
    """Return a path as short as possible, quoted for the shell."""
    text = str(path)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        text = str(path.relative_to(Path.cwd()))
    if text.startswith("-"):
        text = os.path.join(".", text)  # noqa: PTH118  (Path drops the dot)
    return quoted(text)


def quoted(word: object) -> str:
    """Return a word quoted for the shell of this system."""
    if os.name == "nt":
        return subprocess.list2cmdline([str(word)])
    return shlex.quote(str(word))


def print_next(console: "Console", commands: Sequence[str]) -> None:
    """Print commands to continue with, a line each."""
    console.print("Next:")
    for command in commands:
        console.print(f"  bricksight {command}", soft_wrap=True)


def as_words(options: Any, names: Sequence[str]) -> str:
    """Return options that differ from their defaults as they are typed, each after a blank.

    Args:
        options: made by a class of ``make_options``.
        names: the settings to include.
    """
    words = []
    for one in fields(options):
        value = getattr(options, one.name)
        if one.name not in names or value == one.default:
            continue
        words.append(f"--{user_name(one.name)}")
        if value is not True:
            words.append(shown(value) if isinstance(value, Path) else quoted(value))
    return "".join(f" {word}" for word in words)
