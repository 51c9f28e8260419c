"""Render the HTML report from ``ReportContent``."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bricksight._support.filesystem import files
from bricksight._support.optional import require
from bricksight._support.text import pluralize, printable
from bricksight.config import SPLITS
from bricksight.evaluation import Answered, Evaluation, Mistake
from bricksight.report import _plots, _tables
from bricksight.report._content import ReportContent
from bricksight.report._thumbnails import Thumbnail, thumbnail

if TYPE_CHECKING:
    from bricksight.dataset import Problem

_MAX_MISTAKES = 30
_MAX_PAIRS = 15
_MAX_PATHS = 50
_FEW_PHOTOS = 5
_ROOMY_MATRIX = 20


@dataclass(frozen=True)
class MistakeCard:
    """A misclassified photo, beside a training photo of the predicted class."""

    mistake: Mistake
    photo: Thumbnail
    example: Thumbnail | None


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report to ``path``, replacing an earlier one.

    The page is self-contained: styles, plots and photos are embedded.
    """
    html = _environment().get_template("report.html.j2").render(_context(content))
    with files.atomic_write(path) as part:
        part.write_text(html, encoding="utf-8")


def _environment() -> Any:
    jinja2 = require("jinja2", extra="check", feature="Writing a report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bricksight.report"),
        autoescape=True,  # names of folders and files may contain HTML
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["pluralize"] = pluralize
    environment.filters["percent"] = _tables.percent
    environment.filters["duration"] = _tables.duration
    return environment


def _shown(value: object) -> object:
    """Replace invisible characters in text by escapes; other values and HTML are unchanged."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return printable(value)
    return value


def _context(content: ReportContent) -> dict[str, object]:
    evaluation, validation = content.evaluation, content.validation
    if validation is not None and validation.num_images == 0:
        validation = None
    return {
        "content": content,
        "evaluation": evaluation,
        "validation": validation,
        "splits": SPLITS,
        "cautions": cautions(evaluation),
        "figures": _tables.figures(evaluation, validation),
        "histories": [(history, _plots.history_plot(history)) for history in content.history],
        "classes": _tables.worst_first(evaluation),
        "matrix": _tables.matrix(evaluation),
        "roomy_matrix": _ROOMY_MATRIX,
        "pairs": evaluation.confused_pairs[:_MAX_PAIRS],
        "reliability": _plots.reliability_plot(evaluation.reliability),
        "answered": _answered(evaluation, content.unknown_threshold),
        "mistakes": _mistake_cards(content),
        "problems": _problems_by_kind(content.problems),
        "max_paths": _MAX_PATHS,
        "totals": _totals(content),
        "facts": _facts(content),
    }


def cautions(evaluation: Evaluation) -> list[str]:
    """Return warnings about the figures: classes with few test photos, groups of mixed classes."""
    texts = []
    num_few = sum(0 < scores.count < _FEW_PHOTOS for scores in evaluation.classes)
    if num_few:
        texts.append(
            f"{num_few:,} of {pluralize(len(evaluation.classes), 'class', 'classes')} "
            f"{'has' if num_few == 1 else 'have'} fewer than {_FEW_PHOTOS} test photos. "
            "Figures of such a class are rough."
        )
    if evaluation.groups is not None and evaluation.groups.accuracy is None:
        texts.append(
            "Some groups contain photos of several classes. So the accuracy by group cannot be "
            "computed."
        )
    return texts


def _answered(evaluation: Evaluation, threshold: float | None) -> Answered | None:
    return None if threshold is None else evaluation.answered(threshold)


def _mistake_cards(content: ReportContent) -> list[MistakeCard]:
    mistakes = content.evaluation.mistakes[:_MAX_MISTAKES]
    examples = {
        label: thumbnail(content.image_dir / content.examples[label])
        for label in sorted({mistake.predicted for mistake in mistakes})
        if label in content.examples
    }
    return [
        MistakeCard(
            mistake=mistake,
            photo=thumbnail(content.image_dir / mistake.path),
            example=examples.get(mistake.predicted),
        )
        for mistake in mistakes
    ]


def _problems_by_kind(problems: "Sequence[Problem]") -> list[tuple[str, "list[Problem]"]]:
    in_order = sorted(problems, key=lambda problem: problem.kind)
    return [(kind, list(some)) for kind, some in groupby(in_order, key=lambda one: one.kind)]


def _totals(content: ReportContent) -> dict[str, int]:
    counts = content.class_counts.values()
    return {split: sum(one.get(split, 0) for one in counts) for split in SPLITS}


def _facts(content: ReportContent) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the tables of the section "Run": (heading, rows)."""
    timings = [(name, _tables.duration(seconds)) for name, seconds in content.timings.items()]
    tables = [
        ("Backbone", _tables.flatten(content.backbone)),
        ("Settings", _tables.flatten(content.settings)),
        ("Versions", _tables.flatten(content.versions)),
        ("Timings", timings),
    ]
    return [(heading, lines) for heading, lines in tables if lines]
