"""``bricksight crossval``: how good is a recipe on photos that it has not seen?"""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bricksight._support.text import pluralize
from bricksight.cli._help import panel
from bricksight.cli._output import say, say_json
from bricksight.config import (
    AugmentConfig,
    BackboneConfig,
    CrossvalConfig,
    DataConfig,
    FineTuneConfig,
    HeadConfig,
    TrainingConfig,
)

if TYPE_CHECKING:
    from bricksight.training import CrossValidationResult

_SOURCE, _MEASURING, _TRAINING, _TUNING, _VIEWS = map(
    panel,
    (
        "Photos and network",
        "Measuring",
        "Training",
        "Fine-tuning the network",
        "Random views",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Folds(CrossvalConfig):
    """Folds, seeds and output.

    Attributes:
        json: Print all figures as one JSON object.
        quiet: Show no progress.
    """

    json: bool = False
    quiet: bool = False


def crossval(
    *,
    data: Annotated[DataConfig, _SOURCE],
    backbone: Annotated[BackboneConfig, _SOURCE] = BackboneConfig(),  # noqa: B008  (frozen)
    folds: Annotated[Folds, _MEASURING] = Folds(),
    head: Annotated[HeadConfig, _TRAINING] = HeadConfig(),  # noqa: B008
    tuning: Annotated[FineTuneConfig, _TUNING] = FineTuneConfig(),  # noqa: B008
    augment: Annotated[AugmentConfig, _VIEWS] = AugmentConfig(),  # noqa: B008
) -> int:
    """Measure what retrain would train by cross-validation; no model is written.

    Every photo is answered once a seed by a model that was trained without it and without the other
    photos of its group.

    Args:
        data: The photos.
        backbone: The pretrained network.
        folds: Folds, seeds and output.
        head: How the layer is trained; its seed is the first.
        tuning: How the network itself is trained on.
        augment: Random views of the training photos.
    """
    from bricksight.cli._console import ConsoleReporter, show_log, stdout_console
    from bricksight.cli._result import print_marked
    from bricksight.dataset import summaries
    from bricksight.training import cross_validate

    show_log("WARN")
    config = TrainingConfig(
        data=data, augmentation=augment, backbone=backbone, head=head, finetuning=tuning
    )
    result = cross_validate(
        config,
        folds=folds,
        reporter=ConsoleReporter(quiet=folds.quiet or folds.json),
    )
    if folds.json:
        say_json(_json(result))
        return 0
    print_marked(stdout_console(), summaries(result.problems, where="--json"))
    say(*_text(result))
    if folds.suspects is not None:
        say(*_suspects(result, folds.suspects))
    return 0


def _suspects(result: "CrossValidationResult", sheet: Path) -> list[str]:
    if not result.suspects:
        return ["No label looks wrong."]
    lines = [
        f"  {one.path} looks like {one.looks_like} ({100 * one.probability:.0f} %)"
        for one in result.suspects
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
            f"The last doubling brought {gain:+.1f} points; the next rarely brings more than that."
        )
    return lines


def _accuracy(result: "CrossValidationResult") -> str:
    """Returns the accuracy with what is left open by so many photos."""
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
    """Returns the mean of shares in percent and, of several, each of them and their deviation."""
    each = ", ".join(f"{100 * value:.1f}" for value in values)
    if len(values) < 2:
        return f"{each} %"
    deviation = 100 * statistics.stdev(values)
    return f"{100 * statistics.fmean(values):.1f} % ({each}; standard deviation {deviation:.1f})"


def _json(result: "CrossValidationResult") -> dict[str, object]:
    return {
        "accuracies": list(result.accuracies),
        "warnings": [asdict(one) for one in result.warnings],
        "problems": [asdict(one) for one in result.problems],
        "group_accuracies": list(result.group_accuracies),
        "known_rejected": [one.share for one in result.known_rejected],
        "outliers_rejected": [one.share for one in result.outliers_rejected],
        "seconds": dict(result.seconds),
        "evaluations": [one.to_dict() for one in result.evaluations],
        "curve": [
            {
                "photos_per_class": point.photos_per_class,
                "accuracy": point.evaluation.accuracy,
                "recalls": {one.label: one.recall for one in point.evaluation.classes},
            }
            for point in result.curve
        ],
        "suspects": [asdict(one) for one in result.suspects],
    }
