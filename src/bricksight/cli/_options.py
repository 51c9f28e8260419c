"""Options of the commands that train, made from the settings in ``config``.

A field of a settings class becomes an option. Its line under ``Attributes`` is the help of the
option, and its default is the default.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, field, fields, make_dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from bricksight.cli._help import ADVANCED
from bricksight.config import CrossValidationConfig, TrainingConfig, user_name

GRADIENT_DESCENT = (
    "how_many_training_steps",
    "learning_rate",
    "train_batch_size",
    "validation_batch_size",
    "eval_step_interval",
    "intermediate_store_frequency",
    "intermediate_output_graphs_dir",
)
"""Settings that only the training of retrain.py uses."""

MAIN = "Options"
"""Panel of the options that matter most."""

SECTIONS: dict[str, Any] = {one.name: one.type for one in fields(TrainingConfig)}
"""Section of ``TrainingConfig`` → its class."""

_CLASSES = (*SECTIONS.values(), CrossValidationConfig)


def make_options(
    panels: Mapping[str, Sequence[str]],
    *,
    own: Mapping[str, tuple[type, Any, str]] | None = None,
    names: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> type:
    """Return a dataclass whose fields are options.

    Args:
        panels: title of a panel of ``--help`` → the settings in it, in this order.
        own: options that are not settings: name → type, default and help.
        names: setting → name of its option, where it differs from ``user_name``.
        defaults: setting → default, where it differs from that in ``config``.
    """
    own, names, defaults = own or {}, names or {}, defaults or {}
    settings = {one.name: one for kind in reversed(_CLASSES) for one in fields(kind)}
    options: list[tuple[str, Any, Field[Any]]] = []
    kind: Any
    for title, panel in panels.items():
        group = Group.create_ordered(title)
        for name in panel:
            if name in own:
                kind, default, _ = own[name]
            else:
                kind, default = settings[name].type, settings[name].default
            option = Parameter(name=f"--{names.get(name, user_name(name))}", group=group)
            default = defaults.get(name, default)
            options.append((name, Annotated[kind, option], field(default=default)))
    made = make_dataclass("Options", options, frozen=True, kw_only=True)
    made.__module__ = __name__  # cyclopts looks into classes of this package, not of the library
    made.__doc__ = _documentation(own)
    return made


def advanced_panels(
    sections: Iterable[str], *, without: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return a panel for each section, which only ``--help-all`` shows.

    Args:
        sections: sections of ``TrainingConfig``.
        without: settings that have another place, or none.
    """
    titles = {
        "data": "photos",
        "split": "split",
        "augmentation": "augmentation",
        "backbone": "backbone",
        "head": "head",
        "finetuning": "fine-tuning",
        "output": "output",
        "files": "files outside the bundle",
    }
    left_out = {"image_dir", *without}
    return {
        f"{ADVANCED}: {titles[name]}": tuple(
            one.name for one in fields(SECTIONS[name]) if one.name not in left_out
        )
        for name in sections
    }


def _documentation(own: Mapping[str, tuple[type, Any, str]]) -> str:
    """Return a docstring in which cyclopts finds the help of every option."""
    lines = [f"    {name}: {text}" for name, (_, _, text) in own.items()]
    for kind in _CLASSES:
        attributes = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
        lines += [line for line in attributes.splitlines() if line.strip()]
    return "\n".join(["Options.", "", "Attributes:", *lines])
