"""Train your own image classifier from a folder of photos and run it on a small board.

The names below are loaded when they are first used, so that ``import bricksight`` costs nothing.
Training is ``bricksight.training.retrain``.
"""

from typing import TYPE_CHECKING

from bricksight._support.lazy import on_use
from bricksight._version import __version__

if TYPE_CHECKING:
    from bricksight.api import (
        ModelEvaluation,
        check,
        cross_validate,
        evaluate,
        export,
        load,
        train,
    )
    from bricksight.bundle import Bundle, open_bundle
    from bricksight.config import (
        AugmentConfig,
        FineTuneConfig,
        HeadConfig,
        SplitConfig,
        TrainingConfig,
    )
    from bricksight.errors import BricksightError, ConfigError
    from bricksight.predict import Answer, ObjectAnswer, Prediction, Predictor

__all__ = [
    "Answer",
    "AugmentConfig",
    "BricksightError",
    "Bundle",
    "ConfigError",
    "FineTuneConfig",
    "HeadConfig",
    "ModelEvaluation",
    "ObjectAnswer",
    "Prediction",
    "Predictor",
    "SplitConfig",
    "TrainingConfig",
    "__version__",
    "check",
    "cross_validate",
    "evaluate",
    "export",
    "load",
    "open_bundle",
    "train",
]

_ROOM_OF = {
    "ModelEvaluation": "api",
    "check": "api",
    "cross_validate": "api",
    "evaluate": "api",
    "export": "api",
    "load": "api",
    "train": "api",
    "Answer": "predict",
    "AugmentConfig": "config",
    "BricksightError": "errors",
    "Bundle": "bundle",
    "ConfigError": "errors",
    "FineTuneConfig": "config",
    "ObjectAnswer": "predict",
    "HeadConfig": "config",
    "Prediction": "predict",
    "Predictor": "predict",
    "SplitConfig": "config",
    "TrainingConfig": "config",
    "open_bundle": "bundle",
}

__getattr__, __dir__ = on_use(__name__, _ROOM_OF)
