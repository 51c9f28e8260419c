"""Features → head: retrain.py's gradient descent, and our own recipe for few photos."""

from bricksight.training._examples import Examples, History, Measurement, Observer, TrainedHead
from bricksight.training.recipe import (
    DEFAULT_L2,
    POLICIES,
    can_cross_validate,
    choose_l2,
    score_policy,
    train_by_recipe,
)
from bricksight.training.sgd import Checkpoint, train_by_sgd

__all__ = [
    "DEFAULT_L2",
    "POLICIES",
    "Checkpoint",
    "Examples",
    "History",
    "Measurement",
    "Observer",
    "TrainedHead",
    "can_cross_validate",
    "choose_l2",
    "score_policy",
    "train_by_recipe",
    "train_by_sgd",
]
