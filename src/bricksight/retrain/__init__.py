"""The road from a folder of photos to a bundle."""

from bricksight.retrain._crossval import CrossvalResult, crossval
from bricksight.retrain._progress import Reporter, SilentReporter
from bricksight.retrain._workflow import RetrainResult, retrain

__all__ = [
    "CrossvalResult",
    "Reporter",
    "RetrainResult",
    "SilentReporter",
    "crossval",
    "retrain",
]
