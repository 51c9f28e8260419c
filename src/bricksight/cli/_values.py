"""Checks of all values on the command line."""

from collections.abc import Sequence
from pathlib import Path

import cyclopts

from bricksight.errors import ConfigError

STDIN = "\0stdin"
"""Replaces "-" while the words are parsed. No file can have this name."""


def take_values(
    app: cyclopts.App, commands: Sequence[str], arguments: cyclopts.ArgumentCollection
) -> None:
    """Raise ConfigError for empty values, and expand ``~`` in paths.

    An empty string would become the path ".", the working folder.
    """
    from bricksight.config import EMPTY_IS_NONE, require_text, user_path

    for argument in arguments:
        name = argument.name
        given = [token for token in argument.tokens if token.implicit_value is cyclopts.UNSET]
        if name.lstrip("-") in EMPTY_IS_NONE and any(not token.value for token in given):
            argument.tokens.clear()
            continue
        for index, token in enumerate(argument.tokens):
            if token not in given:
                continue
            if token.value == STDIN:
                _require_list(token.keyword)
                continue
            if argument.hint in (Path, Path | None):
                path = user_path(token.value, token.keyword or name)
                argument.tokens[index] = token.evolve(value=str(path))
            else:
                require_text(token.value, token.keyword or name)


def _require_list(keyword: str | None) -> None:
    if keyword is not None:
        raise ConfigError(
            f"{keyword} is -, which stands for a list of photos on standard input. Name a file."
        )
