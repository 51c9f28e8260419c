"""How photos are dealt to training, validation and testing."""

import re
from dataclasses import dataclass
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_range
from bricksight.config._paths import require_text
from bricksight.config._types import take_types
from bricksight.errors import ConfigError

SPLITS = ("training", "validation", "test")
"""The three sides of a split, in the order in which they are reported."""

Layout = Literal["auto", "classes"]

MOST_PATTERN_CHARACTERS = 1_000
"""How long a regular expression may be; they are read from bundles too."""


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How photos are dealt to training, validation and testing.

    Attributes:
        testing_percentage: Share of the photos kept for the final test, in percent.
        validation_percentage: Share of the photos that chooses the best step, in percent.
        group_by: Regular expression searched in each photo's path below image_dir; photos with the
            same first capture group (or the same match, if it captures nothing) stay on one side of
            the split: several photos of one object, frames of one video.
        limit_per_class: Use at most this many photos of each class, for a quick trial.
        layout: "auto" stops if the folders look like splits, such as train and test, or like
            sessions; "classes" treats every folder as a class.
    """

    testing_percentage: int = 10
    validation_percentage: int = 10
    group_by: str | None = None
    limit_per_class: int | None = None
    layout: Layout = "auto"

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        require_range(self, "testing_percentage", 0, 99)
        require_range(self, "validation_percentage", 0, 99)
        require_range(self, "limit_per_class", 1, 2**31)
        if self.testing_percentage + self.validation_percentage >= 100:
            raise ConfigError(
                f"--testing_percentage {self.testing_percentage} and --validation_percentage "
                f"{self.validation_percentage} leave nothing to train on; "
                "together they must stay under 100."
            )
        if self.group_by is not None:
            require_text(self.group_by, "--group_by")
            if len(self.group_by) > MOST_PATTERN_CHARACTERS:
                raise ConfigError(
                    f"--group_by has {len(self.group_by):,} characters; it may have at most "
                    f"{MOST_PATTERN_CHARACTERS:,}."
                )
            try:
                re.compile(self.group_by)
            except (re.error, RecursionError, OverflowError) as error:
                raise ConfigError(
                    f"--group_by {self.group_by!r} is not a regular expression ({error})."
                ) from error
