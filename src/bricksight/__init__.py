"""Train your own image classifier from a folder of photos and run it on a small board.

The names below are loaded when they are first used, so that ``import bricksight`` costs nothing.
Training is ``bricksight.training.retrain``.
"""

from typing import TYPE_CHECKING

from bricksight._support.lazy import on_use
from bricksight._version import __version__

if TYPE_CHECKING:
    from bricksight.bundle import Bundle, open_bundle
    from bricksight.config import (
        AugmentConfig,
        FineTuneConfig,
        HeadConfig,
        SplitConfig,
        TrainingConfig,
    )
    from bricksight.errors import BricksightError
    from bricksight.predict import Answer, GroupAnswer, Prediction, Predictor

__all__ = [
    "Answer",
    "AugmentConfig",
    "BricksightError",
    "Bundle",
    "FineTuneConfig",
    "GroupAnswer",
    "HeadConfig",
    "Prediction",
    "Predictor",
    "SplitConfig",
    "TrainingConfig",
    "__version__",
    "open_bundle",
]

_ROOM_OF = {
    "Answer": "predict",
    "AugmentConfig": "config",
    "BricksightError": "errors",
    "Bundle": "bundle",
    "FineTuneConfig": "config",
    "GroupAnswer": "predict",
    "HeadConfig": "config",
    "Prediction": "predict",
    "Predictor": "predict",
    "SplitConfig": "config",
    "TrainingConfig": "config",
    "open_bundle": "bundle",
}

__getattr__, __dir__ = on_use(__name__, _ROOM_OF)
