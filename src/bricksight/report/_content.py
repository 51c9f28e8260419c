"""Input data of the HTML report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bricksight.evaluation import Evaluation, Rejected

if TYPE_CHECKING:
    from bricksight.dataset import Problem


@dataclass(frozen=True, kw_only=True)
class TrainingHistory:
    """Learning curves of one training stage; all sequences have one entry per measurement.

    Attributes:
        name: Name of the stage, such as "Head" or "Fine-tuning".
        unit: Unit of ``steps``, such as "step" or "epoch".
        steps: Steps at which the metrics were measured.
        train_accuracy: In [0, 1].
        train_cross_entropy: In nats.
        validation_accuracy: In [0, 1]; empty without validation photos.
        validation_cross_entropy: In nats; empty without validation photos.
        best_step: The step whose weights were kept; ``None`` if the last weights were kept.
    """

    name: str = "Training"
    unit: str = "step"
    steps: Sequence[int]
    train_accuracy: Sequence[float]
    train_cross_entropy: Sequence[float]
    validation_accuracy: Sequence[float] = ()
    validation_cross_entropy: Sequence[float] = ()
    best_step: int | None = None

    def __post_init__(self) -> None:
        lengths = {
            "train_accuracy": len(self.train_accuracy),
            "train_cross_entropy": len(self.train_cross_entropy),
            "validation_accuracy": len(self.validation_accuracy) or len(self.steps),
            "validation_cross_entropy": len(self.validation_cross_entropy) or len(self.steps),
        }
        for name, length in lengths.items():
            if length != len(self.steps):
                raise ValueError(
                    f"{name} has {length} entries, but steps has {len(self.steps)}. "
                    "Expected one entry per measurement in both."
                )


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything that the report shows; sections without content are omitted.

    Attributes:
        title: Heading of the page, such as the name of the data set.
        evaluation: Evaluation on the test photos.
        warnings: Warnings that change how the evaluation is to be read.
        validation: Evaluation on the validation photos, ``None`` if there were none.
        history: Learning curves, one entry per training stage, in order.
        class_counts: Label → split ("training", "validation", "test") → number of photos.
        problems: Problems found in the data set.
        backbone: Description of the backbone.
        settings: All settings of the run; values may be nested mappings.
        versions: Package → version.
        timings: Stage of the run → seconds.
        image_dir: Folder of the data set; paths of mistakes and examples are relative to it.
        examples: Label → path of one training photo, shown beside misclassified photos.
        unknown_threshold: Answers with a lower probability are given as "unknown".
        outliers_rejected: How many photos of unknown objects were answered "unknown"; ``None`` if
            there were no such photos.
    """

    title: str
    evaluation: Evaluation
    image_dir: Path
    warnings: "Sequence[Problem]" = ()
    validation: Evaluation | None = None
    history: Sequence[TrainingHistory] = ()
    class_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: "Sequence[Problem]" = ()
    backbone: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    unknown_threshold: float | None = None
    outliers_rejected: Rejected | None = None
