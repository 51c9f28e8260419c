"""Settings of cross-validation."""

from dataclasses import dataclass
from pathlib import Path

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_range
from bricksight.config._paths import take_paths
from bricksight.config._split import Layout, SplitConfig
from bricksight.config._types import take_types


@dataclass(frozen=True, kw_only=True)
class CrossValidationConfig:
    """Folds and repetitions of a cross-validation.

    Attributes:
        folds: Number of folds. Each fold is the test set once per seed.
        seeds: Number of repetitions, each with other folds and another seed.
        group_by: Regular expression for the photo's path. Photos with the same first capture group
            stay in one split or fold, such as photos of one object.
        learning_curve: Also train on a quarter, a half and three quarters of the photos, to see
            what more photos would bring.
        layout: "classes" treats every folder as a class. "auto" stops if folders look like splits,
            such as train and test, or like sessions.
        label_issues: List photos whose labels are probably wrong, and show them on a contact sheet
            in this JPEG file.
    """

    folds: int = 5
    seeds: int = 3
    group_by: str | None = None
    learning_curve: bool = False
    layout: Layout = "auto"
    label_issues: Path | None = None

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "folds", 2, 1000)
        require_range(self, "seeds", 1, 1000)
        SplitConfig(group_by=self.group_by)  # validates the regular expression
