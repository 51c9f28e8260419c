"""Features → head, by retrain.py's gradient descent or our own recipe; photos → tuned network."""

from bricksight.training._batches import NO_CLASS, Mixture, Pictures, read_pictures
from bricksight.training._calibration import Calibration, calibrate, with_others
from bricksight.training._examples import (
    OUTLIERS_WEIGHT,
    Examples,
    History,
    Measurement,
    Observer,
    TrainedHead,
    best_temperature,
    doubt_of,
)
from bricksight.training._folds import can_cross_validate
from bricksight.training._linear import DEFAULT_HEADS, Guidance, HeadChoice
from bricksight.training.choosing import (
    BOLDEST_POLICY,
    POLICIES,
    POLICY_OF_RENDERS,
    Score,
    choose_depths,
    choose_head,
    last_as_good,
    score_policy,
)
from bricksight.training.finetune import Begun, EpochSeen, Stage, Trainer, TrainerOptions
from bricksight.training.recipe import train_by_recipe
from bricksight.training.sgd import Checkpoint, train_by_sgd

__all__ = [
    "BOLDEST_POLICY",
    "DEFAULT_HEADS",
    "NO_CLASS",
    "OUTLIERS_WEIGHT",
    "POLICIES",
    "POLICY_OF_RENDERS",
    "Begun",
    "Calibration",
    "Checkpoint",
    "EpochSeen",
    "Examples",
    "Guidance",
    "HeadChoice",
    "History",
    "Measurement",
    "Mixture",
    "Observer",
    "Pictures",
    "Score",
    "Stage",
    "TrainedHead",
    "Trainer",
    "TrainerOptions",
    "best_temperature",
    "calibrate",
    "can_cross_validate",
    "choose_depths",
    "choose_head",
    "doubt_of",
    "last_as_good",
    "read_pictures",
    "score_policy",
    "train_by_recipe",
    "train_by_sgd",
    "with_others",
]
