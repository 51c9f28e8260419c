"""Which random views of the photos, and which turned copies, to train on."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bricksight.backbones import MAX_ROTATIONS
from bricksight.config import AugmentConfig, HeadConfig
from bricksight.dataset import Example, mirrored_pairs
from bricksight.features import LabeledFeatures, Views
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.heads import (
    BOLDEST_POLICY,
    POLICIES,
    HeadPrior,
    Score,
    can_cross_validate,
    one_standard_error_rule,
    score_policy,
)
from bricksight.training.options import HeadTrainingOptions
from bricksight.training.zero_shot_head import make_zero_shot_head

MAX_VIEWS = 15
"""Random views of a photo that our recipe makes at most."""

VIEWS_TO_CHOOSE_BY = 3
"""Random views of a photo by which the kinds of views are chosen."""

_VIEWS_IN_ALL = 18_000
_PHOTOS_TO_CHOOSE_BY = 600
_UNCHANGED = "unchanged photos"


def affordable_views(num_photos: int) -> int:
    """Returns how many random views of each photo are worth their time."""
    return min(MAX_VIEWS, max(2, _VIEWS_IN_ALL // max(num_photos, 1)))


def choose_augments(
    photos: FeaturizedDataset, training: HeadTrainingOptions
) -> tuple[AugmentConfig, ...]:
    """Returns the random changes to train the network with: those of ``choose_views``."""
    kinds, _ = choose_views(photos, training)
    return tuple(views.augment for views in kinds) or (AugmentConfig(),)


def select_tta(
    photos: FeaturizedDataset, augments: Sequence[AugmentConfig], training: HeadTrainingOptions
) -> tuple[FeaturizedDataset, dict[str, float]]:
    """Returns the photos as they are, or with their turned copies if that tells them apart better.

    With them come the held-out cross entropies of both; none where there was no choice.

    Args:
        photos: each seen once.
        augments: the random changes that are trained on.
        training: whether there is a choice, and its seed.
    """
    spec, examples = photos.once.module.input_spec, photos.data.in_split("training")
    is_square = spec.height == spec.width
    can_choose = training.selects_tta and is_square
    if not can_choose or not can_cross_validate(photos.unchanged(examples)):
        return photos, {}
    few = kinds_of(augments, VIEWS_TO_CHOOSE_BY, training.config.seed)
    candidates = {
        str(one.num_rotations): one for one in (photos, photos.with_rotations(MAX_ROTATIONS))
    }
    losses = {
        num_rotations: _score(one, few, training.config.seed).loss
        for num_rotations, one in candidates.items()
    }
    return candidates[min(losses, key=losses.__getitem__)], losses


def choose_views(
    photos: FeaturizedDataset, training: HeadTrainingOptions
) -> tuple[list[Views], dict[str, float]]:
    """Returns the kinds of views to train on, and the held-out cross entropy of each policy.

    Of the policies that cannot be told apart it is the boldest: photos to come will differ from
    these more than these do from each other.
    """
    config, examples = training.config, photos.data.in_split("training")
    num = config.augmented_copies
    if num is None:
        num = affordable_views(len(examples))
    if num == 0:
        return [], {}
    if not training.augment.is_identity:
        return kinds_of((training.augment,), num, config.seed), {}
    allowed = {name: allowed_policy(photos, config, kinds) for name, kinds in POLICIES.items()}
    # Held-out renders would choose the mildest, but photos will differ from renders more.
    if photos.data.is_rendered or config.color_invariant:
        return kinds_of(allowed[BOLDEST_POLICY], num, config.seed), {}
    if not can_cross_validate(photos.unchanged(examples)):
        return kinds_of(next(iter(allowed.values())), num, config.seed), {}
    policies = {_UNCHANGED: (), **allowed}
    groups, scores = photos.unchanged(_spread(examples)).groups, {}
    for name, policy in policies.items():
        few = kinds_of(policy, min(num, VIEWS_TO_CHOOSE_BY), config.seed)
        scores[name] = _score(photos, few, config.seed)
    losses = {name: score.loss for name, score in scores.items()}
    best = list(scores)[one_standard_error_rule(list(scores.values()), groups)]
    return kinds_of(policies[best], num, config.seed), losses


def _score(photos: FeaturizedDataset, kinds: Sequence[Views], seed: int) -> Score:
    """Returns how well training on these views tells held-out photos apart."""
    # The features of the other depths would take several times as long, to the same end.
    examples = _spread(photos.data.in_split("training"))
    width = photos.widths[0]
    labeled = with_views(photos, examples, kinds).first_features(width)
    prior = HeadPrior(zero_shot_head=make_zero_shot_head(photos)).first_features(width)
    with photos.watch.stage("Choosing the views"):
        return score_policy(labeled, num_classes=len(photos.data.labels), seed=seed, prior=prior)


def allowed_policy(
    photos: FeaturizedDataset, config: HeadConfig, policy: Sequence[AugmentConfig]
) -> tuple[AugmentConfig, ...]:
    """Returns the policy, without mirroring where it would turn one class into another."""
    pairs = mirrored_pairs(photos.data.labels) if config.random_flip == "auto" else []
    if config.random_flip == "always" or not (pairs or config.random_flip == "never"):
        return tuple(policy)
    if pairs:
        photos.watch.say_once(
            f"{' and '.join(pairs[0])} are mirror images of one another; no view is mirrored."
        )
    return tuple(replace(kind, flip_left_right=False) for kind in policy)


def kinds_of(policy: Sequence[AugmentConfig], num_views: int, seed: int) -> list[Views]:
    """Returns about ``num_views`` random views in all, the same number of each kind."""
    each = max(1, num_views // max(len(policy), 1))
    return [
        Views(num_random=each, include_plain=False, augment=augment, seed=seed)
        for augment in policy
    ]


def with_views(
    photos: FeaturizedDataset, examples: Sequence[Example], kinds: Sequence[Views]
) -> LabeledFeatures:
    """Returns the unchanged photos first, then the views of each kind."""
    plain = photos.unchanged(examples)
    parts = [plain.features, *(photos.views(examples, views).features for views in kinds)]
    return replace(plain, features=np.concatenate(parts, axis=1))


def _spread(examples: Sequence[Example]) -> Sequence[Example]:
    """Returns photos evenly spread over the list, which is sorted by class."""
    return examples[:: max(1, math.ceil(len(examples) / _PHOTOS_TO_CHOOSE_BY))]
