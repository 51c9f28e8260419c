"""Our own recipe for few photos: a linear head on many views, chosen by cross-validation.

Chosen inside the training part, by how well held-out groups are told apart, are: which random views
help (is a part upside down still the same part? is colour part of the class?), features of how many
depths of the network, which kind of head, and how strong its regularisation has to be. Softmax
regression is then fitted by L-BFGS on all training photos, and the validation photos say when to
stop; linear discriminant analysis has no steps. Few photos are too few to leave any out, so the
layer is fitted once more in the same way on training and validation photos together; what is
reported of the validation photos is reported of the first fit.

Heads are compared by their cross entropy at the temperature that suits each best: otherwise a head
that is too sure of itself loses to one that knows less, and the choice falls on too much
regularisation and too few iterations. The temperature of the kept head goes into its weights.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from bricksight.bundle import Head
from bricksight.config import AugmentConfig, ClassWeight, HeadKind
from bricksight.training._blas import one_blas_thread
from bricksight.training._examples import (
    Examples,
    History,
    Measurement,
    Observer,
    TrainedHead,
    best_temperature,
    cross_entropy_and_accuracy,
    doubt_of,
)
from bricksight.training._folds import Fit, held_out
from bricksight.training._linear import NO_GUIDANCE, Guidance, LinearFit, OnIteration
from bricksight.training._others import with_others

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
best of photos (docs/synth.md)."""

SHRINKAGES: Mapping[HeadKind, tuple[float | None, ...]] = MappingProxyType(
    {"softmax": (None, 0.2, 0.4, 0.7, 1.0), "lda": (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)}
)
"""Candidates for the share of the identity in the covariance by which features are whitened.

``None`` leaves them as they are, but for one common scale. On features of the last layer alone that
is often best: how much one of them varies says how much it matters.
"""

L2_STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2)
"""Candidates for the weight of half the squared kernel in the loss of softmax regression."""

DEFAULT_SHRINKAGE = 0.4
DEFAULT_L2 = 1e-2
"""The regularisation where none can be chosen, and while other things are."""

_ALGORITHMS: Mapping[HeadKind, str] = MappingProxyType(
    {
        "softmax": "L-BFGS softmax regression",
        "lda": "linear discriminant analysis",
    }
)
_CHOICE_ITERATIONS = 30
_CHOICE_VIEWS = 5
_MAX_ITERATIONS = 200
_FIRST_TO_KEEP = 30  # before that L-BFGS is on its way, and a lucky step would win
_PATIENCE = 30


@dataclass(frozen=True)
class HeadChoice:
    """What is to be fitted.

    Attributes:
        kind: Which kind of head.
        shrinkage: Of the covariance by which features are whitened, ``None`` for softmax regression
            on features that are not; see ``SHRINKAGES``.
        l2: Weight of half the squared kernel in the loss, ``None`` for "lda", which has none.
        from_prior: Whether softmax regression begins with what is known of the classes already, and
            the penalty is on what differs from that.
    """

    kind: HeadKind
    shrinkage: float | None = DEFAULT_SHRINKAGE
    l2: float | None = DEFAULT_L2
    from_prior: bool = False

    def __str__(self) -> str:
        penalty = "" if self.l2 is None else f", l2 {self.l2:g}"
        whitened = "as they are" if self.shrinkage is None else f"shrinkage {self.shrinkage:g}"
        return f"{self.kind}, {whitened}{penalty}{', from the prior' * self.from_prior}"


DEFAULT_HEADS: Mapping[HeadKind, HeadChoice] = MappingProxyType(
    {"softmax": HeadChoice("softmax"), "lda": HeadChoice("lda", l2=None)}
)
"""What is fitted where nothing can be chosen."""


class Score(NamedTuple):
    """How well held-out photos were told apart.

    Attributes:
        loss: Mean cross entropy, in nats, with what so many photos leave in doubt.
        of_photos: Cross entropy of each photo, float32 (num_photos,).
    """

    loss: float
    of_photos: np.ndarray


def score_policy(examples: Examples, *, num_classes: int, seed: int) -> Score:
    """Returns how well held-out photos are told apart when these views are trained on.

    Args:
        examples: the first view is the unchanged photo; ``can_cross_validate`` holds.
        num_classes: how many classes there are.
        seed: deals the folds.
    """
    ((loss, logits, temperature),) = held_out(examples, [_softmax(num_classes)], seed=seed)
    of_label = (np.arange(len(examples)), examples.labels)
    return Score(loss, -log_softmax(logits / np.float32(temperature), axis=1)[of_label])


