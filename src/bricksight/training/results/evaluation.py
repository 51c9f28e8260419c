"""Evaluates a trained model on held-out photos and collects warnings."""

from collections.abc import Sequence

import numpy as np

from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.dataset import Dataset, Example, Problem, suggested_groups
from bricksight.evaluation import (
    Evaluation,
    fewest_for_threshold,
    rejected,
    unknown_threshold,
    warnings_of,
)
from bricksight.features import FeaturizedDataset
from bricksight.heads import TrainedHead
from bricksight.quality import bursts
from bricksight.training.context import TrainedModel, TrainingContext
from bricksight.training.plan import EVALUATING
from bricksight.training.results.artifacts import TrainingReport, evaluate_split
from bricksight.training.results.near_copies import copies_problem, near_copies

_CURE = "bricksight crossval, which tests on every photo, narrows that range."


def evaluate_model(model: TrainedModel, context: TrainingContext) -> TrainingReport:
    """Return the figures on the held-out photos, with warnings."""
    dataset, trained = model
    data, config = dataset.data, context.config
    with context.progress.stage(EVALUATING):
        examples, features = _test_photos(dataset, config.output.test_batch_size)
        answers = trained.head.probabilities(features)
        test = evaluate_split(answers, data, examples)
        validation_examples = data.in_split("validation")
        validation = None
        if validation_examples:
            validation = evaluate_split(trained.held_out, data, validation_examples)
        threshold, problems = choose_threshold(trained, data, config.data.rejection_rate)
        outliers = trained.head.probabilities(dataset.held_out_outliers())
    return TrainingReport(
        data=data,
        compiled=dataset.backbone.compiled,
        trained=trained,
        test=test,
        validation=validation,
        unknown_threshold=threshold,
        known_rejected=rejected(answers, threshold),
        outliers_rejected=rejected(outliers, threshold) if data.outliers else None,
        warnings=(*_warnings(dataset, test, context.progress), *problems),
        settings=config.to_dict(),
    )


def _test_photos(
    dataset: FeaturizedDataset, batch_size: int
) -> tuple[Sequence[Example], np.ndarray]:
    """Return test photos and their features: all, or a random sample of ``batch_size``."""
    examples, features = dataset.data.in_split("test"), dataset.in_split("test").original()
    if 0 <= batch_size < len(examples):
        rows = np.random.default_rng(0).permutation(len(examples))[:batch_size]
        return tuple(examples[row] for row in rows), features[rows]
    return examples, features


def _warnings(dataset: FeaturizedDataset, test: Evaluation, progress: Progress) -> list[Problem]:
    """Return what changes how the accuracy is to be read, leaks first."""
    if not test.num_images:
        return []
    data = dataset.data
    pairs = near_copies(dataset, progress)
    return [
        *suggested_groups(data.examples, data.split),
        *bursts(data.examples, data.split),
        *copies_problem(pairs, data.examples, len(data.in_split("test"))),
        *warnings_of(test, cure=_CURE),
        *rendered_test(data),
    ]


def choose_threshold(
    trained: TrainedHead, data: Dataset, rate: float
) -> tuple[float | None, list[Problem]]:
    """Returns the threshold for "unknown", or what is to be said where too few photos choose it.

    The validation photos choose it; where these are too few, also the answers of the
    cross-validation. Their models have seen fewer photos and are less sure, so that fewer photos
    are refused than may be: better than to refuse too many by a threshold set by a single photo
    (docs/explanation/unknown.md). Where even these are too few there is none, unless photos of none
    of the classes are given: who gives them wants them refused.

    Args:
        trained: the layer, with its answers to photos that it was not fitted to.
        data: the photos.
        rate: in percent, of known photos that may be refused.
    """
    answers, groups = trained.held_out, _groups(data, "validation")
    fewest = fewest_for_threshold(rate)
    if trained.out_of_fold is not None and 0 < len(set(groups)) < fewest:
        answers = np.concatenate([answers, trained.out_of_fold])
        groups += _groups(data, "training")
    threshold = unknown_threshold(answers, rejection_rate=rate, groups=groups)
    if threshold is not None:
        return threshold, []
    if data.outliers and len(answers):
        return float(answers.max(axis=1).min()), _rough_threshold(groups, fewest, rate)
    return None, _no_threshold(groups, fewest, rate)


def _groups(data: Dataset, split: str) -> list[str]:
    return [example.group for example in data.in_split(split)]


def _no_threshold(groups: Sequence[str], fewest: int, rate: float) -> list[Problem]:
    """Returns why no answer is given as "unknown"."""
    message = (
        f'No answer is given as "unknown": {_held_out(groups)} cannot tell which threshold refuses '
        f"no more than {rate:g} % of known photos; {fewest} or more can. Add photos, or raise "
        "--validation_percentage or --rejection_rate."
    )
    return [Problem("no_threshold", message)]


def _rough_threshold(groups: Sequence[str], fewest: int, rate: float) -> list[Problem]:
    """Returns what to expect of a threshold that too few photos have chosen."""
    message = (
        f'The threshold for "unknown" is rough: it is the lowest probability of '
        f"{_held_out(groups)}. Expect {100 / (len(set(groups)) + 1):.0f} % of known photos to be "
        f"refused, where --rejection_rate asks for {rate:g} %; with {fewest} or more it is kept. "
        "Add photos, or raise --validation_percentage."
    )
    return [Problem("rough_threshold", message)]


def _held_out(groups: Sequence[str]) -> str:
    number = len(set(groups))
    return pluralize(number, "held-out photo" if number == len(groups) else "held-out group")


def rendered_test(data: Dataset) -> list[Problem]:
    """Returns what is to be said where no real photo was tested on."""
    message = (
        "The test photos are renders, which says little of real photos; bricksight evaluate MODEL "
        "PHOTOS tells how good the model is on those."
    )
    return [Problem("rendered_test", message)] if data.is_rendered else []
