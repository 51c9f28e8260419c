"""Four photos of three classes, with every figure worked out by hand."""

import json
import math

import numpy as np
import pytest

from bricksight.evaluation import ConfusedPair, Evaluation, Mistake, evaluate, warnings_of

LABELS = ["axle", "brick", "cone"]
PATHS = ["axle/1.jpg", "brick/1.jpg", "brick/2.jpg", "cone/1.jpg"]
PROBABILITIES = [
    [0.70, 0.20, 0.10],
    [0.05, 0.62, 0.33],
    [0.50, 0.30, 0.20],  # a brick taken for an axle
    [0.20, 0.18, 0.62],
]
TRUE = [0, 1, 1, 2]


def four_photos(*, groups: list[str] | None = None, k: int = 2) -> Evaluation:
    return evaluate(
        np.array(PROBABILITIES), np.array(TRUE), labels=LABELS, paths=PATHS, groups=groups, k=k
    )


def test_evaluate__accuracies():
    evaluation = four_photos()
    assert evaluation.num_images == 4
    assert evaluation.accuracy == 0.75
    assert evaluation.balanced_accuracy == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert (evaluation.top_k, evaluation.top_k_accuracy) == (2, 1.0)


def test_evaluate__cross_entropy():
    expected = -(math.log(0.70) + math.log(0.62) + math.log(0.30) + math.log(0.62)) / 4
    assert four_photos().cross_entropy == pytest.approx(expected)


def test_evaluate__cross_entropy_of_a_probability_of_zero_is_finite():
    evaluation = evaluate(np.array([[1.0, 0.0]]), np.array([1]), labels=["a", "b"], paths=["x"])
    assert evaluation.cross_entropy == pytest.approx(-math.log(2**-23))


def test_evaluate__confusion_matrix_has_true_classes_in_rows():
    assert four_photos().confusion_matrix.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_evaluate__scores_of_each_class():
    axle, brick, cone = four_photos().classes
    assert (axle.precision, axle.recall, axle.count, axle.predicted_count) == (0.5, 1.0, 1, 2)
    assert (brick.precision, brick.recall, brick.count, brick.predicted_count) == (1.0, 0.5, 2, 1)
    assert axle.f1 == brick.f1 == pytest.approx(2 / 3)
    assert (cone.precision, cone.recall, cone.f1) == (1.0, 1.0, 1.0)


def test_evaluate__calibration_error():
    # Sures: 0.70 right, 0.62 right twice, 0.50 wrong; each value has a bin of its own.
    evaluation = four_photos()
    expected = (1 * (1 - 0.70) + 2 * (1 - 0.62) + 1 * (0.50 - 0)) / 4
    assert evaluation.expected_calibration_error == pytest.approx(expected)
    assert [one.count for one in evaluation.reliability if one.count] == [1, 2, 1]
    assert evaluation.reliability[0].accuracy is None


def test_evaluate__a_bin_includes_its_upper_end():
    evaluation = evaluate(np.array([[1.0, 0.0]]), np.array([0]), labels=["a", "b"], paths=["x"])
    assert evaluation.reliability[-1].count == 1


def test_evaluate__confused_pairs_and_mistakes():
    evaluation = four_photos()
    assert evaluation.confused_pairs == (ConfusedPair("brick", "axle", 1, 0.5),)
    assert evaluation.mistakes == (Mistake("brick/2.jpg", "brick", "axle", 0.5, 0.3),)


def test_evaluate__lists_the_surest_mistake_first():
    evaluation = evaluate(
        np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]]),
        np.array([1, 1, 0]),
        labels=["a", "b"],
        paths=["x", "y", "z"],
    )
    assert [mistake.path for mistake in evaluation.mistakes] == ["y", "z", "x"]


def test_evaluate__equal_probabilities_are_no_recognition():
    uniform = np.full((3, 3), 1 / 3)
    evaluation = evaluate(uniform, np.array([0, 1, 2]), labels=LABELS, paths=["x", "y", "z"], k=2)
    assert evaluation.accuracy == pytest.approx(1 / 3)
    assert evaluation.top_k_accuracy == pytest.approx(2 / 3)


@pytest.mark.parametrize("k", [3, 5])
def test_evaluate__top_k_of_no_more_classes_is_no_figure(k: int):
    evaluation = four_photos(k=k)
    assert (evaluation.top_k, evaluation.top_k_accuracy) == (k, None)


def test_evaluate__of_one_class_only_what_can_be_said():
    evaluation = evaluate(
        np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]), np.array([0, 0]), labels=LABELS, paths="xy"
    )
    assert (evaluation.accuracy, evaluation.balanced_accuracy) == (0.5, None)
    axle = evaluation.classes[0]
    assert (axle.recall, axle.precision, axle.f1) == (0.5, None, None)
    small, untested = warnings_of(evaluation, cure="Add some.")
    assert "The test is small (2 photos)" in small.message
    assert small.message.endswith("from 9 to 91 %. Add some.")
    assert untested.paths == ("brick", "cone")
    assert untested.message.startswith("2 of 3 classes have no test photo, so their accuracy")
    assert "no balanced accuracy" in untested.message


