"""Compute the features of a data set with a backbone: photos in, ``FeaturizedDataset`` out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.backbones import (
    Backbone,
    feature_dimensions,
    resolve,
    with_multi_scale,
    with_rotation_tta,
)
from bricksight.config import InputSpec, TrainingConfig
from bricksight.dataset import Dataset, Example, suggested_groups, unreadable_files
from bricksight.errors import DataError, ImageError
from bricksight.features._cache import default_cache_path
from bricksight.features._compile import CompiledBackbone, compile_backbone
from bricksight.features._extract import ORIGINAL, AugmentedCopies, FeatureSet, extract
from bricksight.features.featurized_dataset import FeatureBackbone, FeaturizedDataset
from bricksight.features.foreground_masks import find_foreground_masks
from bricksight.features.labeled_features import LabeledFeatures

_LOGGER = logging.getLogger(__name__)
_PHOTOS_TO_COMPILE_ON = 8
_MAX_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """Computes features of photos, or takes them from the cache.

    Methods raise ``BackboneError`` where a backbone cannot be loaded or compiled, ``DataError``
    where a photo that could be read before no longer can, and ``CacheError`` where the cache folder
    cannot be used.

    Attributes:
        cache_path: File of the feature cache.
        progress: Follows the work.
    """

    cache_path: Path = field(default_factory=default_cache_path)
    progress: Progress = field(default_factory=Progress)

    def featurize(
        self, data: Dataset, config: TrainingConfig, *, multi_scale: bool = False
    ) -> FeaturizedDataset:
        """Return the photos with their features, each photo read once.

        A photo that cannot be read is set aside, and the others are split again by the same rule,
        so that no split becomes empty.

        Args:
            data: the photos.
            config: names the backbone, and says whether unreadable photos are fatal.
            multi_scale: whether to compute the features of all scales, if the backbone has several
                and its reference does not name a number.

        Raises:
            DataError: a photo is unreadable and ``strict`` is set, or no photo can be read.
            ConfigError: masks, the empty scene or backgrounds cannot be used.
        """
        _suggest_groups(data)
        backbone = self._load(data, config, multi_scale=multi_scale)
        found = self._extract(data.examples, backbone.compiled)
        if found.failures and config.data.strict:
            raise DataError(
                _named(found.failures)
                + "\n  Remove them, or leave out --strict to have them set aside."
            )
        # Set aside by path: the order of the other examples stays that of the features.
        data = data.without(found.failures)
        extra_features = self._extra_features(data, backbone, config)
        data, outlier_features = self._outlier_features(data, backbone, config)
        return FeaturizedDataset(
            data=data,
            backbone=backbone,
            features=found.features,
            extra_features=extra_features,
            outlier_features=outlier_features,
            foreground_masks=find_foreground_masks(data.examples, config.data, self.progress),
        )

    def with_configured_backbone(
        self, dataset: FeaturizedDataset, config: TrainingConfig, *, multi_scale: bool
    ) -> FeaturizedDataset:
        """Return the same photos, seen by the backbone that ``config`` names."""
        return self.with_features_of(
            dataset, self._load(dataset.data, config, multi_scale=multi_scale)
        )

    def with_features_of(
        self, dataset: FeaturizedDataset, backbone: FeatureBackbone
    ) -> FeaturizedDataset:
        """Return the same photos, seen by a compiled backbone."""
        data = dataset.data
        return replace(
            dataset,
            backbone=backbone,
            features=self._features(data.examples, backbone.compiled),
            extra_features=self._features(data.extra, backbone.single_view)[:, 0],
            outlier_features=self._features(data.outliers, backbone.compiled),
        )

    def with_backbone(self, dataset: FeaturizedDataset, base: Backbone) -> FeaturizedDataset:
        """Return the same photos, seen by another backbone of the same layers and input size."""
        now = dataset.backbone
        return self.with_features_of(
            dataset, self._compile(dataset.data, base, now.features_per_scale, now.num_rotations)
        )

    def with_rotation_tta(
        self, dataset: FeaturizedDataset, num_rotations: int
    ) -> FeaturizedDataset:
        """Return the same photos with the mean of the features over rotated copies."""
        now = dataset.backbone
        backbone = self._compile(dataset.data, now.base, now.features_per_scale, num_rotations)
        return self.with_features_of(dataset, backbone)

    def with_scales(self, dataset: FeaturizedDataset, num_scales: int) -> FeaturizedDataset:
        """Return the same photos with the features of the first scales only."""
        now = dataset.backbone
        if num_scales == len(now.features_per_scale):
            return dataset
        backbone = self._compile(
            dataset.data, now.base, now.features_per_scale[:num_scales], now.num_rotations
        )
        number = backbone.compiled.num_features
        return replace(
            dataset,
            backbone=backbone,
            features=dataset.features[..., :number],
            extra_features=dataset.extra_features[..., :number],
            outlier_features=dataset.outlier_features[..., :number],
        )

    def augmented(
        self,
        dataset: FeaturizedDataset,
        examples: Sequence[Example],
        copies: Sequence[AugmentedCopies],
    ) -> LabeledFeatures:
        """Return the original photos, followed by augmented copies of each."""
        found = [dataset.of(examples).features]
        found += [self.copies(dataset, examples, one) for one in copies]
        return dataset.label(examples, np.concatenate(found, axis=1))

    def augmented_outliers(
        self, dataset: FeaturizedDataset, copies: Sequence[AugmentedCopies]
    ) -> np.ndarray | None:
        """Return the outliers that are trained on, the originals first; ``None`` without any.

        Returns:
            float32 (num_outliers, num_copies, num_features).
        """
        outliers = dataset.data.outliers
        rows = [row for row, one in enumerate(outliers) if one.split == "training"]
        if not rows:
            return None
        examples = [outliers[row] for row in rows]
        found = [self.copies(dataset, examples, one) for one in copies]
        return np.concatenate([dataset.outlier_features[rows], *found], axis=1)

    def copies(
        self, dataset: FeaturizedDataset, examples: Sequence[Example], copies: AugmentedCopies
    ) -> np.ndarray:
        """Return the features of copies, float32 (num_examples, num_copies, num_features)."""
        copies = replace(copies, foreground_masks=dataset.foreground_masks)
        return _require_read(self._extract(examples, dataset.backbone.single_view, copies)).features

    def _load(self, data: Dataset, config: TrainingConfig, *, multi_scale: bool) -> FeatureBackbone:
        with self.progress.stage("Loading the backbone"):
            base = resolve(config.backbone.reference, trust=config.backbone.trust)
            base = replace(base, input_spec=replace(base.input_spec, resize=config.backbone.resize))
            features_per_scale = _features_per_scale(base) if multi_scale else ()
        return self._compile(data, base, features_per_scale, config.backbone.tta or 1)

    def _compile(
        self,
        data: Dataset,
        base: Backbone,
        features_per_scale: tuple[int, ...],
        num_rotations: int,
    ) -> FeatureBackbone:
        def compiled(backbone: Backbone) -> CompiledBackbone:
            return compile_backbone(backbone, images=lambda spec: _first_readable(data, spec))

        has_scales = len(features_per_scale) > 1
        backbone = with_multi_scale(base, len(features_per_scale)) if has_scales else base
        with self.progress.stage("Compiling the backbone"):
            single_view = with_tta = compiled(backbone)
            if num_rotations > 1:
                with_tta = compiled(with_rotation_tta(backbone, num_rotations))
        return FeatureBackbone(
            base=base,
            single_view=single_view,
            compiled=with_tta,
            num_rotations=num_rotations,
            features_per_scale=features_per_scale or (single_view.num_features,),
        )

    def _extra_features(
        self, data: Dataset, backbone: FeatureBackbone, config: TrainingConfig
    ) -> np.ndarray:
        found = self._extract(data.extra, backbone.single_view)
        if found.failures:
            raise DataError(
                _named(found.failures)
                + f"\n  Remove them from {config.data.extra_train_dir}, or make them again."
            )
        only: np.ndarray = found.features[:, 0]
        return only

    def _outlier_features(
        self, data: Dataset, backbone: FeatureBackbone, config: TrainingConfig
    ) -> tuple[Dataset, np.ndarray]:
        """Return the data set without unreadable outliers, and the features of the others."""
        found = self._extract(data.outliers, backbone.compiled)
        if found.failures and (config.data.strict or not found.examples):
            raise DataError(
                _named(found.failures) + f"\n  Remove them from {config.data.unknown_dir}."
            )
        problems = (*data.problems, *unreadable_files(found.failures))
        return replace(data, outliers=found.examples, problems=problems), found.features

    def _features(self, examples: Sequence[Example], compiled: CompiledBackbone) -> np.ndarray:
        """Return the features of original photos, float32 (num_examples, 1, num_features)."""
        return _require_read(self._extract(examples, compiled)).features

    def _extract(
        self,
        examples: Sequence[Example],
        compiled: CompiledBackbone,
        copies: AugmentedCopies = ORIGINAL,
    ) -> FeatureSet:
        if not examples:
            return FeatureSet.empty(compiled.num_features)
        num_copies = len(copies.keys)
        title = "Computing features"
        if num_copies > 1:
            title = f"Computing features of {num_copies} augmented copies"
        with self.progress.stage(title, len(examples)) as advance:
            return extract(
                examples,
                compiled=compiled,
                copies=copies,
                cache_path=self.cache_path,
                advance=advance,
            )


def _suggest_groups(data: Dataset) -> None:
    """Warn before the training of what is reported beside the accuracy after it."""
    for problem in suggested_groups(data.examples, data.split):
        _LOGGER.warning("%s", problem.message)


def _features_per_scale(base: Backbone) -> tuple[int, ...]:
    """Return how many features each scale adds; empty where there is nothing to choose from."""
    # A number that the reference names is not chosen again; a graph has only one scale.
    if base.num_scales is not None or base.network_builder is None:
        return ()
    return feature_dimensions(base)


def _require_read(found: FeatureSet) -> FeatureSet:
    if found.failures:
        raise DataError(_named(found.failures) + "\n  They could be read a moment ago.")
    return found


def _first_readable(data: Dataset, spec: InputSpec) -> np.ndarray:
    """Return the first readable photos, float32 (num_photos, height, width, 3)."""
    found: list[np.ndarray] = []
    for example in data.examples:
        if len(found) == _PHOTOS_TO_COMPILE_ON:
            break
        try:
            found.append(images.load_input(example.path, spec))
        except ImageError:
            continue  # reported when its features are computed
    if not found:
        raise DataError(f"{data.image_dir} holds no photo that can be read.")
    return np.stack(found)


def _named(failures: dict[str, str]) -> str:
    lines = [f"  {path}: {reason}" for path, reason in sorted(failures.items())[:_MAX_NAMED]]
    if len(failures) > _MAX_NAMED:
        lines.append(f"  and {len(failures) - _MAX_NAMED} more")
    return f"{pluralize(len(failures), 'photo')} cannot be read:\n" + "\n".join(lines)
