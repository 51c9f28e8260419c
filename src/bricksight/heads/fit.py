"""The default recipe for few photos: a linear head on many augmented views.

What ``choosing`` has chosen is fitted to all training photos, softmax regression by L-BFGS, and the
validation photos say when to stop; linear discriminant analysis has no steps. Few photos are too
few to leave any out, so the layer is fitted once more in the same way on training and validation
photos together; what is reported of the validation photos is reported of the first fit. The
temperature that suits them goes into the weights.
"""

import functools
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from bricksight.bundle import Head
from bricksight.config import ClassWeight, HeadKind
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.blas import one_blas_thread
from bricksight.heads.calibration import Calibration, calibrate
from bricksight.heads.linear import NO_PRIOR, HeadChoice, HeadPrior, LinearFit
from bricksight.heads.losses import best_temperature, cross_entropy_and_accuracy, kt_error_rate
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
    """Returns the head fitted for as many iterations as did best on validation.

    Args:
        training: every class has at least one photo.
        validation: with as many views; ``None`` if there are no such photos, and the last iteration
            is kept.
        num_classes: how many classes there are.
        choice: the kind of head and its regularisation.
        class_weight: whether every class or every photo counts the same.
        observer: told of each iteration of the fit that the validation photos judge.
        prior: extra supervision for softmax regression.
    """
    history = History()
    best: list[tuple[float, int, Head]] = []

    def on_iteration(step: int, head: Head) -> bool:
        measurement = _measure(step, head, training, validation)
        history.measurements.append(measurement)
        if observer is not None:
            observer(measurement, head)
        loss = 0.0 if validation is None else _loss(head, validation)
        if validation is None or step <= _FIRST_TO_KEEP or loss < best[0][0]:
            best[:] = [(loss, step, head)]
        return step - best[0][1] < _PATIENCE

    linear_fit = functools.partial(
        LinearFit,
        num_classes=num_classes,
        class_weight=class_weight,
        prior=prior,
    )
    with one_blas_thread():
        linear_fit(training).fit(choice, max_iterations=_MAX_ITERATIONS, on_iteration=on_iteration)
        _, history.best_step, validated = best[0]
        calibration, head = Calibration(), validated
        if validation is not None:
            background = prior.zero_shot_head and prior.zero_shot_head.background
            validated = replace(validated, background=background)
            calibration = calibrate(
                validated.flat.logits(validation.plain()),
                validation.labels,
                num_classes=num_classes,
                doubt=kt_error_rate(len(validation)),
            )
            photos = training.joined(validation)
            head = linear_fit(photos).fit(choice, max_iterations=history.best_step)
            head = replace(head, background=background)
    validated, head = calibration.head(validated), calibration.head(head)
    return TrainedHead(
        head=head,
        held_out=_held_out_answers(validated, validation),
        history=history,
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


def _held_out_answers(head: Head, validation: LabeledFeatures | None) -> np.ndarray:
    if validation is None:
        return np.empty((0, head.kernel.shape[1]), np.float32)
    return head.probabilities(validation.plain())


def _loss(head: Head, labeled: LabeledFeatures) -> float:
    """Returns the cross entropy at the best temperature, in nats."""
    doubt = kt_error_rate(len(labeled))
    return best_temperature(head.logits(labeled.plain()), labeled.labels, doubt=doubt)[1]


def _measure(
    step: int, head: Head, training: LabeledFeatures, validation: LabeledFeatures | None
) -> Measurement:
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
