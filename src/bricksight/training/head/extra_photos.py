"""Add extra photos, such as renders, to the features that a head is trained on."""

from bricksight.features import FeaturizedDataset, LabeledFeatures
from bricksight.training.context import TrainingContext


def with_extra_photos(
    dataset: FeaturizedDataset, labeled: LabeledFeatures, context: TrainingContext
) -> LabeledFeatures:
    """Return the training photos with the extra photos, which take no part in any selection."""
    extra = dataset.data.extra
    if not extra:
        return labeled
    labels = dataset.data.label_indices(extra)
    return labeled.with_extra(dataset.extra_features, labels, share=context.config.data.extra_share)
