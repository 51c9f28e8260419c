"""Classify photos in any runtime, with the same preprocessing and the same unknown rule."""

from bricksight.images import Photo
from bricksight.predict._answers import Answer, ObjectAnswer, Prediction
from bricksight.predict.predictor import Predictor
from bricksight.predict.runtimes import RUNTIMES, Runtime

__all__ = ["RUNTIMES", "Answer", "ObjectAnswer", "Photo", "Prediction", "Predictor", "Runtime"]
