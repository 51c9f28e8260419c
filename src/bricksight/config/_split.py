"""Settings of the split into training, validation and test photos."""

import re
from dataclasses import dataclass
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_range
from bricksight.config._paths import require_text
from bricksight.config._types import take_types
from bricksight.errors import ConfigError

SPLITS = ("training", "validation", "test")
"""The three splits, in the order in which they are reported."""

Layout = Literal["auto", "classes"]

MOST_PATTERN_CHARACTERS = 1_000
"""Longest regular expression accepted; bundles hold them too."""


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How photos are split into training, validation and test.

    Attributes:
        testing_percentage: Percent of the photos kept for the final test.
        validation_percentage: Percent of the photos used for validation.
        group_by: Regular expression for the photo's path. Photos with the same first capture group
            stay in one split or fold, such as photos of one object.
        limit_per_class: Use at most this many photos of each class, for a quick trial.
        layout: "classes" treats every folder as a class. "auto" stops if folders look like splits,
            such as train and test, or like sessions.
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
