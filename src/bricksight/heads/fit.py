"""Fit a head to few photos: a linear head on features of originals and augmented copies.

The selected head is fitted to the training photos, and the validation photos decide when to stop
(L-BFGS for softmax regression; discriminant analysis has no iterations). As few photos are too few
to leave any out, the head is then fitted again in the same way to training and validation photos
together. Validation figures are those of the first fit. The temperature that suits the validation
photos becomes part of the weights.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from bricksight.bundle import Head
from bricksight.config import ClassWeight, HeadKind
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.blas import one_blas_thread
from bricksight.heads.calibration import Calibration, calibrate
from bricksight.heads.linear import NO_PRIOR, HeadChoice, HeadPrior, LinearFit
from bricksight.heads.losses import best_temperature, kt_error_rate
from bricksight.heads.results import History, Measurement, Observer, TrainedHead

_ALGORITHMS: Mapping[HeadKind, str] = MappingProxyType(
    {
        "softmax": "L-BFGS softmax regression",
        "lda": "linear discriminant analysis",
    }
)
_MAX_ITERATIONS = 200
_FIRST_TO_KEEP = 30  # before that L-BFGS is on its way, and a lucky step would win
_PATIENCE = 30


def train_by_recipe(
    training: LabeledFeatures,
    validation: LabeledFeatures | None,
    *,
    num_classes: int,
    choice: HeadChoice,
    class_weight: ClassWeight = "none",
    observer: Observer | None = None,
    prior: HeadPrior = NO_PRIOR,
) -> TrainedHead:
    """Return the head, fitted for as many iterations as have the lowest validation loss.

    Args:
        training: at least one photo of every class.
        validation: with as many copies; ``None`` to keep the last iteration.
        num_classes: how many classes there are.
        choice: the kind of head and its regularization.
        class_weight: whether every class or every photo counts the same.
        observer: called with each iteration of the first fit.
        prior: extra supervision for softmax regression.
    """
    best = _BestIterate(training, validation, observer)
    linear_fit = functools.partial(
        LinearFit, num_classes=num_classes, class_weight=class_weight, prior=prior
    )
    with one_blas_thread():
        linear_fit(training).fit(choice, max_iterations=_MAX_ITERATIONS, on_iteration=best.update)
        validated = head = best.head
        calibration = Calibration()
        if validation is not None:
            background = prior.zero_shot_head and prior.zero_shot_head.background
            validated = replace(best.head, background=background)
            calibration = _calibration(validated, validation, num_classes)
            everything = linear_fit(training.joined(validation))
            head = everything.fit(choice, max_iterations=best.history.best_step)
            head = replace(head, background=background)
    return TrainedHead(
        head=calibration.head(head),
        held_out=_probabilities(calibration.head(validated), validation),
        history=best.history,
        temperature=calibration.temperature,
        choices={
            "algorithm": _ALGORITHMS[choice.kind],
            "head": choice.kind,
            "shrinkage": choice.shrinkage,
            "l2": choice.l2,
            "starts_from_zero_shot_head": choice.from_zero_shot_head,
            "class_weight": class_weight,
            "temperature": calibration.temperature,
            "fitted_to": "training" if validation is None else "training and validation",
        },
    )


@dataclass
class _BestIterate:
    """Follows a fit: measures each iteration, and keeps the one of lowest validation loss."""

    training: LabeledFeatures
    validation: LabeledFeatures | None
    observer: Observer | None
    history: History = field(default_factory=History)
    loss: float = np.inf
    head: Head = field(init=False)

    def update(self, step: int, head: Head) -> bool:
        """Take an iteration into account, and tell whether to go on."""
        measurement = Measurement.of(
            step,
            head,
            (self.training.original(), self.training.labels),
            None
            if self.validation is None
            else (self.validation.original(), self.validation.labels),
        )
        self.history.measurements.append(measurement)
        if self.observer is not None:
            self.observer(measurement, head)
        loss = 0.0 if self.validation is None else _calibrated_loss(head, self.validation)
        if self.validation is None or step <= _FIRST_TO_KEEP or loss < self.loss:
            self.loss, self.history.best_step, self.head = loss, step, head
        return step - self.history.best_step < _PATIENCE


def _calibration(head: Head, validation: LabeledFeatures, num_classes: int) -> Calibration:
    return calibrate(
        head.flat.logits(validation.original()),
        validation.labels,
        num_classes=num_classes,
        error_rate=kt_error_rate(len(validation)),
    )


def _calibrated_loss(head: Head, labeled: LabeledFeatures) -> float:
    """Return the cross entropy at the best temperature, in nats."""
    logits = head.logits(labeled.original())
    return best_temperature(logits, labeled.labels, error_rate=kt_error_rate(len(labeled)))[1]


def _probabilities(head: Head, labeled: LabeledFeatures | None) -> np.ndarray:
    if labeled is None:
        return np.empty((0, head.kernel.shape[1]), np.float32)
    return head.probabilities(labeled.original())
