"""A data set seen through a network: scanned, read once, bad photos set aside, dealt."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight._support.progress import StageTimer
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
from bricksight.features import (
    PLAIN,
    CompiledBackbone,
    FeatureSet,
    LabeledFeatures,
    Views,
    compile_backbone,
    extract,
)
from bricksight.features.foreground_masks import find_foreground_masks
from bricksight.images import ForegroundMasks

_LOGGER = logging.getLogger(__name__)
_PHOTOS_TO_COMPILE_ON = 8
_MAX_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class FeaturizedDataset:
    """Photos that can all be read, and the features of the unchanged ones.

    Attributes:
        data: The photos.
        compiled: The network, as the model will hold it.
        once: The same where it sees a photo once, not its turned copies too. Random views and extra
            photos are seen so: what is learned from is turned enough.
        num_rotations: How many copies of a photo, itself among them, ``compiled`` sees.
        cache_path: The feature cache.
        watch: Shows and times the work.
        matrix: float32 (num_examples, 1, num_features), in the order of ``data.examples``.
        extra: float32 (num_extra, num_features), in the order of ``data.extra``.
        outliers: float32 (num_outliers, 1, num_features), in the order of ``data.outliers``.
        own: The network with nothing but its own features.
        widths: How many features each depth of ``compiled`` adds; one number where there is nothing
            to choose from.
        cutouts: Where the objects are, and what random views show behind them.
        chosen_from: Networks that this one was chosen from → cross entropy of held-out photos, in
            nats; empty where there was no choice.
    """

    data: Dataset
    compiled: CompiledBackbone
    once: CompiledBackbone
    num_rotations: int
    cache_path: Path
    watch: StageTimer
    matrix: np.ndarray
    extra: np.ndarray
    outliers: np.ndarray
    own: Backbone
    widths: tuple[int, ...]
    cutouts: ForegroundMasks | None = None
    chosen_from: Mapping[str, float] = field(default_factory=dict)

    def plain(self, split: str) -> tuple[tuple[Example, ...], LabeledFeatures]:
        """Returns the photos of one side of the split with their features, unchanged."""
        examples = self.data.in_split(split)
        return examples, self.unchanged(examples)

    def unchanged(self, examples: Sequence[Example]) -> LabeledFeatures:
        """Returns photos with their features, unchanged."""
        row_of = {example.relative_path: row for row, example in enumerate(self.data.examples)}
        rows = [row_of[example.relative_path] for example in examples]
        return self._examples(examples, self.matrix[rows])

    def views(self, examples: Sequence[Example], views: Views) -> LabeledFeatures:
        """Returns the photos with the features of ``views``.

        Raises:
            DataError: a photo that could be read before cannot be read any more.
        """
        return self._examples(examples, self._again(examples, views))

    def outlier_views(self, kinds: Sequence[Views]) -> np.ndarray | None:
        """Returns the photos of none of the classes that are trained on; ``None`` without any.

        The unchanged photo comes first: float32 (num_photos, num_views, num_features).

        Raises:
            DataError: a photo that could be read before cannot be read any more.
        """
        rows = [row for row, one in enumerate(self.data.outliers) if one.split == "training"]
        if not rows:
            return None
        examples = [self.data.outliers[row] for row in rows]
        views = [self._again(examples, one) for one in kinds]
        return np.concatenate([self.outliers[rows], *views], axis=1)

    def held_out_outliers(self) -> np.ndarray:
        """Returns those that are not trained on, unchanged: float32 (num_photos, num_features)."""
        held_out = [example.split != "training" for example in self.data.outliers]
        plain: np.ndarray = self.outliers[np.array(held_out, bool), 0]
        return plain

    def _again(self, examples: Sequence[Example], views: Views) -> np.ndarray:
        views = replace(views, cutouts=self.cutouts)
        found = _extract(examples, self.once, views, self.cache_path, self.watch)
        return _all_read(found).matrix

    def with_rotations(self, num_rotations: int) -> "FeaturizedDataset":
        """Returns the same photos with the mean of the features of so many turned copies.

        Raises:
            BackboneError: the network takes no square images, or cannot be compiled.
            DataError: a photo that could be read before cannot be read any more.
        """
        return through(replace(self, num_rotations=num_rotations), self.once.module)

    def of_depths(self, depths: int) -> "FeaturizedDataset":
        """Returns the same photos with the features of the first ``depths`` depths alone.

        Raises:
            BackboneError: the network cannot be compiled.
            CacheError: the cache folder cannot be used.
        """
        if depths == len(self.widths):
            return self
        once, compiled = _compile(self.data, with_multi_scale(self.own, depths), self.num_rotations)
        return replace(
            self,
            compiled=compiled,
            once=once,
            matrix=self.matrix[..., : compiled.num_features],
            extra=self.extra[..., : compiled.num_features],
            outliers=self.outliers[..., : compiled.num_features],
            widths=(compiled.num_features,),
        )

    def _examples(self, examples: Sequence[Example], matrix: np.ndarray) -> LabeledFeatures:
        _, groups = np.unique([example.group for example in examples], return_inverse=True)
        return LabeledFeatures(
            features=matrix, labels=self.data.label_indices(examples), groups=groups
        )


def featurize(
    data: Dataset,
    config: TrainingConfig,
    *,
    cache_path: Path,
    watch: StageTimer,
    all_depths: bool = False,
) -> FeaturizedDataset:
    """Returns the photos, each read once by the network.

    A photo that cannot be read is set aside, and the others are dealt again by the same rule, so
    that no side of the split is left empty by it.

    Args:
        data: the photos.
        config: names the network, and says how strict to be.
        cache_path: the feature cache.
        watch: shows and times the work.
        all_depths: whether to compute the features of all depths of the network, if it has several
            and the reference does not say which.

    Raises:
        DataError: a photo is bad and ``strict`` is set, or none can be read.
        BackboneError: the network cannot be had.
        ConfigError: masks, the empty scene or backgrounds cannot be used.
        CacheError: the cache folder cannot be used.
    """
    _suggest_groups(data)
    num_rotations = config.backbone.tta or 1
    own, widths, (once, compiled) = _open_network(data, config, watch=watch, all_depths=all_depths)
    found = _extract(data.examples, compiled, PLAIN, cache_path, watch)
    if found.failures and config.data.strict:
        raise DataError(
            _named(found.failures)
            + "\n  Remove them, or leave out --strict to have them set aside."
        )
    # Set aside by path: the order of the other examples stays that of the matrix.
    data = data.without(found.failures)
    extra = _extract(data.extra, once, PLAIN, cache_path, watch) if data.extra else found
    if data.extra and extra.failures:
        raise DataError(
            _named(extra.failures)
            + f"\n  Remove them from {config.data.extra_train_dir}, or render them "
            "again."
        )
    outliers = found.matrix[:0]
    if data.outliers:
        read = _extract(data.outliers, compiled, PLAIN, cache_path, watch)
        data, outliers = _without_bad_outliers(data, read, config), read.matrix
    return FeaturizedDataset(
        data=data,
        compiled=compiled,
        once=once,
        num_rotations=num_rotations,
        cache_path=cache_path,
        watch=watch,
        matrix=found.matrix,
        extra=extra.matrix[:, 0],
        outliers=outliers,
        own=own,
        widths=widths or (compiled.num_features,),
        cutouts=find_foreground_masks(data.examples, config.data, watch),
    )


def _open_network(
    data: Dataset, config: TrainingConfig, *, watch: StageTimer, all_depths: bool
) -> tuple[Backbone, tuple[int, ...], tuple[CompiledBackbone, CompiledBackbone]]:
    """Returns the network with its own features, what each depth adds, and all of it compiled."""
    with watch.stage("Finding the network"):
        own = resolve(config.backbone.reference, trust=config.backbone.trust)
        own = replace(own, input_spec=replace(own.input_spec, resize=config.backbone.resize))
        widths = _widths(own) if all_depths else ()
        module = with_multi_scale(own, len(widths)) if len(widths) > 1 else own
    with watch.stage("Compiling the network"):
        return own, widths, _compile(data, module, config.backbone.tta or 1)


def _compile(
    data: Dataset, module: Backbone, num_rotations: int
) -> tuple[CompiledBackbone, CompiledBackbone]:
    """Returns the network that sees a photo once, and the one that sees its turned copies too."""

    def compiled(one: Backbone) -> CompiledBackbone:
        return compile_backbone(one, images=lambda spec: _readable(data, spec))

    once = compiled(module)
    return once, once if num_rotations == 1 else compiled(with_rotation_tta(module, num_rotations))


def with_backbone_of(
    photos: FeaturizedDataset, config: TrainingConfig, *, all_depths: bool
) -> FeaturizedDataset:
    """Returns the same photos seen by the network that ``config`` names.

    Raises:
        BackboneError: the network cannot be had.
        DataError: a photo that could be read before cannot be read any more.
    """
    own, widths, (once, compiled) = _open_network(
        photos.data, config, watch=photos.watch, all_depths=all_depths
    )
    return replace(
        _all_seen(photos, once, compiled), own=own, widths=widths or (compiled.num_features,)
    )


def with_backbone(photos: FeaturizedDataset, own: Backbone) -> FeaturizedDataset:
    """Returns the same photos, seen by another network of the same layers and input size.

    Raises:
        BackboneError: the network cannot be compiled.
        DataError: a photo that could be read before cannot be read any more.
    """
    module = with_multi_scale(own, len(photos.widths)) if len(photos.widths) > 1 else own
    with photos.watch.stage("Compiling the network"):
        once, compiled = _compile(photos.data, module, photos.num_rotations)
    return replace(_all_seen(photos, once, compiled), own=own)


def _all_seen(
    photos: FeaturizedDataset, once: CompiledBackbone, compiled: CompiledBackbone
) -> FeaturizedDataset:
    data = photos.data
    return replace(
        photos,
        compiled=compiled,
        once=once,
        matrix=_plain_features(photos, data.examples, compiled),
        extra=_plain_features(photos, data.extra, once)[:, 0],
        outliers=_plain_features(photos, data.outliers, compiled),
    )


def _widths(module: Backbone) -> tuple[int, ...]:
    """Returns how many features each depth adds; none where there is nothing to choose from."""
    # What was asked for in the reference is not chosen again; a graph has no depths.
    if module.depths is not None or module.network_builder is None:
        return ()
    return feature_dimensions(module)


def _suggest_groups(data: Dataset) -> None:
    """Says before the training what stands beside the accuracy after it."""
    for problem in suggested_groups(data.examples, data.split):
        _LOGGER.warning("%s", problem.message)


def _without_bad_outliers(data: Dataset, found: FeatureSet, config: TrainingConfig) -> Dataset:
    """Returns the data set without the photos of none of the classes that cannot be read."""
    if found.failures and (config.data.strict or not found.examples):
        raise DataError(_named(found.failures) + f"\n  Remove them from {config.data.unknown_dir}.")
    problems = (*data.problems, *unreadable_files(found.failures))
    return replace(data, outliers=found.examples, problems=problems)


def through(photos: FeaturizedDataset, module: Backbone) -> FeaturizedDataset:
    """Returns the same photos seen through another network of the same input size.

    Args:
        photos: say how many turned copies are seen.
        module: sees a photo once.

    Raises:
        BackboneError: the network cannot be compiled.
        DataError: a photo that could be read before cannot be read any more.
    """
    data, watch = photos.data, photos.watch
    with watch.stage("Compiling the network"):
        once, compiled = _compile(data, module, photos.num_rotations)
    return replace(
        photos,
        compiled=compiled,
        once=once,
        matrix=_plain_features(photos, data.examples, compiled),
        outliers=_plain_features(photos, data.outliers, compiled),
    )


def _plain_features(
    photos: FeaturizedDataset, examples: Sequence[Example], compiled: CompiledBackbone
) -> np.ndarray:
    """Returns the features of unchanged photos, float32 (num_examples, 1, num_features)."""
    if not examples:
        return np.empty((0, 1, compiled.num_features), np.float32)
    return _all_read(_extract(examples, compiled, PLAIN, photos.cache_path, photos.watch)).matrix


def _all_read(found: FeatureSet) -> FeatureSet:
    if found.failures:
        raise DataError(_named(found.failures) + "\n  They could be read a moment ago.")
    return found


def _extract(
    examples: Sequence[Example],
    compiled: CompiledBackbone,
    views: Views,
    cache_path: Path,
    watch: StageTimer,
) -> FeatureSet:
    num_views = len(views.keys)
    title = "Computing features" if num_views == 1 else f"Computing features of {num_views} views"
    with watch.stage(title, len(examples)) as advance:
        return extract(
            examples, compiled=compiled, views=views, cache_path=cache_path, progress=advance
        )


def _readable(data: Dataset, spec: InputSpec) -> np.ndarray:
    """Returns the first photos that can be read, float32 (num_photos, height, width, 3)."""
    found: list[np.ndarray] = []
    for example in data.examples:
        if len(found) == _PHOTOS_TO_COMPILE_ON:
            break
        try:
            found.append(images.load_input(example.path, spec))
        except ImageError:
            continue  # named when its features are wanted
    if not found:
        raise DataError(f"{data.image_dir} holds no photo that can be read.")
    return np.stack(found)


def _named(failures: dict[str, str]) -> str:
    lines = [f"  {path}: {reason}" for path, reason in sorted(failures.items())[:_MAX_NAMED]]
    if len(failures) > _MAX_NAMED:
        lines.append(f"  and {len(failures) - _MAX_NAMED} more")
    return f"{pluralize(len(failures), 'photo')} cannot be read:\n" + "\n".join(lines)
