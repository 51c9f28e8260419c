"""The result of a training as text and JSON, and how commands print warnings."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bricksight._support.text import pluralize
from bricksight.cli._console import stdout_console
from bricksight.cli._next import print_next, quoted, shown
from bricksight.cli._output import say
from bricksight.config import SPLITS
from bricksight.dataset import summaries
from bricksight.training import TrainingReport, TrainingResult


def result_json(result: TrainingResult) -> dict[str, object]:
    """Return the result with stable keys; see docs/reference/bundle.md."""
    test, rejected = result.findings.test, result.findings.outliers_rejected
    return {
        "bundle": str(result.bundle.path),
        "statement": test.statement,
        "accuracy": test.accuracy,
        "warnings": [asdict(warning) for warning in result.findings.warnings],
        "num_test_images": test.num_images,
        "unknown_threshold": result.findings.unknown_threshold,
        "known_rejected": result.findings.known_rejected.share,
        "outliers_rejected": rejected and rejected.share,
        "seconds": dict(result.seconds),
    }


def print_misclassified(result: TrainingResult) -> None:
    """Print misclassified test photos as retrain.py did, with the true label."""
    say("=== MISCLASSIFIED TEST IMAGES ===")
    for mistake in result.findings.test.mistakes:
        answer = f"{mistake.predicted} ({mistake.probability:.2f})"
        say(f"{mistake.path:>70}  {answer}, is {mistake.label}")


def print_result(result: TrainingResult, *, photo: Path | None = None) -> None:
    """Print the result: accuracy, its warnings and the next commands. The last line is the bundle.

    Args:
        result: the result.
        photo: a photo for the command that classifies; by default one of the test photos.
    """
    console = stdout_console()
    findings = result.findings
    data, path = findings.data, result.bundle.path
    counts = ", ".join(f"{len(data.in_split(name)):,} {name}" for name in SPLITS)
    console.print(
        f"{pluralize(len(data.examples), 'photo')} of "
        f"{pluralize(len(data.labels), 'class', 'classes')}: {counts}. "
        f"Took {result.seconds['Total']:.1f} s."
    )
    print_marked(console, summaries(data.problems, where=str(path / "report.html")))
    if findings.unknown_threshold is not None:
        console.print(_unknown(findings), soft_wrap=True)
    console.print(f"Test: {findings.test.statement}", soft_wrap=True)
    print_marked(console, [warning.message for warning in findings.warnings])
    print_next(console, _next_commands(result, photo))
    console.print(f"Report: {path / 'report.html'}", soft_wrap=True)
    console.print(str(path), soft_wrap=True)


def _next_commands(result: TrainingResult, photo: Path | None) -> list[str]:
    findings, model = result.findings, shown(result.bundle.path)
    examples = findings.data.in_split("test") or findings.data.examples
    commands = [
        f"classify {model} {shown(photo or examples[0].path)}",
        f"export {model} --format onnx",
    ]
    if findings.test.is_rough and photo is None:
        split = findings.settings["split"]
        group_by = f" --group_by {quoted(split['group_by'])}" if split["group_by"] else ""
        commands.append(f"crossval {shown(findings.data.image_dir)}{group_by}")
    return commands


def print_marked(console: Console, messages: Sequence[str]) -> None:
    """Print problems or warnings, a line each."""
    for message in messages:
        console.print(Text("! ", style="yellow"), message, sep="", soft_wrap=True)


def _unknown(findings: TrainingReport) -> str:
    """Return a sentence on photos answered "unknown"."""
    rate = findings.settings["data"]["rejection_rate"]
    text = (
        f'Answered "unknown": {findings.known_rejected.statement} of known classes (rejection '
        f"rate: at most {rate:g} %)"
    )
    if findings.outliers_rejected is not None:
        text += f"; {findings.outliers_rejected.statement} of none of the classes"
    return f"{text}."