def last_as_good(scores: Sequence[Score], groups: np.ndarray) -> int:
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


def choose_depths(
    examples: Examples, widths: Sequence[int], *, num_classes: int, seed: int
) -> tuple[int, dict[int, float]]:
    """Returns of how many depths to take the features, and the held-out cross entropy of each.

    One depth after the other is added, as long as that helps.

    Args:
        examples: with the features of all depths, side by side; the first view is the unchanged
            photo; ``can_cross_validate`` holds.
        widths: how many features each depth adds.
        num_classes: how many classes there are.
        seed: deals the folds.
    """
    few, losses = _few_views(examples), dict[int, float]()
    for depths, number in enumerate(np.cumsum(widths).tolist(), start=1):
        some = few.first_features(number)
        losses[depths] = score_policy(some, num_classes=num_classes, seed=seed).loss
        if losses[depths] > losses.get(depths - 1, math.inf):
            return depths - 1, losses
    return len(widths), losses


def choose_head(
    examples: Examples,
    kinds: Sequence[HeadKind],
    *,
    num_classes: int,
    seed: int,
    guidance: Guidance = NO_GUIDANCE,
) -> tuple[HeadChoice, dict[HeadChoice, float], np.ndarray]:
    """Returns the head with the lowest held-out cross entropy, and that of each that was tried.

    With it come the logits that it gave the photos while they were held out, float32 (num_photos,
    num_classes). For softmax regression the shrinkage is chosen first, and the penalty with it,
    without and with the prior.

    Args:
        examples: the first view is the unchanged photo; ``can_cross_validate`` holds.
        kinds: the kinds of heads to choose from.
        num_classes: how many classes there are.
        seed: deals the folds.
        guidance: what softmax regression goes by besides.
    """
    few, losses = _few_views(examples), dict[HeadChoice, float]()
    logits: dict[HeadChoice, np.ndarray] = {}
    fit_softmax = functools.partial(_softmax, num_classes, guidance=guidance)

    def try_out(choices: Sequence[HeadChoice], fits: Sequence[Fit]) -> None:
        for choice, found in zip(choices, held_out(few, fits, seed=seed), strict=True):
            losses[choice], logits[choice] = found.loss, found.logits

    if "softmax" in kinds:
        choices = [HeadChoice("softmax", one) for one in SHRINKAGES["softmax"]]
        try_out(choices, [fit_softmax(choice.shrinkage) for choice in choices])
        kept = min(losses, key=losses.__getitem__)
        others = [l2 for l2 in L2_STRENGTHS if l2 != kept.l2]
        try_out([replace(kept, l2=l2) for l2 in others], [fit_softmax(kept.shrinkage, others)])
        if guidance.prior is not None:
            try_out(
                [replace(kept, l2=l2, from_prior=True) for l2 in L2_STRENGTHS],
                [fit_softmax(kept.shrinkage, L2_STRENGTHS, from_prior=True)],
            )
    if "lda" in kinds:
        try_out([HeadChoice("lda", one, None) for one in SHRINKAGES["lda"]], [_lda(num_classes)])
    best = min(losses, key=losses.__getitem__)
    return best, losses, logits[best]


def _lda(num_classes: int) -> Fit:
    def fit(examples: Examples) -> list[Head]:
        fit = LinearFit(examples, num_classes=num_classes)
        return [fit.lda(shrinkage) for shrinkage in SHRINKAGES["lda"]]

    return fit


def _softmax(
    num_classes: int,
    shrinkage: float | None = DEFAULT_SHRINKAGE,
    l2s: Sequence[float] = (DEFAULT_L2,),
    guidance: Guidance = NO_GUIDANCE,
    *,
    from_prior: bool = False,
) -> Fit:
    """Returns a fit of fewer iterations than the last one has."""

    def fit(examples: Examples) -> list[Head]:
        fit = LinearFit(examples, num_classes=num_classes, guidance=guidance)
        return fit.softmax(shrinkage, l2s, max_iterations=_CHOICE_ITERATIONS, from_prior=from_prior)

    return fit


