"""Photos that are not independent of one another: votes and wider intervals."""

import numpy as np
import pytest

from bricksight.evaluation import Evaluation, evaluate


def two_classes(
    of_first: list[float], true: list[int], *, groups: list[str] | None = None
) -> Evaluation:
    probabilities = np.column_stack([of_first, 1 - np.array(of_first)])
    paths = [f"{index}.jpg" for index in range(len(true))]
    return evaluate(probabilities, np.array(true), labels=["a", "b"], paths=paths, groups=groups)


def test_groups__answer_is_the_class_of_the_highest_product():
    # Group x: 0.6 * 0.1 for "a" against 0.4 * 0.9 for "b": one photo is right, the group wrong.
    # Group y: 0.9 * 0.4 for "a" against 0.1 * 0.6 for "b": one photo is wrong, the group right.
    evaluation = two_classes([0.6, 0.1, 0.9, 0.4], [0, 0, 0, 0], groups=["x", "x", "y", "y"])
    assert evaluation.accuracy == 0.5
    assert evaluation.groups is not None
    assert (evaluation.groups.num_groups, evaluation.groups.accuracy) == (2, 0.5)
    assert evaluation.groups.accuracy_interval is not None
    assert evaluation.groups.accuracy_interval.method == "wilson"


def test_groups__consensus_asks_for_two_photos_with_the_answer():
    # Both photos of x and of y agree, those of z do not, and w has but one; y is wrong.
    evaluation = two_classes(
        [0.9, 0.8, 0.1, 0.2, 0.9, 0.3, 0.9],
        [0, 0, 0, 0, 0, 0, 0],
        groups=["x", "x", "y", "y", "z", "z", "w"],
    )
    assert evaluation.to_dict()["groups"]["consensus"] == {
        "min_votes": 2,
        "count": 2,
        "share": 0.5,
        "accuracy": 0.5,
    }
    none = two_classes([0.9, 0.3, 0.9], [0, 0, 0], groups=["x", "x", "y"]).groups
    assert none is not None and none.consensus is not None
    assert (none.consensus.count, none.consensus.accuracy) == (0, None)


def test_groups__of_one_photo_each_change_nothing():
    alone = two_classes([0.6, 0.1, 0.9], [0, 1, 1], groups=["x", "y", "z"])
    assert alone.groups is None
    assert alone.to_dict() == two_classes([0.6, 0.1, 0.9], [0, 1, 1]).to_dict()


def test_groups__with_several_classes_have_no_vote():
    evaluation = two_classes([0.6, 0.1, 0.9], [0, 1, 1], groups=["x", "x", "y"])
    assert evaluation.groups is not None
    assert evaluation.groups.num_groups == 2
    assert evaluation.groups.accuracy is None
    assert evaluation.groups.accuracy_interval is None
    assert evaluation.to_dict()["groups"]["consensus"] is None


def test_groups__are_named_in_the_statement():
    evaluation = two_classes([0.9, 0.2, 0.2], [0, 0, 1], groups=["x", "x", "y"])
    assert "form 2 groups" in evaluation.statement


def test_interval__of_groups_that_stand_or_fall_together_is_that_of_the_groups():
    # Twenty objects, ten photos of each, half of the objects always right: the evidence is that of
    # 20 trials, whose Wilson interval is 0.299 to 0.701, not that of 200.
    of_first = [0.9] * 100 + [0.1] * 100
    groups = [f"object {index // 10}" for index in range(200)]
    grouped = two_classes(of_first, [0] * 200, groups=groups).accuracy_interval
    alone = two_classes(of_first, [0] * 200).accuracy_interval
    assert grouped is not None and alone is not None
    assert grouped.method == "group_bootstrap"
    assert (grouped.low, grouped.high) == pytest.approx((0.3, 0.7), abs=0.051)  # one object
    assert (alone.low, alone.high) == pytest.approx((0.431, 0.569), abs=0.001)


def test_interval__all_groups_right_is_not_certainty():
    groups = ["x"] * 5 + ["y"] * 5
    interval = two_classes([0.9] * 10, [0] * 10, groups=groups).accuracy_interval
    assert interval is not None
    assert interval.method == "wilson_by_group"
    assert interval.low == pytest.approx(2 / (2 + 1.959964**2))  # Wilson's lower end of 2 of 2
    assert interval.high == 1.0


def test_interval__is_the_same_every_time():
    arguments = ([0.9, 0.2, 0.8, 0.7, 0.1], [0, 0, 0, 0, 0])
    groups = ["x", "x", "y", "y", "z"]
    first = two_classes(*arguments, groups=groups).accuracy_interval
    assert first == two_classes(*arguments, groups=groups).accuracy_interval


def test_interval__covers_the_truth_about_as_often_as_it_says():
    # Each object has its own chance of being recognised, 0.7 on average, and six photos.
    rng = np.random.default_rng(7)
    groups = [str(index // 6) for index in range(240)]
    covered = {"grouped": 0, "alone": 0}
    for _ in range(40):
        chance = np.repeat(rng.beta(0.7, 0.3, size=40), 6)
        of_first = np.where(rng.random(240) < chance, 0.9, 0.1).tolist()
        grouped = two_classes(of_first, [0] * 240, groups=groups).accuracy_interval
        alone = two_classes(of_first, [0] * 240).accuracy_interval
        assert grouped is not None and alone is not None
        covered["grouped"] += grouped.low <= 0.7 <= grouped.high
        covered["alone"] += alone.low <= 0.7 <= alone.high
    assert covered["grouped"] >= 34  # 95 % of 40 is 38
    assert covered["alone"] < 30
