"""``bricksight evaluate``: accuracy of a model on a folder of photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from bricksight._support.text import percent, pluralize
from bricksight.cli._help import panel
from bricksight.cli._output import say_json
from bricksight.config import Layout

if TYPE_CHECKING:
    from bricksight.api import ModelEvaluation
    from bricksight.evaluation import Answered


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Settings of the evaluation.

    Attributes:
        split: Use "all" photos, or those of one split.
        runtime: Runtime: litert (default), tensorflow, saved_model, keras, onnxruntime, openvino
            or tfjs.
        report: Also write a report to this HTML file.
        json: Print all figures as one JSON object.
        quiet: Show no progress.
        trust: Run a model even if it may access files, the network or other programs.
    """

    split: Literal["all", "training", "validation", "test"] = "all"
    runtime: str | None = None
    report: Path | None = None
    json: bool = False
    quiet: bool = False
    trust: bool = False


_MAIN = panel("Options")
_SPLIT = panel("Split (for --split; defaults come from the bundle)")


class SplitAsNamed(TypedDict, total=False):
    """Settings of the split. With --split, defaults come from the bundle.

    Attributes:
        testing_percentage: Percent of the photos kept for the final test.
        validation_percentage: Percent of the photos used for validation.
        group_by: Regular expression for the photo's path; equal matches stay in one split.
        limit_per_class: Use at most this many photos of each class.
        layout: "classes" treats every folder as a class.
    """

    testing_percentage: int
    validation_percentage: int
    group_by: str
    limit_per_class: int
    layout: Layout


def evaluate(
    model: Path,
    photos: Path,
    /,
    *,
    options: Annotated[EvaluateOptions, _MAIN] = EvaluateOptions(),
    split_settings: Annotated[SplitAsNamed | None, _SPLIT] = None,
) -> int:
    """Measure the accuracy of a model on a folder of photos, one sub-folder per class.

    Photos of the training give an accuracy that is too high. Use other photos, or only the test
    photos of the training: --split test.

    Args:
        model: Bundle or exported file.
        photos: Folder of photos. Sub-folders are named like the model's classes.
        options: Settings of the evaluation.
        split_settings: Settings of the split.
    """
    from bricksight._support.filesystem.places import try_file
    from bricksight.api import evaluate as run
    from bricksight.cli._console import ConsoleReporter

    if options.report is not None:
        try_file(options.report)
    outcome = run(
        model,
        photos,
        split=options.split,
        runtime=options.runtime,
        trust=options.trust,
        reporter=ConsoleReporter(quiet=options.quiet or options.json),
        **(split_settings or {}),
    )
    if options.report is not None:
        title = f"{model.resolve().name} on {photos.resolve().name}"
        outcome.write_report(options.report, title=title)
    if options.json:
        say_json(outcome.to_dict())
    else:
        _show(outcome)
        _show_next(model, photos, options)
    return 0


def _show(outcome: "ModelEvaluation") -> None:
    from bricksight.cli._console import stdout_console
    from bricksight.cli._result import print_marked
    from bricksight.dataset import summaries

    console = stdout_console()
    print_marked(console, summaries(outcome.problems, where="--json"))
    console.print(outcome.evaluation.statement, soft_wrap=True)
    print_marked(console, [warning.message for warning in outcome.warnings])
    if outcome.unknown_threshold is not None and outcome.answered is not None:
        told = _answered(outcome.answered, outcome.evaluation.num_images, outcome.unknown_threshold)
        console.print(told, soft_wrap=True)


def _show_next(model: Path, photos: Path, options: EvaluateOptions) -> None:
    from bricksight.cli._console import stdout_console
    from bricksight.cli._next import print_next, shown

    console = stdout_console()
    if options.report is not None:
        console.print(f"Report: {options.report}", soft_wrap=True)
        return
    split = "" if options.split == "all" else f" --split {options.split}"
    print_next(console, [f"evaluate {shown(model)} {shown(photos)}{split} --report report.html"])


def _answered(answered: "Answered", num_images: int, threshold: float) -> str:
    """Return a sentence on the unknown threshold: photos answered, and their accuracy."""
    text = (
        f'Answers below {percent(threshold)} are "unknown": {answered.count:,} of '
        f"{pluralize(num_images, 'photo')} get an answer"
    )
    if answered.accuracy is not None:
        text += f", and {percent(answered.accuracy)} of these are right"
    return f"{text}."
