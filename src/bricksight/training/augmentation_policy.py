"""Select the augmentation policy, and whether to use rotation TTA."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from bricksight.backbones import MAX_ROTATIONS
from bricksight.config import AugmentConfig
from bricksight.dataset import Example, mirrored_pairs
from bricksight.features import AugmentedCopies, FeaturizedDataset
from bricksight.heads import (
    BOLDEST_POLICY,
    POLICIES,
    HeadPrior,
    Score,
    can_cross_validate,
    one_standard_error_rule,
    score_policy,
)
from bricksight.training.context import TrainingContext
from bricksight.training.zero_shot_head import make_zero_shot_head

MAX_COPIES = 15
"""Most augmented copies of a photo that the recipe makes."""

COPIES_TO_SELECT_BY = 3
"""Augmented copies of a photo by which policies are compared."""

_MAX_COPIES_IN_ALL = 18_000
_PHOTOS_TO_SELECT_BY = 600
_NO_AUGMENTATION = "original photos"


class AugmentationChoice(NamedTuple):
    """Augmented copies to train on.

    Attributes:
        copies: One item per augmentation of the policy.
        losses: Held-out cross entropy of each policy, in nats; empty where there was no choice.
    """

    copies: list[AugmentedCopies]
    losses: dict[str, float]

    @property
    def policy(self) -> tuple[AugmentConfig, ...]:
        """The augmentations."""
        return tuple(copies.augment for copies in self.copies)


class TtaChoice(NamedTuple):
    """A data set with or without rotation TTA.

    Attributes:
        dataset: The data set.
        losses: Number of rotations → held-out cross entropy, in nats; empty where there was no
            choice.
    """

    dataset: FeaturizedDataset
    losses: dict[str, float]


def affordable_copies(num_photos: int) -> int:
    """Return how many augmented copies of each photo are worth their time."""
    return min(MAX_COPIES, max(2, _MAX_COPIES_IN_ALL // max(num_photos, 1)))


def select_augmentation(dataset: FeaturizedDataset, context: TrainingContext) -> AugmentationChoice:
    """Return the augmented copies to train on.

    Among policies within one standard error of the best, the strongest is used: future photos will
    differ from these more than these differ from each other.
    """
    head, asked = context.config.head, context.config.augmentation
    examples = dataset.data.in_split("training")
    number = head.augmented_copies
    if number is None:
        number = affordable_copies(len(examples))
    if number == 0:
        return AugmentationChoice([], {})
    if not asked.is_identity:
        return AugmentationChoice(copies_of((asked,), number, head.seed), {})
    allowed = {name: allowed_policy(dataset, context, policy) for name, policy in POLICIES.items()}
    # Held-out renders would select the mildest, but photos differ from renders more.
    if dataset.data.is_rendered or head.color_invariant:
        return AugmentationChoice(copies_of(allowed[BOLDEST_POLICY], number, head.seed), {})
    if not can_cross_validate(dataset.of(examples)):
        return AugmentationChoice(copies_of(next(iter(allowed.values())), number, head.seed), {})
    return _select_policy(dataset, context, {_NO_AUGMENTATION: (), **allowed}, number)


def _select_policy(
    dataset: FeaturizedDataset,
    context: TrainingContext,
    policies: dict[str, tuple[AugmentConfig, ...]],
    number: int,
) -> AugmentationChoice:
    seed = context.seed
    scores = {
        name: _score(dataset, context, copies_of(policy, min(number, COPIES_TO_SELECT_BY), seed))
        for name, policy in policies.items()
    }
    groups = dataset.of(_subsample(dataset.data.in_split("training"))).groups
    best = list(scores)[one_standard_error_rule(list(scores.values()), groups)]
    losses = {name: score.loss for name, score in scores.items()}
    return AugmentationChoice(copies_of(policies[best], number, seed), losses)


def select_tta(
    dataset: FeaturizedDataset, policy: Sequence[AugmentConfig], context: TrainingContext
) -> TtaChoice:
    """Return the data set with rotation TTA, if the settings leave the choice and it helps.

    Args:
        dataset: without rotation TTA.
        policy: the augmentations that are trained on.
        context: says whether there is a choice.
    """
    spec = dataset.backbone.single_view.backbone.input_spec
    if not context.selects_tta or spec.height != spec.width:
        return TtaChoice(dataset, {})
    if not can_cross_validate(dataset.in_split("training")):
        return TtaChoice(dataset, {})
    copies = copies_of(policy, COPIES_TO_SELECT_BY, context.seed)
    rotated = context.extractor.with_rotation_tta(dataset, MAX_ROTATIONS)
    candidates = {str(one.backbone.num_rotations): one for one in (dataset, rotated)}
    losses = {rotations: _score(one, context, copies).loss for rotations, one in candidates.items()}
    return TtaChoice(candidates[min(losses, key=losses.__getitem__)], losses)


def _score(
    dataset: FeaturizedDataset, context: TrainingContext, copies: Sequence[AugmentedCopies]
) -> Score:
    """Return how well held-out photos are classified after training on these copies."""
    # Features of further scales would take several times as long, to the same end.
    number = dataset.backbone.features_per_scale[0]
    examples = _subsample(dataset.data.in_split("training"))
    labeled = context.extractor.augmented(dataset, examples, copies).first_features(number)
    zero_shot_head = make_zero_shot_head(dataset, context.progress)
    prior = HeadPrior(zero_shot_head=zero_shot_head).first_features(number)
    with context.progress.stage("Selecting augmentations"):
        return score_policy(
            labeled, num_classes=dataset.num_classes, seed=context.seed, prior=prior
        )


def allowed_policy(
    dataset: FeaturizedDataset, context: TrainingContext, policy: Sequence[AugmentConfig]
) -> tuple[AugmentConfig, ...]:
    """Return the policy, without mirroring where that would turn one class into another."""
    random_flip = context.config.head.random_flip
    pairs = mirrored_pairs(dataset.data.labels) if random_flip == "auto" else []
    if random_flip == "always" or not (pairs or random_flip == "never"):
        return tuple(policy)
    if pairs:
        context.progress.message_once(
            f"{' and '.join(pairs[0])} are mirror images of each other, so no photo is mirrored."
        )
    return tuple(replace(augment, flip_left_right=False) for augment in policy)


def copies_of(policy: Sequence[AugmentConfig], number: int, seed: int) -> list[AugmentedCopies]:
    """Return about ``number`` augmented copies, equally many by each augmentation."""
    each = max(1, number // max(len(policy), 1))
    return [
        AugmentedCopies(num_random=each, include_original=False, augment=augment, seed=seed)
        for augment in policy
    ]


def _subsample(examples: Sequence[Example]) -> Sequence[Example]:
    """Return examples evenly spread over the list, which is sorted by class."""
    return examples[:: max(1, math.ceil(len(examples) / _PHOTOS_TO_SELECT_BY))]
