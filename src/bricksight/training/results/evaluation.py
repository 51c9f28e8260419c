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
    """Return the threshold for "unknown", or a problem where too few photos determine it.

    It is chosen on the validation photos, and if these are too few, also on the out-of-fold answers
    of the training photos. Their models are trained on fewer photos and less confident, so fewer
    photos are rejected than allowed. That is better than to reject too many by a threshold that a
    single photo sets (docs/explanation/unknown.md). If all these are too few there is no threshold,
    unless out-of-class photos are given: whoever gives them wants them rejected.

    Args:
        trained: the head, with its answers to photos that it was not fitted to.
        data: the photos.
        rate: false rejection rate, in percent of known photos.
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
    """Return a problem that tells why no answer is "unknown"."""
    message = (
        f'No answer is given as "unknown": {_held_out(groups)} cannot tell which threshold rejects '
        f"no more than {rate:g} % of known photos; {fewest} or more can. Add photos, or raise "
        "--validation_percentage or --rejection_rate."
    )
    return [Problem("no_threshold", message)]


def _rough_threshold(groups: Sequence[str], fewest: int, rate: float) -> list[Problem]:
    """Return a problem that tells what to expect of a threshold from too few photos."""
    message = (
        f'The threshold for "unknown" is rough: it is the lowest probability of '
        f"{_held_out(groups)}. Expect {100 / (len(set(groups)) + 1):.0f} % of known photos to be "
        f"rejected, where --rejection_rate asks for {rate:g} %; {fewest} or more keep to it. "
        "Add photos, or raise --validation_percentage."
    )
    return [Problem("rough_threshold", message)]


def _held_out(groups: Sequence[str]) -> str:
    number = len(set(groups))
    return pluralize(number, "held-out photo" if number == len(groups) else "held-out group")


def rendered_test(data: Dataset) -> list[Problem]:
    """Return a problem where the test photos are renders."""
    message = (
        "The test photos are renders, so the accuracy says little about real photos. Measure it on "
        "those: bricksight evaluate MODEL PHOTOS"
    )
    return [Problem("rendered_test", message)] if data.is_rendered else []
