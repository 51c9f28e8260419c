"""The settings that are paths."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from bricksight._paths import as_path

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EMPTY_IS_NONE = frozenset({"saved_model_dir"})
"""Settings for which retrain.py's own default is an empty text; it stands for "not given"."""


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
        path = None if is_none else as_path(value, f"--{one.name}")
        object.__setattr__(config, one.name, path)
