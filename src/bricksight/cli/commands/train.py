"""``bricksight train``: from a folder of photos to a bundle."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bricksight.cli._options import (
    GRADIENT_DESCENT,
    MAIN,
    SECTIONS,
    advanced_panels,
    make_options,
)
from bricksight.config import TrainingConfig, Verbosity

_OWN: dict[str, tuple[type, Any, str]] = {
    "json": (bool, False, "Print one JSON object instead of text."),
    "quiet": (bool, False, "Print the folder of the model only."),
    "verbose": (bool, False, "Print a line per step instead of a progress bar."),
}

_MAIN = (
    *("out", "recipe", "time_budget", "reference", "group_by", "tta", "unknown_dir"),
    *("rejection_rate", "seed", "resume"),
)

_NONE = ("logging_verbosity", "test_batch_size", "validation_batch_size")
"""Settings that have no option here beside those of gradient descent."""

if TYPE_CHECKING:
    TrainOptions = Any
else:
    TrainOptions = make_options(
        {
            MAIN: (*_MAIN, *_OWN),
            **advanced_panels(SECTIONS, without=(*_MAIN, *_NONE, *GRADIENT_DESCENT)),
        },
        own=_OWN,
    )


def train(
    photos: Path,
    /,
    *,
    options: Annotated[TrainOptions, Parameter(name="*")] = TrainOptions(),  # noqa: B008  (frozen)
) -> int:
    """Train a classifier on a folder of photos, one sub-folder per class.

    The model, its report and its metrics are written to a new folder, the bundle.

    Args:
        photos: Folder of photos.
        options: Settings of the training and of the output.
    """
    from bricksight.cli._training import run_training

    level: Verbosity = "ERROR" if options.quiet else "INFO" if options.verbose else "WARN"
    return run_training(
        training_config(photos, options),
        log_level=level,
        verbose=options.verbose,
        json=options.json,
        quiet=options.quiet,
    )


def training_config(photos: Path, options: TrainOptions) -> TrainingConfig:
    """Return the settings of the training."""
    settings = {name: value for name, value in asdict(options).items() if name not in _OWN}
    return TrainingConfig.of(photos, backbone=settings.pop("reference"), **settings)
