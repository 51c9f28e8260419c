"""What a reader must know before believing a figure."""

from bricksight._support.text import pluralize, some
from bricksight.dataset import Problem
from bricksight.evaluation._intervals import WIDEST
from bricksight.evaluation._result import Evaluation


def warnings_of(
    evaluation: Evaluation, *, cure: str = "More photos narrow that range."
) -> list[Problem]:
    """Return what the figures themselves give reason to warn of.

    Args:
        evaluation: The figures.
        cure: The sentence that says how to measure more exactly.
    """
    return [*_small_test(evaluation, cure), *_untested_classes(evaluation)]


def trained_on(number: int, num_images: int, *, model: str = "the model") -> list[Problem]:
    """Return what is to be said where photos that are measured on took part in the training.

    Args:
        number: how many did.
        num_images: how many there are.
        model: what was trained.
    """
    if not number:
        return []
    message = (
        f"{number:,} of {pluralize(num_images, 'photo')} took part in the training of {model}, so "
        "the accuracy is too good. Name other photos, or --split test."
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
        f"The test is small ({photos}): the accuracy on other photos of the same kind may lie "
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
        f"{'has' if len(missing) == 1 else 'have'} no test photo, so nothing is known about "
        f"{'it' if len(missing) == 1 else 'them'}: {some(missing)}."
    )
    if num_classes - len(missing) == 1:
        message += (
            " Of one class only the share of right answers is measured: there is no balanced "
            "accuracy, precision or F1."
        )
    return [Problem("untested_classes", message, missing)]