def test_warnings__are_none_of_many_photos_of_all_classes():
    true = np.arange(90) % 3
    evaluation = evaluate(np.eye(3)[true], true, labels=LABELS, paths=[str(one) for one in true])
    assert warnings_of(evaluation) == []
    assert evaluation.statement.startswith("100.0 % of 90 photos right")


@pytest.mark.parametrize(("num_photos", "is_rough"), [(2, True), (34, True), (35, False)])
def test_statement__leads_with_there_being_few_photos(num_photos: int, is_rough: bool):
    true = np.arange(num_photos) % 3
    evaluation = evaluate(np.eye(3)[true], true, labels=LABELS, paths=["x"] * num_photos)
    assert evaluation.statement.startswith("Too few photos for more than a rough") == is_rough
    assert f"100.0 % of {num_photos} photos right (95 % interval" in evaluation.statement


def test_statement__of_one_group_of_many_photos_is_rough():
    statement = four_photos(groups=["a"] * 4).statement
    assert statement.startswith("Too few photos for more than a rough figure: 75.0 % of 4 photos")
    assert "The photos form 1 group. Photos of one group are not independent" in statement


def test_evaluate__a_class_without_photos_is_listed_and_has_no_recall():
    evaluation = evaluate(
        np.array([[0.8, 0.1, 0.1]]), np.array([0]), labels=LABELS, paths=["axle/1.jpg"]
    )
    assert evaluation.labels_without_images == ("brick", "cone")
    assert evaluation.classes[1].recall is None
    assert evaluation.classes[1].precision is None
    assert evaluation.classes[1].f1 is None


def test_evaluate__no_photos_give_none_and_a_statement():
    evaluation = evaluate(
        np.zeros((0, 3), np.float32), np.zeros(0, int), labels=LABELS, paths=[], groups=[]
    )
    assert evaluation.statement == "There were no photos to test, so the accuracy is not known."
    assert evaluation.labels_without_images == tuple(LABELS)
    figures = evaluation.to_dict()
    for name in ("accuracy", "accuracy_interval", "cross_entropy", "expected_calibration_error"):
        assert figures[name] is None
    json.dumps(figures, allow_nan=False)


def test_statement__names_share_number_and_interval():
    statement = four_photos().statement
    assert statement.endswith("75.0 % of 4 photos right (95 % interval 30.1 to 95.4 %).")


def test_answered__withholds_what_is_less_probable_than_the_threshold():
    evaluation = four_photos()
    assert (evaluation.answered(0.6).count, evaluation.answered(0.6).accuracy) == (3, 1.0)
    assert (evaluation.answered(0.5).count, evaluation.answered(0.5).accuracy) == (4, 0.75)
    assert (evaluation.answered(0.9).count, evaluation.answered(0.9).accuracy) == (0, None)


def test_to_dict__keys_are_those_that_the_documentation_lists(documented_keys: set[str]):
    assert set(four_photos().to_dict()) == documented_keys


def test_to_dict__survives_a_round_trip():
    figures = four_photos(groups=["a", "b", "b", "c"]).to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["accuracy_interval"]["level"] == 0.95
    assert figures["classes"][0]["label"] == "axle"


@pytest.fixture
def documented_keys(request: pytest.FixtureRequest) -> set[str]:
    """The keys in the first column of the table "metrics.json" of docs/reference/metrics.md."""
    text = (request.config.rootpath / "docs" / "reference" / "metrics.md").read_text(
        encoding="utf-8"
    )
    section = text.split("### An evaluation", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {row.split("`")[1] for row in rows}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probabilities": np.zeros(3)}, r"shape \(3,\); expected \(num_images, 3\)"),
        ({"probabilities": np.full((4, 2), 0.5)}, r"shape \(4, 2\); expected \(num_images, 3\)"),
        ({"probabilities": np.full((4, 3), 0.5)}, r"probabilities\[0\] sums to 1.5"),
        ({"probabilities": np.full((4, 3), -1.0)}, r"probabilities\[0, 0\] is -1.0.*softmax"),
        ({"probabilities": np.full((4, 3), np.nan)}, r"probabilities\[0, 0\] is nan"),
        ({"label_indices": np.array([0, 1])}, "label_indices has 2 entries and probabilities 4"),
        (
            {"label_indices": np.array([0, 1, 2, 3])},
            "label_indices holds 3; expected values from 0 to 2",
        ),
        ({"label_indices": np.array([0, 1, 2, -1])}, "label_indices holds -1"),
        ({"label_indices": np.zeros(4)}, "label_indices has the dtype float64; expected integers"),
        ({"paths": ["x"]}, "paths has 1 entries"),
        ({"groups": ["x"]}, "groups has 1 entries"),
        ({"k": 0}, "k is 0; expected at least 1"),
    ],
)
def test_evaluate__refuses_what_does_not_fit(changes: dict[str, object], message: str):
    arguments = {
        "probabilities": np.array(PROBABILITIES),
        "label_indices": np.array(TRUE),
        "labels": LABELS,
        "paths": PATHS,
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        evaluate(arguments.pop("probabilities"), arguments.pop("label_indices"), **arguments)


def test_evaluate__accepts_probabilities_rounded_to_eight_bits():
    rounded = np.round(np.array(PROBABILITIES) * 256) / 256
    rounded[0, 0] -= 2 / 256
    assert evaluate(rounded, np.array(TRUE), labels=LABELS, paths=PATHS).accuracy == 0.75
