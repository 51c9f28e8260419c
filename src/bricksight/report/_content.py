"""What a report is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bricksight.evaluation import Evaluation, Rejected

if TYPE_CHECKING:
    from bricksight.dataset import Problem


@dataclass(frozen=True, kw_only=True)
class TrainingHistory:
    """How one stage of the training went; the sequences are parallel, one entry a measurement.

    Attributes:
        name: the stage, such as "Head" or "Fine-tuning".
        unit: what ``steps`` counts.
        steps: when it was measured.
        train_accuracy: in [0, 1].
        train_cross_entropy: in nats.
        validation_accuracy: in [0, 1]; empty without validation photos.
        validation_cross_entropy: in nats; empty without validation photos.
        best_step: the step whose weights were kept, ``None`` if that was simply the last one.
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
                    f"{name} has {length} entries and steps {len(self.steps)}; "
                    "both must be one a measurement"
                )


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything that the page shows; a part without content is left out of the page.

    Attributes:
        title: the heading, such as the name of the data set.
        evaluation: on the test photos.
        warnings: what changes how the figures of the evaluation are to be read.
        validation: on the validation photos, ``None`` if there were none.
        history: the stages of the training, in their order.
        class_counts: label to the number of photos by split ("training", "validation", "test").
        problems: what was found in the folder of photos.
        module: what describes the pretrained network.
        settings: every setting of the run; values may be mappings themselves.
        versions: package to version.
        timings: part of the run to seconds.
        image_dir: the folder below which the paths of mistakes and examples are.
        examples: label to the path of one training photo, shown beside mistaken photos.
        unknown_threshold: answers below this probability are given as "unknown".
        outliers_rejected: how many photos of none of the classes are, ``None`` if none were shown.
    """

    title: str
    evaluation: Evaluation
    image_dir: Path
    warnings: "Sequence[Problem]" = ()
    validation: Evaluation | None = None
    history: Sequence[TrainingHistory] = ()
    class_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: "Sequence[Problem]" = ()
    module: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    unknown_threshold: float | None = None
    outliers_rejected: Rejected | None = None
