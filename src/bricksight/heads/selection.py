"""Model selection by cross-validation over groups of training photos.

The random views (is a part upside down still the same part? is colour part of the class?), features
of how many depths of the network, which kind of head, and how strong its regularisation has to be.
Where something is known of the classes already, depths and heads are compared as they do when they
begin with it: what is best of features that have to tell all classes apart need not be best of
those that have to mend what is known.

Heads are compared by their cross entropy at the temperature that suits each best: otherwise a head
that is too sure of itself loses to one that knows less, and the choice falls on too much
regularisation and too few iterations.
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
"""Candidates for the random views, the mildest first; each takes equal numbers of its kinds.

The bolder ones keep the milder views: photos will look like those, and a mixture was better than
the boldest kind alone.
"""

BOLDEST_POLICY = "any angle, any colour"
"""Where classes are known to be shapes; and for renders, of which the best network need not be the
best of photos."""

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
"""To train a network with renders, which are cleaner than photos."""

SHRINKAGES: Mapping[HeadKind, tuple[float | None, ...]] = MappingProxyType(
    {"softmax": (None, 0.2, 0.4, 0.7, 1.0), "lda": (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)}
)
"""Candidates for the share of the identity in the covariance by which features are whitened.

``None`` leaves them as they are, but for one common scale. On features of the last layer alone that
is often best: how much one of them varies says how much it matters.
"""

L2_STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2)
"""Candidates for the weight of half the squared kernel in the loss of softmax regression."""

_CHOICE_VIEWS = 4  # the photo itself, and one of each of three kinds


class Score(NamedTuple):
    """How well held-out photos were told apart.

    Attributes:
        loss: Mean cross entropy, in nats, with what so many photos leave open.
        of_photos: Cross entropy of each photo, float32 (num_photos,).
    """

    loss: float
    of_photos: np.ndarray


class ChosenHead(NamedTuple):
    """The head with the lowest held-out cross entropy.

    Attributes:
        choice: What it is.
        score: How well it told the photos apart while they were held out.
        losses: Held-out cross entropy of each head that was tried, in nats.
        logits: What it gave the photos then, float32 (num_photos, num_classes).
    """

    choice: HeadChoice
    score: Score
    losses: Mapping[HeadChoice, float]
    logits: np.ndarray


def score_policy(
    labeled: LabeledFeatures, *, num_classes: int, seed: int, prior: HeadPrior = NO_PRIOR
) -> Score:
    """Returns how well held-out photos are told apart when these views are trained on.

    Args:
        labeled: the first view is the unchanged photo; ``can_cross_validate`` holds.
        num_classes: how many classes there are.
        seed: deals the folds.
        prior: extra supervision for softmax regression.
    """
    folds = Folds(labeled, num_classes=num_classes, seed=seed, prior=prior)
    usual = HeadChoice("softmax", from_zero_shot_head=prior.zero_shot_head is not None)
    return _score(folds.held_out([usual])[0], labeled.labels)


def one_standard_error_rule(scores: Sequence[Score], groups: np.ndarray) -> int:
    """Returns which is the last that cannot be told to be worse than the best.

    It is no more than one standard error of the difference above it, as in the rule of L. Breiman
    et al., "Classification and Regression Trees", 1984. Photos of a group count as one.

    Args:
        scores: of the same photos, in the order of preference, the most wanted last.
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
    """Returns of how many depths to take the features, and the best head of those that were tried.

    One depth after the other is added, as long as that helps. Of these and the one after them it is
    the last that cannot be told to be worse than the best: what is kept is fitted to half as many
    photos again as what is compared, and of more photos more features have more to say. The head of
    a depth is sought around that of the one before.

    Args:
        labeled: with the features of all depths, side by side; the first view is the unchanged
            photo; ``can_cross_validate`` holds.
        features_per_scale: how many features each depth adds.
        kinds: the kinds of heads to choose from.
        num_classes: how many classes there are.
        seed: deals the folds.
        prior: extra supervision for softmax regression, with the features of all depths.
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
    """Returns the head with the lowest held-out cross entropy.

    For softmax regression the shrinkage is chosen first, with it the penalty, both with the prior,
    and once more without it where the same head is better without. Of the penalties, those beside
    the best are tried, as long as one is better.

    Args:
        labeled: the first view is the unchanged photo; ``can_cross_validate`` holds.
        kinds: the kinds of heads to choose from.
        num_classes: how many classes there are.
        seed: deals the folds.
        prior: extra supervision for softmax regression.
        near: what was best of fewer features: its kind is kept, and its regularisation is where the
            search begins.
    """
    folds = Folds(_few_views(labeled), num_classes=num_classes, seed=seed, prior=prior)
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
    """Heads that are tried, and how well each told photos apart while they were held out."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        self.tried: dict[HeadChoice, HeldOut] = {}

    def best_of(self, choices: Sequence[HeadChoice]) -> HeadChoice:
        new = [choice for choice in choices if choice not in self.tried]
        self.tried.update(zip(new, self._folds.held_out(new), strict=True))
        return min(choices, key=lambda choice: self.tried[choice].loss)

    def of_kinds(self, kinds: Sequence[HeadKind], *, from_zero_shot_head: bool) -> HeadChoice:
        """Returns the best of all kinds."""
        best_ones: list[HeadChoice] = []
        if "softmax" in kinds:
            best_ones.append(self.softmax(from_zero_shot_head=from_zero_shot_head))
        if "lda" in kinds:
            best_ones += [HeadChoice("lda", one, None) for one in SHRINKAGES["lda"]]
        return self.best_of(best_ones)

    def softmax(self, *, from_zero_shot_head: bool) -> HeadChoice:
        """Returns the best of softmax regression, without the prior if that is better."""
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
        """Returns the best of those whose regularisation is like that of ``near``."""
        shrinkages = [replace(near, shrinkage=one) for one in SHRINKAGES[near.kind]]
        # Features as they are have no neighbour.
        best = self.best_of(shrinkages) if near.shrinkage is None else self._walk(shrinkages, near)
        if near.l2 is None:
            return best
        return self._walk([replace(best, l2=l2) for l2 in L2_STRENGTHS], best)

    def _walk(self, choices: Sequence[HeadChoice], start: HeadChoice) -> HeadChoice:
        """Returns the first that is better than its neighbours, on the way down from ``start``."""
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


def _few_views(labeled: LabeledFeatures) -> LabeledFeatures:
    step = max(1, labeled.features.shape[1] // _CHOICE_VIEWS)
    return replace(labeled, features=labeled.features[:, ::step][:, :_CHOICE_VIEWS])
