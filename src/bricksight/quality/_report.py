"""The result of a check, for programs and for the eye."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bricksight.dataset import Dataset, Problem
from bricksight.quality._twins import Twins


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """How many photos a class has.

    Attributes:
        label: The class.
        num_photos: Photos that can be used.
        num_groups: Groups of photos that stay together in the split.
        training: Photos that train.
        validation: Photos that choose the best step.
        test: Photos of the final test.
    """

    label: str
    num_photos: int
    num_groups: int
    training: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, middle and largest of some numbers."""

    min: int
    median: int
    max: int


@dataclass(frozen=True)
class CheckReport:
    """Everything that ``bricksight check`` shows.

    Attributes:
        dataset: The photos that can be used, and every problem.
        classes: Counts of each class, in class order.
        formats: File format → number of photos, the most frequent first.
        width: Widths of the photos, in pixels.
        height: Heights of the photos, in pixels.
        twins: Photos that look nearly the same as another.
        suggested_group_by: A value for ``--group_by`` that the file names suggest, or ``None``.
    """

    dataset: Dataset
    classes: tuple[ClassCounts, ...]
    formats: dict[str, int]
    width: Spread
    height: Spread
    twins: Twins
    suggested_group_by: str | None

    @property
    def image_dir(self) -> Path:
        """The folder that was checked."""
        return self.dataset.image_dir

    @property
    def faults(self) -> tuple[Problem, ...]:
        """The problems that are facts about the folder: what ``--strict`` stops at."""
        return tuple(problem for problem in self.dataset.problems if not problem.is_advice)

    @property
    def advice(self) -> tuple[Problem, ...]:
        """The problems that are matters of judgement."""
        return tuple(problem for problem in self.dataset.problems if problem.is_advice)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as what ``json.dumps`` takes; the keys stay from version to version.

        ``image_dir``, ``num_photos``, ``num_classes``, ``classes``, ``formats``, ``width``,
        ``height``, ``problems`` (``kind``, ``message``, ``paths``, ``advice``), ``twins``
        (``in_class``, ``across_labels``, ``across_split``: ``path``, ``other``, ``difference``)
        and ``suggested_group_by``.
        """
        return {
            "image_dir": str(self.image_dir),
            "num_photos": len(self.dataset.examples),
            "num_classes": len(self.classes),
            "classes": [asdict(counts) for counts in self.classes],
            "formats": self.formats,
            "width": asdict(self.width),
            "height": asdict(self.height),
            "problems": [
                {**asdict(problem), "advice": problem.is_advice}
                for problem in self.dataset.problems
            ],
            "twins": asdict(self.twins),
            "suggested_group_by": self.suggested_group_by,
        }
