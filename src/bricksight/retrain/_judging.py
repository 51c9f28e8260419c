"""A trained model judged on photos that it has not seen, and what is to be said of the figures."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bricksight._text import counted
from bricksight.config import RetrainConfig
from bricksight.dataset import Dataset, Problem
from bricksight.evaluation import ENOUGH_PHOTOS, Evaluation, refused, unknown_threshold
from bricksight.retrain._findings import Findings, judge
from bricksight.retrain._photos import Photos
from bricksight.training import TrainedHead

Settings = Mapping[str, Mapping[str, object]]

_WIDEST_INTERVAL = 0.1
"""Of the accuracy, at 95 %, that is not worth a warning: five points either way."""


def judge_trained(
    photos: Photos, trained: TrainedHead, config: RetrainConfig, *, settings: Settings
) -> Findings:
    """Returns the figures on photos that the training has not seen."""
    head, data, test_batch_size = trained.head, photos.data, config.test_batch_size
    with photos.watch.stage("Evaluating"):
        validation_records = data.bucket("validation")
        test_records, test = photos.plain("testing")
        if 0 <= test_batch_size < len(test):
            rows = np.random.default_rng(0).permutation(len(test))[:test_batch_size]
            test_records, test = tuple(test_records[row] for row in rows), test.take(rows)
        validated = (
            judge(trained.held_out, data, validation_records) if validation_records else None
        )
        answers = head.probabilities(test.plain())
        tested = judge(answers, data, test_records)
        chosen_by = answers_to_choose_by(trained)
        threshold = unknown_threshold(chosen_by, false_alarm_rate=config.false_alarm_rate)
        outliers = head.probabilities(photos.held_out_outliers())
        rough = _rough_threshold(len(chosen_by))
        doubts = (*rough, *_small_test(tested), *_rendered_test(data))
        return Findings(
            data=replace(data, problems=(*data.problems, *doubts)),
            compiled=photos.compiled,
            trained=trained,
            test=tested,
            validation=validated,
            unknown_threshold=threshold,
            known_refused=refused(answers, threshold),
            outliers_refused=refused(outliers, threshold) if data.outliers else None,
            settings=settings,
        )


def answers_to_choose_by(trained: TrainedHead) -> np.ndarray:
    """Returns answers to known photos by which to choose the threshold for "unknown".

    Those of the validation photos; where these are few, also those of the cross-validation. Their
    models have seen fewer photos and are less sure, so that fewer photos are refused than may be:
    better than to refuse too many by a threshold that hangs on one photo (docs/unknown.md).
    """
    held_out, out_of_fold = trained.held_out, trained.out_of_fold
    if out_of_fold is None or not 0 < len(held_out) < ENOUGH_PHOTOS:
        return held_out
    return np.concatenate([held_out, out_of_fold])


def _rough_threshold(num_photos: int) -> list[Problem]:
    """Returns what is to be said of the threshold for "unknown" if few photos chose it."""
    if not 0 < num_photos < ENOUGH_PHOTOS:
        return []
    message = (
        f'The threshold below which an answer is "unknown" was chosen on '
        f"{counted(num_photos, 'photo')} and is rough; more photos, or a "
        "higher --validation_percentage, make it better."
    )
    return [Problem("rough_threshold", message)]


def _small_test(test: Evaluation) -> list[Problem]:
    """Returns what is to be said of the test if few photos were kept for it."""
    if test.accuracy_interval is None:
        return []
    low, high = test.accuracy_interval.low, test.accuracy_interval.high
    if high - low <= _WIDEST_INTERVAL:
        return []
    message = (
        f"{counted(test.num_images, 'test photo')} cannot tell models apart that differ by less "
        f"than about {100 * (high - low) / 2:.0f} points; bricksight crossval tests on every photo."
    )
    return [Problem("small_test", message)]


def _rendered_test(data: Dataset) -> list[Problem]:
    message = (
        "The test photos are renders, which says little of real photos; bricksight evaluate MODEL "
        "PHOTOS tells how good the model is on those."
    )
    return [Problem("rendered_test", message)] if data.is_rendered else []
