"""Evaluate a classifier: metrics, confidence intervals, calibration, unknown threshold.

All functions take arrays of probabilities and true classes, not a model, so that every runtime is
evaluated in the same way.
"""

from bricksight.evaluation._calibration import ReliabilityBin
from bricksight.evaluation._intervals import Interval, wilson_interval
from bricksight.evaluation._result import (
    CONSENSUS_VOTES,
    Answered,
    ClassScores,
    ConfusedPair,
    Evaluation,
    GroupScores,
    Mistake,
)
from bricksight.evaluation._scores import evaluate
from bricksight.evaluation._unknown import (
    NONE_REJECTED,
    Rejected,
    fewest_for_threshold,
    rejected,
    unknown_threshold,
)
from bricksight.evaluation._warnings import trained_on, warnings_of

__all__ = [
    "CONSENSUS_VOTES",
    "NONE_REJECTED",
    "Answered",
    "ClassScores",
    "ConfusedPair",
    "Evaluation",
    "GroupScores",
    "Interval",
    "Mistake",
    "Rejected",
    "ReliabilityBin",
    "evaluate",
    "fewest_for_threshold",
    "rejected",
    "trained_on",
    "unknown_threshold",
    "warnings_of",
    "wilson_interval",
]
