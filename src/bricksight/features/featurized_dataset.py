"""The data set as seen by a backbone: examples, backbone and features, always consistent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bricksight.backbones import Backbone
from bricksight.config import InputSpec
from bricksight.dataset import Dataset, Example
from bricksight.features._compile import CompiledBackbone
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.images import ForegroundMasks


@dataclass(frozen=True, kw_only=True)
class FeatureBackbone:
    """A backbone in the forms that a training needs.

    Attributes:
        base: The pretrained network, with the features of its last layer only.
        single_view: Compiled, with multi-scale features and without rotation TTA. Augmented copies
            and extra photos are seen by it: they are rotated enough already.
        compiled: The same with rotation TTA, as the model will hold it.
        num_rotations: Rotated copies that ``compiled`` averages over; 1 for no rotation TTA.
        features_per_scale: Number of features that each scale adds, the last layer's first.
    """

    base: Backbone
    single_view: CompiledBackbone
    compiled: CompiledBackbone
    num_rotations: int
    features_per_scale: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class FeaturizedDataset:
    """Photos that can all be read, a backbone, and its features of the original photos.

    Another backbone gives another object; see ``FeatureExtractor``.

    Attributes:
        data: The photos.
        backbone: The backbone.
        features: float32 (num_examples, 1, num_features), in the order of ``data.examples``.
        extra_features: float32 (num_extra, num_features), in the order of ``data.extra``.
        outlier_features: float32 (num_outliers, 1, num_features), in the order of
            ``data.outliers``.
        foreground_masks: Where the objects are, and what augmentation shows behind them.
        backbone_losses: Reference of each backbone that was compared with this one → cross entropy
            of held-out photos, in nats; empty where there was no choice.
    """

    data: Dataset
    backbone: FeatureBackbone
    features: np.ndarray
    extra_features: np.ndarray
    outlier_features: np.ndarray
    foreground_masks: ForegroundMasks | None = None
    backbone_losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.data.labels)

    @property
    def input_spec(self) -> InputSpec:
        """The image size that the backbone takes."""
        return self.backbone.compiled.backbone.input_spec

    def in_split(self, split: str) -> LabeledFeatures:
        """Return the features of a split, in the order of ``data.in_split``."""
        return self.of(self.data.in_split(split))

    def of(self, examples: Sequence[Example]) -> LabeledFeatures:
        """Return the features of these examples of the data set."""
        row_of = {example.relative_path: row for row, example in enumerate(self.data.examples)}
        rows = [row_of[example.relative_path] for example in examples]
        return self.label(examples, self.features[rows])

    def label(self, examples: Sequence[Example], features: np.ndarray) -> LabeledFeatures:
        """Return features with the labels and groups of their examples.

        Args:
            examples: examples of the data set.
            features: float32 (num_examples, num_copies, num_features).
        """
        _, groups = np.unique([example.group for example in examples], return_inverse=True)
        labels = self.data.label_indices(examples)
        return LabeledFeatures(features=features, labels=labels, groups=groups)

    def held_out_outliers(self) -> np.ndarray:
        """Return the outliers that are not trained on, float32 (num_outliers, num_features)."""
        is_held_out = [example.split != "training" for example in self.data.outliers]
        held_out: np.ndarray = self.outlier_features[np.array(is_held_out, bool), 0]
        return held_out