def _few_views(examples: Examples) -> Examples:
    step = max(1, examples.features.shape[1] // _CHOICE_VIEWS)
    return replace(examples, features=examples.features[:, ::step])


def train_by_recipe(
    training: Examples,
    validation: Examples | None,
    *,
    num_classes: int,
    choice: HeadChoice,
    class_weight: ClassWeight = "none",
    observer: Observer | None = None,
    guidance: Guidance = NO_GUIDANCE,
) -> TrainedHead:
    """Returns the head fitted for as many iterations as did best on validation.

    Args:
        training: every class has at least one photo.
        validation: with as many views; ``None`` if there are no such photos, and the last iteration
            is kept.
        num_classes: how many classes there are.
        choice: the kind of head and its regularisation.
        class_weight: whether every class or every photo counts the same.
        observer: told of each iteration of the fit that the validation photos judge.
        guidance: what softmax regression goes by besides.
    """
    history = History()
    best: list[tuple[float, int, Head]] = []

    def on_iteration(step: int, head: Head) -> bool:
        measurement = _measure(step, head, training, validation)
        history.measurements.append(measurement)
        if observer is not None:
            observer(measurement, head)
        loss = 0.0 if validation is None else _temperature_and_loss(head, validation)[1]
        if validation is None or step <= _FIRST_TO_KEEP or loss < best[0][0]:
            best[:] = [(loss, step, head)]
        return step - best[0][1] < _PATIENCE

    linear_fit = functools.partial(
        LinearFit,
        num_classes=num_classes,
        class_weight=class_weight,
        guidance=guidance,
    )
    with one_blas_thread():
        _fit(linear_fit(training), choice, _MAX_ITERATIONS, on_iteration)
        _, history.best_step, validated = best[0]
        temperature, head = 1.0, validated
        if validation is not None:
            temperature = _temperature_and_loss(validated, validation)[0]
            head = _fit(linear_fit(training.joined(validation)), choice, history.best_step)
    validated, head = _cooled(validated, temperature), _cooled(head, temperature)
    if validation is not None and guidance.prior is not None and guidance.prior.others is not None:
        validated = with_others(validated, guidance.prior.others, validation.plain())
        head = replace(head, others=validated.others)
    return TrainedHead(
        head=head,
        held_out=_held_out_answers(validated, validation),
        history=history,
        temperature=temperature,
        choices={
            "algorithm": _ALGORITHMS[choice.kind],
            "head": choice.kind,
            "shrinkage": choice.shrinkage,
            "l2": choice.l2,
            "begins_with_known_classes": choice.from_prior,
            "class_weight": class_weight,
            "temperature": temperature,
            "fitted_to": "training" if validation is None else "training and validation",
        },
    )


def _fit(
    photos: LinearFit,
    choice: HeadChoice,
    max_iterations: int,
    on_iteration: OnIteration | None = None,
) -> Head:
    if choice.l2 is None:
        head = photos.lda(choice.shrinkage)
        if on_iteration is not None:
            on_iteration(1, head)
        return head
    (head,) = photos.softmax(
        choice.shrinkage,
        [choice.l2],
        max_iterations=max_iterations,
        on_iteration=on_iteration,
        from_prior=choice.from_prior,
    )
    return head


def _held_out_answers(head: Head, validation: Examples | None) -> np.ndarray:
    if validation is None:
        return np.empty((0, head.kernel.shape[1]), np.float32)
    return head.probabilities(validation.plain())


def _cooled(head: Head, temperature: float) -> Head:
    return Head(kernel=head.kernel / temperature, bias=head.bias / temperature)


def _temperature_and_loss(head: Head, examples: Examples) -> tuple[float, float]:
    doubt = doubt_of(len(examples))
    return best_temperature(head.logits(examples.plain()), examples.labels, doubt=doubt)


def _measure(step: int, head: Head, training: Examples, validation: Examples | None) -> Measurement:
    loss, accuracy = cross_entropy_and_accuracy(head, training.plain(), training.labels)
    validation_loss, validation_accuracy = (
        (None, None)
        if validation is None
        else cross_entropy_and_accuracy(head, validation.plain(), validation.labels)
    )
    return Measurement(
        step=step,
        train_accuracy=accuracy,
        train_cross_entropy=loss,
        validation_accuracy=validation_accuracy,
        validation_cross_entropy=validation_loss,
    )
