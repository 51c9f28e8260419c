"""Everything that can be known about a folder of photos before training on it."""

from bricksight.quality._bursts import bursts
from bricksight.quality._check import check, near_duplicates
from bricksight.quality._report import CheckReport, ClassCounts, Spread
from bricksight.quality._sheets import (
    contact_sheet,
    write_captioned_sheet,
    write_contact_sheets,
    write_twin_sheet,
)
from bricksight.quality._twins import Twin, Twins

__all__ = [
    "CheckReport",
    "ClassCounts",
    "Spread",
    "Twin",
    "Twins",
    "bursts",
    "check",
    "contact_sheet",
    "near_duplicates",
    "write_captioned_sheet",
    "write_contact_sheets",
    "write_twin_sheet",
]
