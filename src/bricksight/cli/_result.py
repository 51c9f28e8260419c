"""What ``retrain`` and ``demo`` say at the end, and how commands show problems and warnings."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from bricksight._support.text import pluralize
from bricksight.cli._console import stdout_console
from bricksight.cli._output import say
from bricksight.dataset import summaries
from bricksight.training import TrainingReport, TrainingResult


def result_json(result: TrainingResult) -> dict[str, object]:
    """Returns the outcome with stable keys; see docs/reference/bundle.md."""
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
    """Prints a line a wrong test photo: path and answer as retrain.py, then what it really is."""
    say("=== MISCLASSIFIED TEST IMAGES ===")
    for mistake in result.findings.test.mistakes:
        answer = f"{mistake.predicted} ({mistake.probability:.2f})"
        say(f"{mistake.path:>70}  {answer}, is {mistake.label}")


def print_result(result: TrainingResult) -> None:
    """Prints the photos, their problems, the figures, and last the model folder."""
    console = stdout_console()
    findings = result.findings
    data = findings.data
    counts = ", ".join(
        f"{len(data.in_split(name)):,} {name}" for name in ("training", "validation", "test")
    )
    console.print(
        f"{pluralize(len(data.examples), 'photo')} of "
        f"{pluralize(len(data.labels), 'class', 'classes')}: {counts}. "
        f"Took {result.seconds['Total']:.1f} s."
    )
    print_marked(console, summaries(data.problems, where=str(result.bundle.path / "report.html")))
    console.print(f"Test: {findings.test.statement}", soft_wrap=True)
    print_marked(console, [warning.message for warning in findings.warnings])
    if findings.unknown_threshold is not None:
        console.print(_unknown(findings), soft_wrap=True)
    folder = shlex.quote(str(result.bundle.path))
    console.print(f"Classify photos: bricksight classify {folder} PHOTO...", soft_wrap=True)
    console.print(f"Report: {result.bundle.path / 'report.html'}", soft_wrap=True)
    console.print(str(result.bundle.path), soft_wrap=True)


def print_marked(console: Console, messages: Sequence[str]) -> None:
    """Prints problems or warnings, a line each."""
    for message in messages:
        console.print(Text("! ", style="yellow"), message, sep="", soft_wrap=True)


def _unknown(findings: TrainingReport) -> str:
    """Returns how many photos are answered "unknown", and how many were meant to be."""
    rate = findings.settings["data"]["rejection_rate"]
    text = (
        f'Answered "unknown": {findings.known_rejected.statement} of known classes, where '
        f"--rejection_rate asks for at most {rate:g} %"
    )
    if findings.outliers_rejected is not None:
        text += f"; {findings.outliers_rejected.statement} of none of the classes"
    return f"{text}."
