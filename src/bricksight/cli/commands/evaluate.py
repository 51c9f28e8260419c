"""``bricksight evaluate``: how good is a model on a folder of photos?"""

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
class Measuring:
    """What is measured, and how it is told.

    Attributes:
        split: "all" photos, or those of one split.
        runtime: What runs the model: litert, tensorflow, saved_model, keras, onnxruntime,
            openvino or tfjs; litert by default.
        report: Also write the report to this HTML file.
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


_MEASURING = panel("Measuring")
_SPLIT = panel("Split (with --split, by default that of the training)")


class SplitAsNamed(TypedDict, total=False):
    """The split; with --split, defaults come from the bundle.

    Attributes:
        testing_percentage: Share of the photos kept for the final test, in percent.
        validation_percentage: Share of the photos that chose the best step, in percent.
        group_by: Regular expression for photos that belong together.
        limit_per_class: Use at most this many photos of each class.
        layout: "classes" treats every folder as a class; by default as in the training.
    """

    testing_percentage: int
    validation_percentage: int
    group_by: str
    limit_per_class: int
    layout: Layout


def evaluate(
    model: Path,
    image_dir: Path,
    /,
    *,
    measuring: Annotated[Measuring, _MEASURING] = Measuring(),
    split_settings: Annotated[SplitAsNamed | None, _SPLIT] = None,
) -> int:
    """Measure a model on a folder of photos, one sub-folder a class; one class will do.

    Photos that the model was trained on give figures that are too good. Name another folder, or
    the test split of the training: --split test.

    Args:
        model: The model folder, or a file that export wrote.
        image_dir: The photos; their folders are named as the model's labels.
        measuring: What is measured, and how it is told.
        split_settings: How the photos are split, and which belong together.
    """
    from bricksight._support.filesystem.places import try_file
    from bricksight.api import evaluate as run
    from bricksight.cli._console import ConsoleReporter

    if measuring.report is not None:
        try_file(measuring.report)
    outcome = run(
        model,
        image_dir,
        split=measuring.split,
        runtime=measuring.runtime,
        trust=measuring.trust,
        reporter=ConsoleReporter(quiet=measuring.quiet or measuring.json),
        **(split_settings or {}),
    )
    if measuring.report is not None:
        title = f"{model.resolve().name} on {image_dir.resolve().name}"
        outcome.write_report(measuring.report, title=title)
    if measuring.json:
        say_json(outcome.to_dict())
    else:
        _show(outcome)
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


def _answered(answered: "Answered", num_images: int, threshold: float) -> str:
    """Returns how many photos get an answer, and how good these are."""
    text = (
        f'Answers below {percent(threshold)} are given as "unknown": {answered.count:,} of '
        f"{pluralize(num_images, 'photo')} get an answer"
    )
    if answered.accuracy is not None:
        text += f", and {percent(answered.accuracy)} of these are right"
    return f"{text}."
