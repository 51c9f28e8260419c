"""Linear heads on features: fitted, selected by cross-validation and calibrated.

``sgd`` is retrain.py's gradient descent.
"""

from bricksight.heads.calibration import Calibration, calibrate, with_others
from bricksight.heads.fit import train_by_recipe
from bricksight.heads.folds import can_cross_validate
from bricksight.heads.linear import DEFAULT_HEADS, Guidance, HeadChoice
from bricksight.heads.losses import OUTLIERS_WEIGHT, best_temperature, doubt_of
from bricksight.heads.results import History, Measurement, Observer, TrainedHead
from bricksight.heads.selection import (
    BOLDEST_POLICY,
    POLICIES,
    POLICY_OF_RENDERS,
    Score,
    choose_depths,
    choose_head,
    last_as_good,
    score_policy,
)
from bricksight.heads.sgd import Checkpoint, train_by_sgd

__all__ = [
    "BOLDEST_POLICY",
    "DEFAULT_HEADS",
    "OUTLIERS_WEIGHT",
    "POLICIES",
    "POLICY_OF_RENDERS",
    "Calibration",
    "Checkpoint",
    "Guidance",
    "HeadChoice",
    "History",
    "Measurement",
    "Observer",
    "Score",
    "TrainedHead",
    "best_temperature",
    "calibrate",
    "can_cross_validate",
    "choose_depths",
    "choose_head",
    "doubt_of",
    "last_as_good",
    "score_policy",
    "train_by_recipe",
    "train_by_sgd",
    "with_others",
]
