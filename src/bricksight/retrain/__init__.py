"""The road from a folder of photos to a bundle."""

from bricksight.retrain._crossval import CrossvalResult, CurvePoint, crossval
from bricksight.retrain._findings import Findings
from bricksight.retrain._progress import Reporter, SilentReporter
from bricksight.retrain._suspects import Suspect
from bricksight.retrain._workflow import RetrainResult, retrain

__all__ = [
    "CrossvalResult",
    "CurvePoint",
    "Findings",
    "Reporter",
    "RetrainResult",
    "SilentReporter",
    "Suspect",
    "crossval",
    "retrain",
]
