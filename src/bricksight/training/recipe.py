"""Our own recipe for few photos: softmax regression on many views, chosen by cross-validation.

Two things are chosen inside the training part, by how well held-out groups are told apart: which
random views help (is a part upside down still the same part? is colour part of the class?), and how
strong the regularisation has to be. The layer is then fitted by L-BFGS on all training photos; the
validation photos say when to stop. Few photos are too few to leave any out, so the layer is fitted
once more, for as many iterations, on training and validation photos together; what is reported of
the validation photos is reported of the first fit.

Heads are compared by their cross entropy at the temperature that suits each best: otherwise a head
that is too sure of itself loses to one that knows less, and the choice falls on too much
regularisation and too few iterations. The temperature of the kept head goes into its weights.

Regularised softmax regression on fixed features, fitted by L-BFGS, is the linear evaluation of
Kornblith et al. 2019 (arXiv 1805.08974).
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from bricksight._threads import in_threads, num_cores
from bricksight.bundle import Head
from bricksight.config import AugmentConfig, ClassWeight
from bricksight.training._blas import one_blas_thread
from bricksight.training._examples import (
    Examples,
    History,
    Measurement,
    Observer,
    TrainedHead,
    best_temperature,
    cross_entropy_and_accuracy,
    outlier_exposure,
)

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

L2_STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2)
"""Candidates for the weight of half the squared kernel in the loss, on standardised features."""

DEFAULT_L2 = 1e-2
"""The weight where none can be chosen, and while the views are."""

_NUM_FOLDS = 3
_CHOICE_ITERATIONS = 40
_CHOICE_VIEWS = 8
_MAX_ITERATIONS = 200
_FIRST_TO_KEEP = 30  # before that L-BFGS is on its way, and a lucky step would win
_PATIENCE = 30


def can_cross_validate(examples: Examples) -> bool:
    """Returns whether a class has photos of two groups, so that one can be held out."""
    return _most_groups_in_a_class(examples) > 1


def _most_groups_in_a_class(examples: Examples) -> int:
    pairs = np.unique(np.stack([examples.labels, examples.groups], axis=1), axis=0)
    return int(np.bincount(pairs[:, 0]).max())


def score_policy(examples: Examples, *, num_classes: int, seed: int) -> float:
    """Returns the cross entropy, in nats, of held-out photos when these views are trained on.

    Args:
        examples: the first view is the unchanged photo; ``can_cross_validate`` holds.
        num_classes: how many classes there are.
        seed: deals the folds.
    """
    ((loss, _),) = _held_out(examples, [DEFAULT_L2], num_classes=num_classes, seed=seed)
    return loss


def choose_l2(
    examples: Examples, *, num_classes: int, seed: int, outliers: np.ndarray | None = None
) -> tuple[float, dict[str, float], np.ndarray]:
    """Returns the regularisation with the lowest held-out cross entropy, and that of each.

    With it come the answers that it gave to the photos while they were held out, in any order,
    float32 (num_photos, num_classes).

    Args:
        examples: the first view is the unchanged photo; ``can_cross_validate`` holds.
        num_classes: how many classes there are.
        seed: deals the folds.
        outliers: see ``train_by_recipe``.
    """
    step = max(1, examples.features.shape[1] // _CHOICE_VIEWS)
    few = replace(examples, features=examples.features[:, ::step])
    found = dict(
        zip(
            L2_STRENGTHS,
            _held_out(few, L2_STRENGTHS, num_classes=num_classes, seed=seed, outliers=outliers),
            strict=True,
        )
    )
    best = min(found, key=lambda l2: found[l2][0])
    return best, {f"{l2:g}": loss for l2, (loss, _) in found.items()}, found[best][1]


def train_by_recipe(
    training: Examples,
    validation: Examples | None,
    *,
    num_classes: int,
    l2: float,
    class_weight: ClassWeight = "none",
    observer: Observer | None = None,
    outliers: np.ndarray | None = None,
) -> TrainedHead:
    """Returns the head fitted for as many iterations as did best on validation.

    Args:
        training: every class has at least one photo.
        validation: with as many views; ``None`` if there are no such photos, and the last iteration
            is kept.
        num_classes: how many classes there are.
        l2: weight of half the squared kernel.
        class_weight: whether every class or every photo counts the same.
        observer: told of each iteration of the fit that the validation photos judge.
        outliers: photos of none of the classes, float32 (num_outliers, any, num_features); the
            head learns to be unsure of them.
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

    def fit(examples: Examples, max_iterations: int, **options: Any) -> Head:
        return _fit(
            examples,
            l2,
            num_classes=num_classes,
            max_iterations=max_iterations,
            class_weight=class_weight,
            outliers=outliers,
            **options,
        )

    with one_blas_thread():
        fit(training, _MAX_ITERATIONS, on_iteration=on_iteration)
        _, history.best_step, validated = best[0]
        temperature, head = 1.0, validated
        if validation is not None:
            temperature = _temperature_and_loss(validated, validation)[0]
            head = fit(training.joined(validation), history.best_step)
    return TrainedHead(
        head=_cooled(head, temperature),
        held_out=_held_out_answers(_cooled(validated, temperature), validation),
        history=history,
        choices={
            "algorithm": "L-BFGS softmax regression",
            "l2": l2,
            "class_weight": class_weight,
            "temperature": temperature,
            "fitted_to": "training" if validation is None else "training and validation",
        },
    )


