"""Everything that can be known about a folder of photos before training on it."""

from bricksight.check._bursts import bursts
from bricksight.check._check import check, near_duplicates
from bricksight.check._report import CheckReport, ClassCounts, Spread
from bricksight.check._sheets import (
    contact_sheet,
    write_captioned_sheet,
    write_contact_sheets,
    write_twin_sheet,
)
from bricksight.check._twins import Twin, Twins

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
