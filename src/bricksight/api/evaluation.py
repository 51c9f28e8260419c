"""How good a model is on a folder of photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bricksight._support.optional import require_installed
from bricksight._support.progress import Reporter, SilentReporter
from bricksight._support.text import some
from bricksight.bundle import MANIFEST, Bundle, bundle_around, open_bundle
from bricksight.config import AnyPath, SplitConfig
from bricksight.dataset import (
    Dataset,
    Example,
    Problem,
    scan,
    suggested_groups,
    summaries,
    unreadable_files,
)
from bricksight.errors import ConfigError, DataError, ImageError
from bricksight.evaluation import Answered, Evaluation, trained_on, warnings_of
from bricksight.evaluation import evaluate as evaluate_arrays
from bricksight.predict import Predictor
from bricksight.report import ReportContent, write_report

SplitName = Literal["all", "training", "validation", "test"]


@dataclass(frozen=True, kw_only=True)
class ModelEvaluation:
    """The figures of a model on photos, and what a reader must know of them.

    Attributes:
        evaluation: Accuracy, classes, confusions, mistakes, calibration.
        image_dir: The folder of the photos.
        problems: What was found in it.
        warnings: What changes how the figures are to be read, such as photos of the training.
        set_aside: Path → reason, of photos that cannot be read.
        num_trained_on: How many of the photos took part in the training.
        unknown_threshold: Below it the model answers "unknown"; ``None`` where it never does.
    """

    evaluation: Evaluation
    image_dir: Path
    problems: Sequence[Problem]
    warnings: Sequence[Problem]
    set_aside: Mapping[str, str]
    num_trained_on: int
    unknown_threshold: float | None

    @property
    def accuracy(self) -> float | None:
        """Share of right first answers, 0 to 1."""
        return self.evaluation.accuracy

    @property
    def answered(self) -> Answered | None:
        """The photos that are not "unknown"; ``None`` where the model has no threshold."""
        threshold = self.unknown_threshold
        return None if threshold is None else self.evaluation.answered(threshold)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything with stable keys, for JSON; see docs/reference/bundle.md."""
        return self.evaluation.to_dict() | {
            "warnings": [asdict(one) for one in self.warnings],
            "problems": [asdict(one) for one in self.problems],
            "set_aside": dict(self.set_aside),
            "num_trained_on": self.num_trained_on,
            "answered": None if self.answered is None else asdict(self.answered),
        }

    def write_report(self, path: AnyPath, *, title: str) -> None:
        """Writes the report, one HTML file.

        Raises:
            OutputError: it cannot be written.
        """
        content = ReportContent(
            title=title,
            evaluation=self.evaluation,
            warnings=self.warnings,
            image_dir=self.image_dir,
            problems=self.problems,
            unknown_threshold=self.unknown_threshold,
        )
        write_report(Path(path), content)

    def __repr__(self) -> str:
        return f"<ModelEvaluation: {self.evaluation.statement}>"


def evaluate(
    model: Predictor | AnyPath,
    photos: AnyPath,
    *,
    split: SplitName = "all",
    runtime: str | None = None,
    trust: bool = False,
    reporter: Reporter | None = None,
    **split_settings: Any,
) -> ModelEvaluation:
    """Returns how good a model is on photos, one sub-folder a class; one class will do.

    Photos that the model was trained on give figures that are too good, which is said.

    Args:
        model: what ``load`` returns, a model folder, or a file that ``export`` wrote.
        photos: their folders are named as the model's labels.
        split: "all" photos, or those of one split.
        runtime: what runs the model; see ``Predictor``.
        trust: run a model even if it may access files, the network or other programs.
        reporter: follows the run.
        **split_settings: fields of ``SplitConfig``, such as ``group_by``. With a ``split``, those
            that are not given come from the bundle.

    Raises:
        BundleError: the model cannot be used.
        ConfigError: an argument cannot be used, or ``split`` needs a bundle.
        DataError: there are no such photos, none can be read, or the model does not know a class.
    """
    require_installed("sklearn", extra="check", feature="Evaluating a model")
    if isinstance(model, Predictor):
        if runtime is not None or trust:
            raise ConfigError("runtime and trust are for a path; the model is open already.")
        predictor = model
    else:
        predictor = Predictor(model, runtime=runtime, trust=trust)
    bundle = _bundle_of(predictor, split)
    data = scan(photos, split=split_config_of(bundle, split, split_settings), trains=False)
    _require_known(data, predictor)
    examples = photos_of(data, split)
    found, bad = _measure(predictor, examples, reporter or SilentReporter())
    unreadable = unreadable_files(bad)
    if not found.num_images:
        raise DataError(
            f"None of the photos in {data.image_dir} can be read:\n  "
            + "\n  ".join(summaries(unreadable, where="bricksight check --json"))
        )
    seen = frozenset() if bundle is None else bundle.trained_on()
    num_seen = sum(one.sha256 in seen for one in examples if one.relative_path not in bad)
    return ModelEvaluation(
        evaluation=found,
        image_dir=data.image_dir,
        problems=(*data.problems, *unreadable),
        warnings=(
            *trained_on(num_seen, found.num_images),
            *(suggested_groups(data.examples, data.split) if split != "all" else ()),
            *warnings_of(found),
        ),
        set_aside=bad,
        num_trained_on=num_seen,
        unknown_threshold=predictor.unknown_threshold,
    )


