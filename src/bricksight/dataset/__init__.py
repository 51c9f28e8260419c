"""Scan a folder of photos: classes, examples, groups, splits, folds, and problems.

Files are hashed but not decoded, so that a scan is as fast as the disk.
"""

from bricksight.dataset._dataset import Dataset
from bricksight.dataset._examples import Example, Problem
from bricksight.dataset._folder import class_folders, label_fault
from bricksight.dataset._folds import make_folds, subsample
from bricksight.dataset._groups import group_by_for_pairs, group_keys, suggest_group_by
from bricksight.dataset._mirrors import mirrored_pairs
from bricksight.dataset._problems import suggested_groups, unreadable_files
from bricksight.dataset._scan import scan, scan_extra, scan_outliers
from bricksight.dataset._split import SPLIT_RULE_VERSION
from bricksight.dataset._summary import summaries, summary_of

__all__ = [
    "SPLIT_RULE_VERSION",
    "Dataset",
    "Example",
    "Problem",
    "class_folders",
    "group_by_for_pairs",
    "group_keys",
    "label_fault",
    "make_folds",
    "mirrored_pairs",
    "scan",
    "scan_extra",
    "scan_outliers",
    "subsample",
    "suggest_group_by",
    "suggested_groups",
    "summaries",
    "summary_of",
    "unreadable_files",
]
