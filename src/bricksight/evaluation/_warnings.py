"""Warnings that change how the metrics are to be read."""

from bricksight._support.text import pluralize, some
from bricksight.dataset import Problem
from bricksight.evaluation._intervals import WIDEST
from bricksight.evaluation._result import Evaluation


def warnings_of(
    evaluation: Evaluation, *, cure: str = "More photos narrow that range."
) -> list[Problem]:
    """Return warnings about an evaluation: a small test, and classes without test photos.

    Args:
        evaluation: The evaluation.
        cure: Sentence that says how to measure the accuracy more precisely.
    """
    return [*_small_test(evaluation, cure), *_untested_classes(evaluation)]


def trained_on(number: int, num_images: int, *, model: str = "the model") -> list[Problem]:
    """Return a warning if photos of the evaluation were used for training.

    Args:
        number: Number of photos that were used for training.
        num_images: Number of all photos of the evaluation.
        model: The model, for the message.
    """
    if not number:
        return []
    message = (
        f"{number:,} of {pluralize(num_images, 'photo')} were used to train {model}, so the "
        "measured accuracy is too high. Use other photos, or --split test."
    )
    return [Problem("trained_on", message)]


def _small_test(evaluation: Evaluation, cure: str) -> list[Problem]:
    interval = evaluation.accuracy_interval
    if interval is None or interval.high - interval.low <= WIDEST:
        return []
    photos = pluralize(evaluation.num_images, "photo")
    if evaluation.groups is not None:
        photos += f" in {pluralize(evaluation.groups.num_groups, 'group')}"
    message = (
        f"The test is small ({photos}). The accuracy on other photos of the same kind may be "
        f"anywhere from {100 * interval.low:.0f} to {100 * interval.high:.0f} %. {cure}"
    )
    return [Problem("small_test", message)]


def _untested_classes(evaluation: Evaluation) -> list[Problem]:
    missing = evaluation.labels_without_images
    if not missing or not evaluation.num_images:
        return []
    num_classes = len(evaluation.labels)
    message = (
        f"{len(missing):,} of {pluralize(num_classes, 'class', 'classes')} "
        f"{'has' if len(missing) == 1 else 'have'} no test photo, so "
        f"{'its' if len(missing) == 1 else 'their'} accuracy is not known: {some(missing)}."
    )
    if num_classes - len(missing) == 1:
        message += " With a single tested class, there is no balanced accuracy, precision or F1."
    return [Problem("untested_classes", message, missing)]
