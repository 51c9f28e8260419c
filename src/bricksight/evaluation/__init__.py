"""Figures from arrays: how often a classifier is right, where it is wrong, how sure that is.

The room takes probabilities and true classes, never a model, so it scores every runtime alike.
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
    ENOUGH_PHOTOS,
    NONE_REFUSED,
    Refused,
    refused,
    unknown_threshold,
)

__all__ = [
    "CONSENSUS_VOTES",
    "ENOUGH_PHOTOS",
    "NONE_REFUSED",
    "Answered",
    "ClassScores",
    "ConfusedPair",
    "Evaluation",
    "GroupScores",
    "Interval",
    "Mistake",
    "Refused",
    "ReliabilityBin",
    "evaluate",
    "refused",
    "unknown_threshold",
    "wilson_interval",
]
