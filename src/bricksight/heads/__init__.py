"""Linear heads on features: fit, select by cross-validation, calibrate.

``sgd`` is retrain.py's gradient descent.
"""

from bricksight.heads.calibration import Calibration, calibrate, with_background
from bricksight.heads.checkpoint import Checkpoint
from bricksight.heads.fit import train_by_recipe
from bricksight.heads.folds import can_cross_validate
from bricksight.heads.linear import DEFAULT_HEADS, HeadChoice, HeadPrior
from bricksight.heads.losses import OUTLIERS_WEIGHT, best_temperature, kt_error_rate
from bricksight.heads.results import History, Measurement, Observer, TrainedHead
from bricksight.heads.selection import (
    BOLDEST_POLICY,
    POLICIES,
    SYNTHETIC_POLICY,
    Score,
    choose_head,
    choose_num_scales,
    one_standard_error_rule,
    score_policy,
)
from bricksight.heads.sgd import train_by_sgd

__all__ = [
    "BOLDEST_POLICY",
    "DEFAULT_HEADS",
    "OUTLIERS_WEIGHT",
    "POLICIES",
    "SYNTHETIC_POLICY",
    "Calibration",
    "Checkpoint",
    "HeadChoice",
    "HeadPrior",
    "History",
    "Measurement",
    "Observer",
    "Score",
    "TrainedHead",
    "best_temperature",
    "calibrate",
    "can_cross_validate",
    "choose_head",
    "choose_num_scales",
    "kt_error_rate",
    "one_standard_error_rule",
    "score_policy",
    "train_by_recipe",
    "train_by_sgd",
    "with_background",
]
