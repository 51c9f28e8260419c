"""``bricksight crossval``: accuracy by cross-validation."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bricksight._support.text import pluralize
from bricksight.cli._options import (
    GRADIENT_DESCENT,
    MAIN,
    SECTIONS,
    advanced_panels,
    make_options,
)
from bricksight.cli._output import say, say_json
from bricksight.config import CrossValidationConfig, TrainingConfig

if TYPE_CHECKING:
    from bricksight.training import CrossValidationResult

_OWN: dict[str, tuple[type, Any, str]] = {
    "json": (bool, False, "Print all figures as one JSON object."),
    "quiet": (bool, False, "Show no progress."),
}

_MAIN = (
    *("folds", "seeds", "recipe", "time_budget", "reference", "group_by", "tta", "unknown_dir"),
    *("rejection_rate", "learning_curve", "label_issues", "layout", "seed"),
)

TRAIN_NAMES = tuple(one.name for kind in SECTIONS.values() for one in fields(kind))
"""Options that ``train`` has too."""

_SECTIONS = ("data", "augmentation", "backbone", "head", "finetuning")

if TYPE_CHECKING:
    CrossvalOptions = Any
else:
    CrossvalOptions = make_options(
        {
            MAIN: (*_MAIN, *_OWN),
            **advanced_panels(_SECTIONS, without=(*_MAIN, *GRADIENT_DESCENT)),
        },
        own=_OWN,
    )


def crossval(
    photos: Path,
    /,
    *,
    options: Annotated[CrossvalOptions, Parameter(name="*")] = CrossvalOptions(),  # noqa: B008  (frozen)
) -> int:
    """Measure by cross-validation how accurate a training is. No model is written.

    Each photo is classified once per seed, by a model that was trained without it and without the
    other photos of its group.

    Args:
        photos: Folder of photos, one sub-folder per class.
        options: Settings of the training and of the cross-validation.
    """
    from bricksight.cli._console import ConsoleReporter, show_log, stdout_console
    from bricksight.cli._next import as_words, print_next, shown
    from bricksight.cli._result import print_marked
    from bricksight.dataset import summaries
    from bricksight.training import cross_validate

    settings = asdict(options)
    json, quiet = (settings.pop(name) for name in _OWN)
    settings["backbone"] = settings.pop("reference")
    folds = CrossValidationConfig(
        **{one.name: settings.pop(one.name) for one in fields(CrossValidationConfig)}
    )
    config = TrainingConfig.of(photos, **settings)
    show_log("WARN")
    result = cross_validate(config, folds=folds, reporter=ConsoleReporter(quiet=quiet or json))
    if json:
        say_json(result.to_dict())
        return 0
    print_marked(stdout_console(), summaries(result.problems, where="--json"))
    say(*_text(result))
    if folds.label_issues is not None:
        say(*_label_issues(result, folds.label_issues))
    print_next(stdout_console(), [f"train {shown(photos)}{as_words(options, TRAIN_NAMES)}"])
    return 0


def _label_issues(result: "CrossValidationResult", sheet: Path) -> list[str]:
    if not result.label_issues:
        return ["No label looks wrong."]
    lines = [
        f"  {one.path} looks like {one.looks_like} ({100 * one.probability:.0f} %)"
        for one in result.label_issues
    ]
    number = pluralize(len(lines), "label looks", "labels look")
    return [f"{number} wrong; the photos are on {sheet}:", *lines]


def _text(result: "CrossValidationResult") -> list[str]:
    first = result.evaluations[0]
    lines = [
        f"{pluralize(first.num_images, 'photo')} of "
        f"{pluralize(len(first.labels), 'class', 'classes')}, "
        f"{pluralize(len(result.evaluations), 'seed')}, {result.seconds['Total']:.0f} s",
        _accuracy(result),
    ]
    lines += [f"! {warning.message}" for warning in result.warnings]
    top = [one.top_k_accuracy for one in result.evaluations if one.top_k_accuracy is not None]
    if top:
        lines.append(f"Top-{first.top_k} accuracy: {spread(top)}")
    if result.group_accuracies:
        lines.append(f"Accuracy by group: {spread(result.group_accuracies)}")
    errors = [one.expected_calibration_error for one in result.evaluations]
    lines.append(
        f"Expected calibration error: {spread([one for one in errors if one is not None])}"
    )
    for rejected, of in (
        (result.known_rejected, "the photos of known classes"),
        (result.outliers_rejected, "the held-out photos of none of the classes"),
    ):
        shares = [one.share for one in rejected if one.share is not None]
        if shares:
            lines.append(f'Answered "unknown", of {of}: {spread(shares)}')
    weakest = sorted(
        (one for one in first.classes if one.recall is not None), key=lambda one: one.recall or 0
    )[:5]
    found = ", ".join(f"{one.label} {100 * (one.recall or 0):.0f} %" for one in weakest)
    lines.append(f"Lowest recall (first seed): {found}")
    lines += [
        f"With {point.photos_per_class:.1f} training photos a class: "
        f"{100 * (point.evaluation.accuracy or 0):.1f} %"
        for point in result.curve
    ]
    if result.curve:
        half, whole = result.curve[1].evaluation, result.curve[-1].evaluation
        gain = 100 * ((whole.accuracy or 0) - (half.accuracy or 0))
        lines.append(
            f"Doubling the photos brought {gain:+.1f} points. The next doubling rarely brings more."
        )
    return lines


def _accuracy(result: "CrossValidationResult") -> str:
    """Return the accuracy with its interval."""
    first = result.evaluations[0]
    text = f"Accuracy: {spread(result.accuracies)}"
    if first.is_rough:
        text = f"Too few photos for more than a rough figure. {text}"
    if first.accuracy_interval is not None:
        low, high = first.accuracy_interval.low, first.accuracy_interval.high
        of = " of the first seed" if len(result.accuracies) > 1 else ""
        text += f", 95 % interval{of} {100 * low:.1f} to {100 * high:.1f} %"
    return text


def spread(values: Sequence[float]) -> str:
    """Return shares in percent; of several the mean, each value and the standard deviation."""
    each = ", ".join(f"{100 * value:.1f}" for value in values)
    if len(values) < 2:
        return f"{each} %"
    deviation = 100 * statistics.stdev(values)
    return f"{100 * statistics.fmean(values):.1f} % ({each}; standard deviation {deviation:.1f})"
