"""The report of a check: class counts, statistics and problems."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bricksight._support.reprs import short_repr
from bricksight._support.text import pluralize
from bricksight.dataset import Dataset, Problem
from bricksight.quality._near_duplicates import NearDuplicates


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Number of photos of a class.

    Attributes:
        label: The class.
        num_photos: Readable photos.
        num_groups: Groups, each of which stays in one split.
        training: Photos in the training split.
        validation: Photos in the validation split.
        test: Photos in the test split.
    """

    label: str
    num_photos: int
    num_groups: int
    training: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of some numbers."""

    min: int
    median: int
    max: int


@dataclass(frozen=True)
class CheckReport:
    """The result of ``bricksight check``.

    Attributes:
        dataset: The readable photos and all problems.
        classes: Counts of each class, in class order.
        formats: File format → number of photos, the most frequent first.
        width: Widths of the photos, in pixels.
        height: Heights of the photos, in pixels.
        near_duplicates: Photos that look nearly the same as another one.
        suggested_group_by: A value for ``--group_by`` that the file names suggest, or ``None``.
    """

    dataset: Dataset
    classes: tuple[ClassCounts, ...]
    formats: dict[str, int]
    width: Spread
    height: Spread
    near_duplicates: NearDuplicates
    suggested_group_by: str | None

    def __repr__(self) -> str:
        photos = pluralize(len(self.dataset.examples), "photo")
        classes = pluralize(len(self.classes), "class", "classes")
        faults = pluralize(len(self.faults), "fault")
        return short_repr(self, self.image_dir.name, f"{photos} of {classes}", faults)

    @property
    def image_dir(self) -> Path:
        """The folder that was checked."""
        return self.dataset.image_dir

    @property
    def faults(self) -> tuple[Problem, ...]:
        """Problems that should be fixed, and that ``--strict`` treats as errors."""
        return tuple(problem for problem in self.dataset.problems if not problem.is_advice)

    @property
    def advice(self) -> tuple[Problem, ...]:
        """Problems that the user may accept, such as blurred photos or small classes."""
        return tuple(problem for problem in self.dataset.problems if problem.is_advice)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for ``json.dumps``, with the same keys in all versions.

        The keys are ``image_dir``, ``num_photos``, ``num_classes``, ``classes``, ``formats``,
        ``width``, ``height``, ``problems`` (``kind``, ``message``, ``paths``, ``advice``),
        ``near_duplicates`` (``in_class``, ``across_labels``, ``across_split``: ``path``, ``other``,
        ``difference``) and ``suggested_group_by``.
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
            "near_duplicates": asdict(self.near_duplicates),
            "suggested_group_by": self.suggested_group_by,
        }
