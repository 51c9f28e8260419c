"""Settings of cross-validation."""

from dataclasses import dataclass
from pathlib import Path

from bricksight.config._checks import require_range
from bricksight.config._paths import take_paths
from bricksight.config._split import Layout, SplitConfig
from bricksight.config._types import take_types


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig:
    """How often a recipe is measured.

    Attributes:
        folds: Number of folds; each is tested on once a seed.
        seeds: How many times all of it is done, with other folds and another seed.
        group_by: Regular expression for photos that belong together; see `bricksight retrain`.
        learning_curve: Also train on a quarter, a half and three quarters of the photos, once each,
            to see what more of them would bring.
        layout: "classes" treats every folder as a class; see `bricksight retrain`.
        suspects: Name the photos whose labels are probably wrong, and show them on a sheet in this
            JPEG file.
    """

    folds: int = 5
    seeds: int = 3
    group_by: str | None = None
    learning_curve: bool = False
    layout: Layout = "auto"
    suspects: Path | None = None

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        require_range(self, "folds", 2, 1000)
        require_range(self, "seeds", 1, 1000)
        SplitConfig(group_by=self.group_by)  # refuses what is no regular expression
