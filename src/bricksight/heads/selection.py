"""Model selection by cross-validation over groups of training photos.

It selects the augmentation policy, the number of scales of the features, the kind of head and its
regularization. With a zero-shot head, scales and heads are compared as fits that start from it.

Candidates are compared by their cross entropy, each at its best temperature. Without that, an
overconfident head would lose to one that classifies worse, and too much regularization and too few
iterations would be selected.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from bricksight.config import AugmentConfig, HeadKind
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.folds import Folds, HeldOut
from bricksight.heads.linear import NO_PRIOR, HeadChoice, HeadPrior

_UPRIGHT = AugmentConfig(
    flip_left_right=True,
    random_rotation=15,
    random_translation=5,
    random_shrink=15,
    random_brightness=20,
    random_contrast=20,
)
_FARTHER = AugmentConfig(
    flip_left_right=True,
    random_rotation=180,
    random_translation=5,
    random_shrink=30,
    random_brightness=25,
    random_contrast=30,
)
_NEARER = replace(_FARTHER, random_shrink=0, random_scale=40)


def _any_colour(augment: AugmentConfig) -> AugmentConfig:
    return replace(augment, random_saturation=100, random_hue=180)


POLICIES: Mapping[str, tuple[AugmentConfig, ...]] = MappingProxyType(
    {
        "upright": (_UPRIGHT,),
        "any angle": (_UPRIGHT, _FARTHER, _NEARER),
        "any angle, any colour": (_UPRIGHT, _any_colour(_FARTHER), _any_colour(_NEARER)),
    }
)
"""Augmentation policies to select from, mildest first; equally many copies by each augmentation.

The stronger policies include the mild augmentation: photos will look like that, and the mixture was
better than strong augmentation alone.
"""

BOLDEST_POLICY = "any angle, any colour"
"""Policy for classes that are shapes, whatever their color, and for renders, whose held-out figures
do not tell which policy suits photos."""

_ROUGH = replace(
    _any_colour(_NEARER),
    random_scale=70,
    random_brightness=40,
    random_contrast=60,
    random_blur=1.5,
    random_noise=4,
    random_erasing=15,
)

SYNTHETIC_POLICY = (*POLICIES[BOLDEST_POLICY], _ROUGH, _ROUGH)
"""Policy for fine-tuning on renders, which are cleaner than photos."""

SHRINKAGES: Mapping[HeadKind, tuple[float | None, ...]] = MappingProxyType(
    {"softmax": (None, 0.2, 0.4, 0.7, 1.0), "lda": (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)}
)
"""Candidates for the shrinkage of the covariance by which features are whitened.