def _held_out_answers(head: Head, validation: Examples | None) -> np.ndarray:
    if validation is None:
        return np.empty((0, head.kernel.shape[1]), np.float32)
    return head.probabilities(validation.plain())


def _cooled(head: Head, temperature: float) -> Head:
    return Head(kernel=head.kernel / temperature, bias=head.bias / temperature)


def _temperature_and_loss(head: Head, examples: Examples) -> tuple[float, float]:
    return best_temperature(head.logits(examples.plain()), examples.labels)


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


def _held_out(
    examples: Examples,
    strengths: Sequence[float],
    *,
    num_classes: int,
    seed: int,
    outliers: np.ndarray | None = None,
) -> list[tuple[float, np.ndarray]]:
    """Returns, by regularisation, cross entropy and answers of photos held out in turn.

    They are those at the best common temperature.
    """
    folds = list(_folds(examples, seed))

    def held_out_logits(job: tuple[float, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        l2, (fitted, held_out) = job
        head = _fit(
            examples.take(fitted),
            l2,
            num_classes=num_classes,
            max_iterations=_CHOICE_ITERATIONS,
            outliers=outliers,
        )
        return head.logits(examples.plain()[held_out])

    jobs = list(itertools.product(strengths, folds))
    with one_blas_thread(), in_threads(held_out_logits, jobs, num_threads=num_cores()) as logits:
        found = iter(list(logits))
    labels = np.concatenate([examples.labels[held_out] for _, held_out in folds])
    measured = []
    for _ in strengths:
        answers = np.concatenate(list(itertools.islice(found, len(folds))))
        temperature, loss = best_temperature(answers, labels)
        measured.append((loss, softmax(answers / np.float32(temperature), axis=1)))
    return measured


def _folds(examples: Examples, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the rows (fitted, held out) by group; every photo is held out once."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (costs a second)

    num_folds = min(_NUM_FOLDS, _most_groups_in_a_class(examples))
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # Classes of fewer groups than folds are expected; nothing follows from it here.
        warnings.filterwarnings("ignore", message="The least populated class")
        yield from splitter.split(examples.labels, examples.labels, examples.groups)


def _fit(
    examples: Examples,
    l2: float,
    *,
    num_classes: int,
    max_iterations: int,
    class_weight: ClassWeight = "none",
    outliers: np.ndarray | None = None,
    on_iteration: Callable[[int, Head], bool] | None = None,
) -> Head:
    """Returns the minimiser of the objective; ``on_iteration`` ends the fit by false."""
    objective = _Objective(
        examples, l2, num_classes=num_classes, class_weight=class_weight, outliers=outliers
    )
    steps = itertools.count(1)

    def callback(values: np.ndarray) -> None:
        step = next(steps)
        if on_iteration is not None and not on_iteration(step, objective.head(values)):
            raise StopIteration

    result = minimize(
        objective,
        np.zeros(objective.size),
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={"maxiter": max_iterations},
    )
    return objective.head(result.x)


class _Objective:
    """The weighted mean cross entropy over all views, plus the penalty on the kernel.

    Outliers add ``outlier_exposure``. The variables are one float64 vector, bias first; the
    features are brought to zero mean and unit mean square, so that a regularisation means the same
    for every network.
    """

    def __init__(
        self,
        examples: Examples,
        l2: float,
        *,
        num_classes: int,
        class_weight: ClassWeight,
        outliers: np.ndarray | None = None,
    ) -> None:
        num_photos, num_views, num_features = examples.features.shape
        rows = examples.features.reshape(num_photos * num_views, num_features)
        self._mean = rows.mean(axis=0)
        centred = rows - self._mean
        self._scale = np.float32(max(np.sqrt(np.mean(centred**2)), 1e-6))
        self._rows = centred / self._scale
        labels = np.repeat(examples.labels, num_views)
        self._of_label = (np.arange(len(labels)), labels)
        weights = np.repeat(examples.each_weight(), num_views)
        self._weights = _photo_weights(labels, weights, num_classes, class_weight)
        outliers = np.empty((0, num_features)) if outliers is None else outliers
        outliers = outliers.reshape(-1, num_features)
        self._outliers = ((outliers - self._mean) / self._scale).astype(np.float32)
        self._l2 = np.float32(l2)
        self._shape = (num_features, num_classes)
        self.size = num_classes * (num_features + 1)

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the loss and its gradient, float64 (size,)."""
        kernel, bias = self._unpack(values)
        residual = Head(kernel=kernel, bias=bias).probabilities(self._rows)
        of_label = np.maximum(residual[self._of_label], np.float32(1e-30))
        penalty = float(self._l2) / 2 * float(np.sum(kernel**2))
        loss = penalty - float(self._weights @ np.log(of_label))
        residual[self._of_label] -= 1
        residual *= self._weights[:, None]
        gradient = self._rows.T @ residual + self._l2 * kernel
        bias_gradient = residual.sum(axis=0)
        if len(self._outliers):
            outlier_loss, residual = outlier_exposure(
                Head(kernel=kernel, bias=bias), self._outliers
            )
            loss += outlier_loss
            gradient += self._outliers.T @ residual
            bias_gradient += residual.sum(axis=0)
        return loss, np.concatenate([bias_gradient, gradient.ravel()]).astype(np.float64)

    def head(self, values: np.ndarray) -> Head:
        """Returns the head for features as they come from the network."""
        kernel, bias = self._unpack(values)
        kernel = kernel / self._scale
        return Head(kernel=kernel, bias=bias - self._mean @ kernel)

    def _unpack(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bias, kernel = np.split(values.astype(np.float32), [self._shape[1]])
        return kernel.reshape(self._shape), bias


def _photo_weights(
    labels: np.ndarray, weights: np.ndarray, num_classes: int, class_weight: ClassWeight
) -> np.ndarray:
    """Returns float32 (num_photos,) of sum 1, by ``weights`` and by how the classes count."""
    if class_weight == "balanced":
        sums = np.bincount(labels, weights, minlength=num_classes)
        weights = weights / sums[labels]
    shares: np.ndarray = weights / weights.sum(dtype=np.float64)
    return shares.astype(np.float32)
