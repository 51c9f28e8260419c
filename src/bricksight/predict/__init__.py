"""The same answers from any runtime: same preprocessing, same labels, same unknown rule."""

from bricksight.images import Photo
from bricksight.predict._answers import Answer, GroupAnswer, Prediction
from bricksight.predict.predictor import Predictor
from bricksight.predict.runtimes import RUNTIMES, Runtime

__all__ = ["RUNTIMES", "Answer", "GroupAnswer", "Photo", "Prediction", "Predictor", "Runtime"]
