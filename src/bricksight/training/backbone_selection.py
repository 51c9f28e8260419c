"""Which of the installed networks suits the photos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bricksight._support.progress import StageTimer
from bricksight.config import AUTO_BACKBONE, TrainingConfig
from bricksight.dataset import Dataset
from bricksight.features.featurized_dataset import FeaturizedDataset, featurize, with_backbone_of
from bricksight.heads import can_cross_validate, score_policy
from bricksight.packs import pack_backbones

GENERAL_BACKBONE = "packaged:efficientnet_lite0"
"""For anything; it is taken where nothing can tell."""


def backbone_candidates(labels: Sequence[str]) -> tuple[str, ...]:
    """Returns the references that ``auto`` tries: the general one, then those of packs.

    A pack's backbone is tried where it knows one of the classes by name. Elsewhere it has nothing
    to say, and would cost a run over all photos.

    Args:
        labels: names of the classes.
    """
    of_packs = pack_backbones().values()
    known = [one.auto_reference for one in of_packs if any(map(one.knows, labels))]
    return (GENERAL_BACKBONE, *known)


def featurize_candidates(
    data: Dataset,
    config: TrainingConfig,
    *,
    cache_path: Path,
    watch: StageTimer,
    all_depths: bool = False,
) -> tuple[FeaturizedDataset, ...]:
    """Returns the photos as each network sees them; one where the reference names it.

    Args:
        data: the photos.
        config: names the network, and says how strict to be.
        cache_path: the feature cache.
        watch: shows and times the work.
        all_depths: see ``featurize``.

    Raises:
        DataError: as ``featurize``.
        BackboneError: a network cannot be had.
        ConfigError: masks, the empty scene or backgrounds cannot be used.
        CacheError: the cache folder cannot be used.
    """
    asked = config.backbone.reference
    names = backbone_candidates(data.labels) if asked == AUTO_BACKBONE else (asked,)
    backbones = [replace(config.backbone, reference=name) for name in names]
    first, *others = (replace(config, backbone=backbone) for backbone in backbones)
    photos = featurize(data, first, cache_path=cache_path, watch=watch, all_depths=all_depths)
    return (photos, *(with_backbone_of(photos, other, all_depths=all_depths) for other in others))


def select_backbone(candidates: Sequence[FeaturizedDataset], *, seed: int) -> FeaturizedDataset:
    """Returns the photos seen by the network that tells them apart best while they are held out.

    Softmax regression on the networks' own features of the unchanged training photos, by groups in
    three folds; the lowest cross entropy wins.

    Args:
        candidates: the same photos, dealt alike.
        seed: deals the folds.
    """
    photos = candidates[0]
    labeled = [one.plain("training")[1] for one in candidates]
    if len(candidates) == 1 or not can_cross_validate(labeled[0]):
        return photos
    with photos.watch.stage("Choosing the network"):
        losses = {
            one.own.reference: score_policy(
                some.first_features(one.widths[0]),
                num_classes=len(photos.data.labels),
                seed=seed,
            ).loss
            for one, some in zip(candidates, labeled, strict=True)
        }
    best = min(candidates, key=lambda one: losses[one.own.reference])
    photos.watch.say_once(f"Network: {best.own.reference} suits these photos best.")
    return replace(best, chosen_from=losses)
