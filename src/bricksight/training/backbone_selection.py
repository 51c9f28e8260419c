"""Select the backbone that suits the photos."""

from collections.abc import Sequence
from dataclasses import replace

from bricksight.config import AUTO_BACKBONE, TrainingConfig
from bricksight.dataset import Dataset
from bricksight.features import FeatureExtractor, FeaturizedDataset
from bricksight.heads import can_cross_validate, score_policy
from bricksight.packs import pack_backbones
from bricksight.training.context import TrainingContext
from bricksight.training.plan import SELECTING_BACKBONE

GENERAL_BACKBONE = "packaged:efficientnet_lite0"
"""For any photos; it is used where the photos cannot decide."""


def backbone_candidates(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the references that ``auto`` tries: the general one, then those of packs.

    A pack's backbone is tried only where it knows one of the classes by name, as each candidate
    costs a run over all photos.

    Args:
        labels: names of the classes.
    """
    of_packs = pack_backbones().values()
    known = [one.auto_reference for one in of_packs if any(map(one.knows, labels))]
    return (GENERAL_BACKBONE, *known)


def featurize_candidates(
    data: Dataset,
    config: TrainingConfig,
    extractor: FeatureExtractor,
    *,
    multi_scale: bool = False,
) -> tuple[FeaturizedDataset, ...]:
    """Return the photos as seen by each candidate; by one if the reference names it.

    Args:
        data: the photos.
        config: names the backbone, and says whether unreadable photos are fatal.
        extractor: computes the features.
        multi_scale: see ``FeatureExtractor.featurize``.

    Raises:
        DataError: as ``FeatureExtractor.featurize``.
        BackboneError: a backbone cannot be loaded.
        ConfigError: masks, the empty scene or backgrounds cannot be used.
        CacheError: the cache folder cannot be used.
    """
    asked = config.backbone.reference
    names = backbone_candidates(data.labels) if asked == AUTO_BACKBONE else (asked,)
    backbones = [replace(config.backbone, reference=name) for name in names]
    first, *others = (replace(config, backbone=backbone) for backbone in backbones)
    dataset = extractor.featurize(data, first, multi_scale=multi_scale)
    return (
        dataset,
        *(
            extractor.with_configured_backbone(dataset, other, multi_scale=multi_scale)
            for other in others
        ),
    )


def select_backbone(
    candidates: Sequence[FeaturizedDataset], context: TrainingContext
) -> FeaturizedDataset:
    """Return the candidate whose backbone classifies held-out photos best.

    Softmax regression on each backbone's last-layer features of the original training photos, in
    three folds by group; the lowest cross entropy wins.

    Args:
        candidates: the same photos in the same splits.
        context: has the seed of the folds.
    """
    labeled = [one.in_split("training") for one in candidates]
    if len(candidates) == 1 or not can_cross_validate(labeled[0]):
        return candidates[0]
    with context.progress.stage(SELECTING_BACKBONE):
        losses = {
            one.backbone.base.reference: score_policy(
                features.first_features(one.backbone.features_per_scale[0]),
                num_classes=one.num_classes,
                seed=context.seed,
            ).loss
            for one, features in zip(candidates, labeled, strict=True)
        }
    best = min(candidates, key=lambda one: losses[one.backbone.base.reference])
    context.progress.message_once(
        f"Backbone: {best.backbone.base.reference} suits these photos best."
    )
    return replace(best, backbone_losses=losses)
