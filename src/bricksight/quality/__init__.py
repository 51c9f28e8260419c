"""Check a folder of photos before training: faults, near-duplicates, sharpness, contact sheets."""

from bricksight.quality._bursts import bursts
from bricksight.quality._check import check, find_near_duplicates
from bricksight.quality._near_duplicates import NearDuplicate, NearDuplicates
from bricksight.quality._report import CheckReport, ClassCounts, Spread
from bricksight.quality._sheets import (
    contact_sheet,
    write_captioned_sheet,
    write_contact_sheets,
    write_label_conflict_sheet,
)

__all__ = [
    "CheckReport",
    "ClassCounts",
    "NearDuplicate",
    "NearDuplicates",
    "Spread",
    "bursts",
    "check",
    "contact_sheet",
    "find_near_duplicates",
    "write_captioned_sheet",
    "write_contact_sheets",
    "write_label_conflict_sheet",
]
