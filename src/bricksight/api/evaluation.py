"""Evaluate a model on a folder of photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bricksight._support.optional import require_installed
from bricksight._support.progress import Progress, Reporter
from bricksight._support.reprs import short_repr
from bricksight._support.text import some
from bricksight.api.functions import require_fields
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
    """Metrics of a model on photos, with the warnings that belong to them.

    Attributes:
        evaluation: All metrics: accuracy, by class, confusion matrix, mistakes, calibration.
        image_dir: Folder of the photos.
        problems: Problems found in the folder.
        warnings: What limits the meaning of the metrics, such as photos that the model was
            trained on.
        set_aside: Photos that cannot be read: path → reason.
        num_trained_on: Number of photos that the model was trained on.
        unknown_threshold: An answer whose highest probability is below it is "unknown"; ``None``
            if the model has no threshold.
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
        """Top-1 accuracy from 0 to 1, ``None`` if there are no photos."""
        return self.evaluation.accuracy

    @property
    def answered(self) -> Answered | None:
        """Number and accuracy of answers that are not "unknown"; ``None`` without a threshold."""
        threshold = self.unknown_threshold
        return None if threshold is None else self.evaluation.answered(threshold)

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as plain values, for JSON; see docs/reference/metrics.md."""
        return self.evaluation.to_dict() | {
            "warnings": [asdict(one) for one in self.warnings],
            "problems": [asdict(one) for one in self.problems],
            "set_aside": dict(self.set_aside),
            "num_trained_on": self.num_trained_on,
            "answered": None if self.answered is None else asdict(self.answered),
        }

    def write_report(self, path: AnyPath, *, title: str) -> None:
        """Write the report to an HTML file.

        Args:
            path: The file.
            title: Title of the page.

        Raises:
            OutputError: The file cannot be written.
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
        return short_repr(self, self.evaluation.statement)


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
    """Measure how accurate a model is on a folder of photos.

    Accuracy on photos that the model was trained on is too high; a warning says how many there are.

    Example:
        ``evaluate("photos-model", "photos", split="test").accuracy``

    Args:
        model: What ``load`` returns, a bundle, or a file that ``export`` wrote.
        photos: Folder with one sub-folder for each class; sub-folders are named as the model's
            labels. One class is enough.
        split: "all" photos, or those of one split: "training", "validation" or "test".
        runtime: As for ``load``, if ``model`` is a path.
        trust: As for ``load``, if ``model`` is a path.
        reporter: Receives the progress.
        **split_settings: Fields of ``SplitConfig``, such as ``group_by``. With a ``split``, the
            others default to the settings of the training.

    Raises:
        BundleError: The model cannot be used.
        ConfigError: An argument is invalid, or ``split`` is given and ``model`` has no bundle.
        DataError: There are no photos, none can be read, or the model does not know a class.
        MissingPackageError: The extra ``check`` is not installed.
    """
    require_installed("sklearn", extra="check", feature="Evaluating a model")
    if isinstance(model, Predictor):
        if runtime is not None or trust:
            raise ConfigError(
                "runtime and trust are for a path, but the model is loaded already. Give them to "
                "load."
            )
        predictor = model
    else:
        predictor = Predictor(model, runtime=runtime, trust=trust)
    bundle = _bundle_of(predictor, split)
    data = scan(photos, split=split_config_of(bundle, split, split_settings), for_training=False)
    _require_known_classes(data, predictor)
    examples = photos_of(data, split)
    found, bad = _measure(predictor, examples, Progress(reporter))
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
    """Return the bundle of a model: the model itself, or the bundle that contains the file.

    Raises:
        ConfigError: There is none, and ``split`` needs one.
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
            f"--split {split} needs the bundle that {model} was exported from, which records how "
            "the photos were split. Give the bundle, or a file inside it."
        )
    return None


def photos_of(data: Dataset, split: str) -> Sequence[Example]:
    """Return the photos of one split, or of all.

    Raises:
        DataError: There are none.
    """
    examples = data.examples if split == "all" else data.in_split(split)
    if not examples:
        raise DataError(
            f"{data.image_dir} has no photos in the split {split!r}. Give other photos, or leave "
            "--split out."
        )
    return examples


def split_config_of(bundle: Bundle | None, split: str, named: Mapping[str, Any]) -> SplitConfig:
    """Return how photos are split for an evaluation.

    Args:
        bundle: Bundle of the model; its settings are the defaults.
        split: "all", for which only ``layout`` has a default in the bundle, or a split.
        named: Settings that the user gives.

    Raises:
        ConfigError: A setting does not exist or has an invalid value.
    """
    trained = {} if bundle is None else bundle.manifest.settings.get("split", {})
    require_fields(SplitConfig, dict(named))
    taken = {"layout"} if split == "all" else {one.name for one in fields(SplitConfig)}
    defaults = {name: value for name, value in trained.items() if name in taken}
    return SplitConfig(**{**defaults, **named})


def _require_known_classes(data: Dataset, predictor: Predictor) -> None:
    unknown = sorted(set(data.labels) - set(predictor.labels))
    if unknown:
        raise DataError(
            f"{data.image_dir} has classes that the model does not know: {some(unknown)}. "
            f"It knows {some(predictor.labels)}."
        )


def _measure(
    predictor: Predictor, examples: Sequence[Example], progress: Progress
) -> tuple[Evaluation, dict[str, str]]:
    """Return the metrics, and path → reason of the photos that cannot be read."""
    rows, kept, bad = [], [], {}
    with progress.stage("Classifying photos", len(examples)) as advance:
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
