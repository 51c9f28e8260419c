"""The functions of ``import bricksight as bs``."""

from bricksight.api.evaluation import ModelEvaluation, evaluate
from bricksight.api.functions import check, cross_validate, export, load, train

__all__ = [
    "ModelEvaluation",
    "check",
    "cross_validate",
    "evaluate",
    "export",
    "load",
    "train",
]
