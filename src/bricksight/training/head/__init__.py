"""Train a head on the features of a frozen backbone, by our recipe or as retrain.py does."""

from bricksight.features import FeaturizedDataset
from bricksight.training.batch_norm_adaptation import adapt_batch_norm
from bricksight.training.context import TrainedModel, TrainingContext
from bricksight.training.head.recipe import train_recipe_head
from bricksight.training.head.sgd import train_sgd_head
from bricksight.training.plan import HEAD

__all__ = ["train_head"]


def train_head(dataset: FeaturizedDataset, context: TrainingContext) -> TrainedModel:
    """Return the trained head, and the data set with the features that it takes.

    Raises:
        BackboneError: the backbone cannot be compiled.
        DataError: a photo that could be read before no longer can.
    """
    with context.progress.stage(HEAD):
        dataset = adapt_batch_norm(dataset, context)
        if context.config.head.uses_gradient_descent:
            return TrainedModel(dataset, train_sgd_head(dataset, context))
        return train_recipe_head(dataset, context)
