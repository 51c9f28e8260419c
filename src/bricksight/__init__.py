"""Train your own image classifier from a folder of photos and run it on a small board.

Example:
    >>> import bricksight as bs
    >>> result = bs.train("photos", out="photos-model")
    >>> bs.load("photos-model").predict("photo.jpg").label

Names are imported on first use, so ``import bricksight`` itself takes no time.
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
        BackboneConfig,
        CrossValidationConfig,
        DataConfig,
        FilesConfig,
        FineTuneConfig,
        HeadConfig,
        OutputConfig,
        SplitConfig,
        TrainingConfig,
    )
    from bricksight.errors import (
        BackboneError,
        BricksightError,
        BundleError,
        ConfigError,
        DataError,
        ExportError,
        ImageError,
        MissingPackageError,
        OutputError,
    )
    from bricksight.formats import ExportedFile
    from bricksight.predict import Answer, ObjectAnswer, Prediction, Predictor
    from bricksight.quality import CheckReport
    from bricksight.training import CrossValidationResult as CrossValidationResult
    from bricksight.training import TrainingResult as TrainingResult

# Without TrainingResult and CrossValidationResult, which need the extra ``train``: a star import
# works in every installation.
__all__ = [
    "Answer",
    "AugmentConfig",
    "BackboneConfig",
    "BackboneError",
    "BricksightError",
    "Bundle",
    "BundleError",
    "CheckReport",
    "ConfigError",
    "CrossValidationConfig",
    "DataConfig",
    "DataError",
    "ExportError",
    "ExportedFile",
    "FilesConfig",
    "FineTuneConfig",
    "HeadConfig",
    "ImageError",
    "MissingPackageError",
    "ModelEvaluation",
    "ObjectAnswer",
    "OutputConfig",
    "OutputError",
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
    "Answer": "predict",
    "AugmentConfig": "config",
    "BackboneConfig": "config",
    "BackboneError": "errors",
    "BricksightError": "errors",
    "Bundle": "bundle",
    "BundleError": "errors",
    "CheckReport": "quality",
    "ConfigError": "errors",
    "CrossValidationResult": "training",
    "CrossValidationConfig": "config",
    "DataConfig": "config",
    "DataError": "errors",
    "ExportError": "errors",
    "ExportedFile": "formats",
    "FilesConfig": "config",
    "FineTuneConfig": "config",
    "HeadConfig": "config",
    "ImageError": "errors",
    "MissingPackageError": "errors",
    "ModelEvaluation": "api",
    "ObjectAnswer": "predict",
    "OutputConfig": "config",
    "OutputError": "errors",
    "Prediction": "predict",
    "Predictor": "predict",
    "SplitConfig": "config",
    "TrainingConfig": "config",
    "TrainingResult": "training",
    "check": "api",
    "cross_validate": "api",
    "evaluate": "api",
    "export": "api",
    "load": "api",
    "open_bundle": "bundle",
    "train": "api",
}

__getattr__, __dir__ = on_use(__name__, _ROOM_OF)