``None`` only divides all features by one number. That is often best for last-layer features: how
much a feature varies tells how much it matters.
"""

L2_STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2)
"""Candidates for the weight of half the squared kernel in the loss of softmax regression."""

_NUM_COPIES = 4  # the original, and one copy by each of three augmentations


class Score(NamedTuple):
    """Held-out cross entropy.

    Attributes:
        loss: Mean cross entropy in nats, with the error rate that so many photos leave open.
        of_photos: Cross entropy of each photo, float32 (num_photos,).
    """

    loss: float
    of_photos: np.ndarray


class ChosenHead(NamedTuple):
    """The head with the lowest held-out cross entropy.

    Attributes:
        choice: The head.
        score: Its held-out cross entropy.
        losses: Held-out cross entropy of each head that was tried, in nats.
        logits: Its logits of the held-out photos, float32 (num_photos, num_classes).
    """

    choice: HeadChoice
    score: Score
    losses: Mapping[HeadChoice, float]
    logits: np.ndarray


def score_policy(
    labeled: LabeledFeatures, *, num_classes: int, seed: int, prior: HeadPrior = NO_PRIOR
) -> Score:
    """Return the held-out cross entropy of training on these copies.

    Args:
        labeled: the first copy is the original photo; ``can_cross_validate`` holds.
        num_classes: how many classes there are.
        seed: of the folds.
        prior: extra supervision for softmax regression.
    """
    folds = Folds(labeled, num_classes=num_classes, seed=seed, prior=prior)
    usual = HeadChoice("softmax", from_zero_shot_head=prior.zero_shot_head is not None)
    return _score(folds.held_out([usual])[0], labeled.labels)


def one_standard_error_rule(scores: Sequence[Score], groups: np.ndarray) -> int:
    """Return the index of the last score within one standard error of the best.

    The standard error is that of the difference (L. Breiman et al., "Classification and Regression
    Trees", 1984). Photos of one group count as one.

    Args:
        scores: of the same photos, the most preferred last.
        groups: int (num_photos,), from 0.
    """
    best = min(scores, key=lambda score: score.loss)

    def is_as_good(score: Score) -> bool:
        of_groups = np.bincount(groups, score.of_photos - best.of_photos)
        error = of_groups.std() * math.sqrt(len(of_groups)) / len(groups)
        return bool(score.loss - best.loss <= error)

    return max(index for index, score in enumerate(scores) if is_as_good(score))


def choose_num_scales(
    labeled: LabeledFeatures,
    features_per_scale: Sequence[int],
    kinds: Sequence[HeadKind],
    *,
    num_classes: int,
    seed: int,
    prior: HeadPrior = NO_PRIOR,
) -> tuple[int, list[ChosenHead]]:
    """Return the number of scales to use, and the best head of each number that was tried.

    Scales are added one by one as long as that helps. Of those tried, the last within one standard
    error of the best is used: the final head is fitted to half as many photos again, and more
    photos can make use of more features. The search for each head starts from the one before.

    Args:
        labeled: with the features of all scales, side by side; the first view is the unchanged
            photo; ``can_cross_validate`` holds.
        features_per_scale: how many features each scale adds.
        kinds: the kinds of heads to choose from.
        num_classes: how many classes there are.
        seed: of the folds.
        prior: extra supervision for softmax regression, with the features of all scales.
    """
    found: list[ChosenHead] = []
    for number in np.cumsum(features_per_scale).tolist():
        one = choose_head(
            labeled.first_features(number),
            kinds,
            num_classes=num_classes,
            seed=seed,
            prior=prior.first_features(number),
            near=found[-1].choice if found else None,
        )
        found.append(one)
        if len(found) > 1 and one.score.loss > found[-2].score.loss:
            break
    return one_standard_error_rule([one.score for one in found], labeled.groups) + 1, found


def choose_head(
    labeled: LabeledFeatures,
    kinds: Sequence[HeadKind],
    *,
    num_classes: int,
    seed: int,
    prior: HeadPrior = NO_PRIOR,
    near: HeadChoice | None = None,
) -> ChosenHead:
    """Return the head with the lowest held-out cross entropy.

    For softmax regression the shrinkage is selected first, then the penalty, starting from the
    zero-shot head if there is one. Both are selected again without it where that is better. Of the
    penalties, the neighbors of the best are tried as long as one of them is better.

    Args:
        labeled: the first copy is the original photo; ``can_cross_validate`` holds.
        kinds: the kinds of heads to choose from.
        num_classes: how many classes there are.
        seed: of the folds.
        prior: extra supervision for softmax regression.
        near: the best head for fewer features: its kind is kept, and the search starts from its
            regularization.
    """
    folds = Folds(_few_copies(labeled), num_classes=num_classes, seed=seed, prior=prior)
    search = _Search(folds)
    if near is None:
        best = search.of_kinds(kinds, from_zero_shot_head=prior.zero_shot_head is not None)
    else:
        best = search.around(near)
    return ChosenHead(
        choice=best,
        score=_score(search.tried[best], labeled.labels),
        losses={choice: found.loss for choice, found in search.tried.items()},
        logits=search.tried[best].logits,
    )


class _Search:
    """A search over heads; each is cross-validated once."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        self.tried: dict[HeadChoice, HeldOut] = {}

    def best_of(self, choices: Sequence[HeadChoice]) -> HeadChoice:
        new = [choice for choice in choices if choice not in self.tried]
        self.tried.update(zip(new, self._folds.held_out(new), strict=True))
        return min(choices, key=lambda choice: self.tried[choice].loss)

    def of_kinds(self, kinds: Sequence[HeadKind], *, from_zero_shot_head: bool) -> HeadChoice:
        """Return the best of all kinds."""
        best_ones: list[HeadChoice] = []
        if "softmax" in kinds:
            best_ones.append(self.softmax(from_zero_shot_head=from_zero_shot_head))
        if "lda" in kinds:
            best_ones += [HeadChoice("lda", one, None) for one in SHRINKAGES["lda"]]
        return self.best_of(best_ones)

    def softmax(self, *, from_zero_shot_head: bool) -> HeadChoice:
        """Return the best softmax regression, without the zero-shot head if that is better."""
        start = HeadChoice("softmax", from_zero_shot_head=from_zero_shot_head)
        best = self.best_of([replace(start, shrinkage=one) for one in SHRINKAGES["softmax"]])
        best = self._walk([replace(best, l2=l2) for l2 in L2_STRENGTHS], best)
        if (
            not from_zero_shot_head
            or self.best_of([best, replace(best, from_zero_shot_head=False)]) == best
        ):
            return best
        return self.best_of([best, self.softmax(from_zero_shot_head=False)])

    def around(self, near: HeadChoice) -> HeadChoice:
        """Return the best head whose regularization is similar to that of ``near``."""
        shrinkages = [replace(near, shrinkage=one) for one in SHRINKAGES[near.kind]]
        # No whitening has no neighbor in the list.
        best = self.best_of(shrinkages) if near.shrinkage is None else self._walk(shrinkages, near)
        if near.l2 is None:
            return best
        return self._walk([replace(best, l2=l2) for l2 in L2_STRENGTHS], best)

    def _walk(self, choices: Sequence[HeadChoice], start: HeadChoice) -> HeadChoice:
        """Return the first choice that beats its neighbors, going downhill from ``start``."""
        best = start
        while True:
            index = choices.index(best)
            found = self.best_of(choices[max(index - 1, 0) : index + 2])
            if found == best:
                return best
            best = found


def _score(found: HeldOut, labels: np.ndarray) -> Score:
    log_probabilities = log_softmax(found.logits / np.float32(found.temperature), axis=1)
    return Score(found.loss, -log_probabilities[np.arange(len(labels)), labels])


def _few_copies(labeled: LabeledFeatures) -> LabeledFeatures:
    step = max(1, labeled.features.shape[1] // _NUM_COPIES)
    return replace(labeled, features=labeled.features[:, ::step][:, :_NUM_COPIES])
