"""Type checks of settings that come from Python, JSON or the command line."""

import types
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

from bricksight.config._checks import user_name
from bricksight.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Config = TypeVar("_Config")

_WORDS = {
    bool: "True or False",
    float: "a number",
    int: "a whole number",
    str: "text",
    types.NoneType: "None",
}


def take_types(config: "DataclassInstance") -> None:
    """Check the type of every field, and turn NumPy numbers into Python's.

    Paths are checked by ``take_paths``.

    Raises:
        ConfigError: a value has another type or is not one of the choices.
    """
    for one in fields(config):
        value: Any = getattr(config, one.name)
        kinds = _alternatives(one.type)
        if not any(_fits(value, kind) for kind in kinds):
            expected = " or ".join(map(_described, kinds))
            raise ConfigError(f"--{user_name(one.name)} is {value!r}; it must be {expected}.")
        kind = type(value)
        if isinstance(value, Real) and kind not in (bool, int, float):
            plain = int(value) if isinstance(value, Integral) else float(value)
            object.__setattr__(config, one.name, plain)


def given(value: object, kind: type[_Config], name: str) -> _Config:
    """Return ``value`` if it is an instance of ``kind``, such as ``TrainingConfig``.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {value!r}; it must be an object of {kind.__name__}.")
    return value


def given_or_default(value: object, kind: type[_Config], name: str) -> _Config:
    """Return ``value`` if it is an instance of ``kind``; a default instance for ``None``.

    Raises:
        ConfigError: it is anything else.
    """
    return kind() if value is None else given(value, kind, name)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _fits(value: object, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(kind))
    if kind in (int, float):
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if kind is Path:
        return value is not None
    return kind not in _WORDS or isinstance(value, kind)


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return "a path" if kind is Path else _WORDS.get(kind, str(kind))
