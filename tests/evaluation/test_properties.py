"""What holds for every classifier and every set of photos."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from bricksight.evaluation import Evaluation, evaluate, wilson_interval

FIGURES = (
    "num_images",
    "accuracy",
    "top_k_accuracy",
    "balanced_accuracy",
    "cross_entropy",
    "expected_calibration_error",
)


def random_case(seed: int, *, num_classes: int, num_images: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(num_classes, 0.5), size=num_images)
    return probabilities, rng.integers(num_classes, size=num_images)


def score(
    probabilities: np.ndarray,
    true: np.ndarray,
    *,
    names: np.ndarray | None = None,
    k: int = 2,
    groups: list[str] | None = None,
) -> Evaluation:
    names = np.arange(probabilities.shape[1]) if names is None else names
    return evaluate(
        probabilities,
        true,
        labels=[f"class {name}" for name in names],
        paths=[f"{probabilities[row].max()}.jpg" for row in range(len(true))],
        groups=groups,
        k=k,
    )


def figures(evaluation: Evaluation) -> list[float]:
    values = evaluation.to_dict()
    return [values[name] for name in FIGURES]


cases = given(
    seed=st.integers(0, 2**32 - 1),
    num_classes=st.integers(2, 6),
    num_images=st.integers(1, 30),
)
few = settings(max_examples=30, deadline=None)


@cases
@few
def test_evaluate__order_of_photos_does_not_matter(seed, num_classes, num_images):
    probabilities, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    order = np.random.default_rng(seed).permutation(num_images)
    one, other = score(probabilities, true), score(probabilities[order], true[order])
    assert figures(one) == pytest.approx(figures(other))
    assert one.confusion_matrix.tolist() == other.confusion_matrix.tolist()
    assert one.mistakes == other.mistakes


@cases
@few
def test_evaluate__order_of_classes_does_not_matter(seed, num_classes, num_images):
    probabilities, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    order = np.random.default_rng(seed).permutation(num_classes)
    one = score(probabilities, true)
    other = score(probabilities[:, order], np.argsort(order)[true], names=order)
    assert figures(one) == pytest.approx(figures(other))
    assert one.mistakes == other.mistakes
    assert {scores.label: scores for scores in one.classes} == {
        scores.label: scores for scores in other.classes
    }


@cases
@few
def test_evaluate__perfect_answers_give_one(seed, num_classes, num_images):
    _, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    evaluation = score(np.eye(num_classes)[true], true)
    top = 1 if num_classes > evaluation.top_k else None
    balanced = 1 if len(np.unique(true)) > 1 else None
    assert figures(evaluation) == pytest.approx([num_images, 1, top, balanced, 0, 0])
    assert evaluation.mistakes == evaluation.confused_pairs == ()
    assert {scores.f1 for scores in evaluation.classes} <= {1.0, None}


@cases
@few
def test_evaluate__counts_add_up(seed, num_classes, num_images):
    probabilities, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    evaluation = score(probabilities, true)
    matrix = evaluation.confusion_matrix
    assert matrix.sum() == sum(one.count for one in evaluation.reliability) == num_images
    assert [scores.count for scores in evaluation.classes] == matrix.sum(axis=1).tolist()
    assert [scores.predicted_count for scores in evaluation.classes] == matrix.sum(axis=0).tolist()
    assert len(evaluation.mistakes) == sum(pair.count for pair in evaluation.confused_pairs)
    assert len(evaluation.mistakes) == num_images - matrix.trace()


@cases
@few
def test_evaluate__more_answers_never_hurt(seed, num_classes, num_images):
    probabilities, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    top_k = [score(probabilities, true, k=k).top_k_accuracy for k in range(1, num_classes)]
    assert top_k[0] == score(probabilities, true).accuracy
    assert top_k == sorted(top_k)
    assert score(probabilities, true, k=num_classes).top_k_accuracy is None


@cases
@few
def test_evaluate__interval_contains_the_accuracy(seed, num_classes, num_images):
    probabilities, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    groups = [f"group {index // 3}" for index in range(num_images)]
    for evaluation in (score(probabilities, true), score(probabilities, true, groups=groups)):
        interval = evaluation.accuracy_interval
        assert interval is not None and evaluation.accuracy is not None
        assert 0 <= interval.low <= evaluation.accuracy <= interval.high <= 1
        assert interval.low < interval.high


@cases
@few
def test_to_dict__holds_nothing_that_json_cannot(seed, num_classes, num_images):
    probabilities, true = random_case(seed, num_classes=num_classes, num_images=num_images)
    groups = [f"group {index // 2}" for index in range(num_images)]
    values = score(probabilities.astype(np.float32), true, groups=groups).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@given(total=st.integers(1, 2000), share=st.floats(0, 1))
@few
def test_wilson_interval__agrees_with_scipy(total, share):
    successes = round(share * total)
    expected = binomtest(successes, total).proportion_ci(method="wilson")
    assert wilson_interval(successes, total) == pytest.approx((expected.low, expected.high))


def test_wilson_interval__worked_out_by_hand():
    # 5 of 10: 0.5 ± 1.96 / (1 + 3.8415 / 10) * sqrt(0.025 + 3.8415 / 400) = 0.5 ± 0.2634
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=5e-5)


def test_wilson_interval__without_trials_says_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "total"), [(-1, 3), (4, 3), (0, -1)])
def test_wilson_interval__refuses_impossible_counts(successes, total):
    with pytest.raises(ValueError, match=f"successes is {successes}; it must be from 0 to total"):
        wilson_interval(successes, total)