def _bundle_of(predictor: Predictor, split: str) -> Bundle | None:
    """Returns the bundle that a model is, or lies in.

    Raises:
        ConfigError: there is none, and ``split`` needs one.
    """
    model = predictor.path
    if model is None:
        folder = None
    else:
        folder = model if (model / MANIFEST).is_file() else bundle_around(model)
    if folder is not None:
        return open_bundle(folder)
    if split != "all":
        raise ConfigError(
            f"--split {split} needs the bundle that {model} was exported from, which "
            "knows how the photos were split. Name the bundle, or a file within it."
        )
    return None


def photos_of(data: Dataset, split: str) -> Sequence[Example]:
    """Returns all photos, or those of one split.

    Raises:
        DataError: there is none.
    """
    examples = data.examples if split == "all" else data.in_split(split)
    if not examples:
        raise DataError(
            f"{data.image_dir} has no photos in the split {split!r}. Name other photos, or leave "
            "out --split."
        )
    return examples


def split_config_of(bundle: Bundle | None, split: str, named: Mapping[str, Any]) -> SplitConfig:
    """Returns the split that the user has named; for one side of it, the rest is the training's.

    Raises:
        ConfigError: there is no such setting, or it has a value that cannot be used.
    """
    trained = {} if bundle is None else bundle.manifest.settings.get("split", {})
    # Of all photos, only whether the folders are classes is as it was in the training.
    known = [one.name for one in fields(SplitConfig)]
    if strangers := [name for name in named if name not in known]:
        raise ConfigError(
            f"{', '.join(strangers)} is no setting of the split. There are: {', '.join(known)}."
        )
    taken = {"layout"} if split == "all" else set(known)
    kept = {name: value for name, value in trained.items() if name in taken}
    return SplitConfig(**{**kept, **named})


def _require_known(data: Dataset, predictor: Predictor) -> None:
    strangers = sorted(set(data.labels) - set(predictor.labels))
    if strangers:
        raise DataError(
            f"{data.image_dir} has classes that the model does not know: {some(strangers)}. "
            f"It knows {some(predictor.labels)}."
        )


def _measure(
    predictor: Predictor, examples: Sequence[Example], reporter: Reporter
) -> tuple[Evaluation, dict[str, str]]:
    """Returns the figures, and path → reason of the photos that cannot be read."""
    rows, kept, bad = [], [], {}
    with reporter.stage("Classifying", len(examples)) as advance:
        answers = predictor.probabilities_of(example.path for example in examples)
        for example, row in zip(examples, answers, strict=True):
            if isinstance(row, ImageError):
                bad[example.relative_path] = str(row)
            else:
                rows.append(row)
                kept.append(example)
            advance(1)
    order = {label: index for index, label in enumerate(predictor.labels)}
    found = evaluate_arrays(
        np.array(rows, np.float32).reshape(len(rows), len(order)),
        np.array([order[example.label] for example in kept], np.int32),
        labels=predictor.labels,
        paths=[example.relative_path for example in kept],
        groups=[example.group for example in kept],
    )
    return found, bad
