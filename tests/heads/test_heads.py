"""Heads on features: retrain.py's descent against its definition, and the recipe's promises."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from bricksight.bundle import Head
from bricksight.config import HeadConfig, HeadKind
from bricksight.features import LabeledFeatures
from bricksight.heads import (
    DEFAULT_HEADS,
    Checkpoint,
    HeadChoice,
    Measurement,
    Score,
    can_cross_validate,
    choose_head,
    choose_num_scales,
    one_standard_error_rule,
    score_policy,
    train_by_recipe,
    train_by_sgd,
)
from bricksight.heads.losses import best_temperature, kt_error_rate
from bricksight.heads.objective import Objective
from bricksight.heads.selection import L2_STRENGTHS
from helpers.small_disk import no_file_larger_than

NUM_CLASSES = 3
NUM_FEATURES = 8


def labeled(
    seed: int = 0, *, per_class: int = 12, views: int = 3, noise: float = 0.4
) -> LabeledFeatures:
    """Three separable clusters; every photo is a group of its own."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(NUM_CLASSES, NUM_FEATURES))
    labels = np.repeat(np.arange(NUM_CLASSES), per_class)
    features = centres[labels][:, None] + noise * rng.normal(
        size=(len(labels), views, NUM_FEATURES)
    )
    return LabeledFeatures(
        features=features.astype(np.float32), labels=labels, groups=np.arange(len(labels))
    )


STEPS = HeadConfig(how_many_training_steps=120, learning_rate=0.1, train_batch_size=16, seed=3)


def sgd(config: HeadConfig = STEPS, **options: object) -> object:
    return train_by_sgd(
        labeled(),
        labeled(1),
        num_classes=NUM_CLASSES,
        config=config,
        **options,  # type: ignore[arg-type]
    )


def stop(step: int, _: Head) -> None:
    """Interrupts a training as Ctrl-C does."""
    if step == 61:
        raise KeyboardInterrupt


def accuracy(head: Head, on: LabeledFeatures) -> float:
    return float((head.probabilities(on.original()).argmax(axis=1) == on.labels).mean())


def test_head__probabilities_are_the_softmax_of_the_logits() -> None:
    head = Head(
        kernel=np.array([[0.0, math.log(3)]], np.float32), bias=np.array([0.0, 0.0], np.float32)
    )
    np.testing.assert_allclose(head.probabilities(np.ones((1, 1), np.float32)), [[0.25, 0.75]])
    huge = head.probabilities(np.full((1, 1), 1000, np.float32))
    np.testing.assert_allclose(huge, [[0.0, 1.0]])


def test_train_by_sgd__learns_separable_classes() -> None:
    trained = sgd()
    assert accuracy(trained.head, labeled(2)) == 1.0
    assert trained.head.kernel.dtype == np.float32


def test_train_by_sgd__one_step_is_the_gradient_by_hand() -> None:
    """A batch of one photo: kernel += rate * x (onehot - p), to first order p is uniform."""
    alone = LabeledFeatures(
        features=np.full((1, 1, 2), 2.0, np.float32), labels=np.array([1]), groups=np.array([0])
    )
    config = HeadConfig(how_many_training_steps=1, learning_rate=0.5, train_batch_size=1)
    head = train_by_sgd(alone, None, num_classes=2, config=config).head
    # The initial kernel is at most 0.002, so p is 0.5 within 0.002.
    np.testing.assert_allclose(head.kernel, [[-0.5, 0.5]] * 2, atol=0.01)
    np.testing.assert_allclose(head.bias, [-0.25, 0.25], atol=0.005)


def test_train_by_sgd__measures_every_interval_and_the_last_step() -> None:
    config = HeadConfig(how_many_training_steps=25, eval_step_interval=10, seed=3)
    seen: list[int] = []

    def note(measurement: Measurement, head: Head) -> None:
        seen.append(measurement.step)
        assert head.kernel.shape == (NUM_FEATURES, NUM_CLASSES)

    trained = sgd(config, observer=note)
    assert seen == [0, 10, 20, 24]
    assert [one.step for one in trained.history.measurements] == seen
    assert all(one.validation_accuracy is not None for one in trained.history.measurements)


def test_train_by_sgd__tells_of_every_step() -> None:
    steps: list[int] = []
    sgd(after_step=lambda step, _: steps.append(step))
    assert steps == list(range(120))


def test_train_by_sgd__batches_are_balanced_whatever_the_class_sizes() -> None:
    """With 200 photos of one class and 2 of another the bias stays near zero if balanced."""
    rng = np.random.default_rng(0)
    labels = np.array([0] * 200 + [1] * 2)
    uneven = LabeledFeatures(
        features=rng.normal(scale=1e-3, size=(202, 1, 2)).astype(np.float32),
        labels=labels,
        groups=np.arange(202),
    )

    def gap(class_weight: str) -> float:
        config = HeadConfig(
            how_many_training_steps=300,
            learning_rate=0.1,
            class_weight=class_weight,  # type: ignore[arg-type]
        )
        bias = train_by_sgd(uneven, None, num_classes=2, config=config).head.bias
        return float(bias[0] - bias[1])

    assert abs(gap("balanced")) < 0.3
    assert gap("none") > 1.5


def test_train_by_sgd__one_seed_one_result() -> None:
    first, second = sgd(), sgd()
    np.testing.assert_array_equal(first.head.kernel, second.head.kernel)
    assert first.history == second.history
    other = sgd(HeadConfig(how_many_training_steps=120, learning_rate=0.1, seed=4))
    assert not np.array_equal(first.head.kernel, other.head.kernel)


def test_train_by_sgd__resumed_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    path = tmp_path / "checkpoint.npz"

    with pytest.raises(KeyboardInterrupt):
        sgd(after_step=stop, checkpoint=Checkpoint(path, "key"))
    assert path.exists()
    steps: list[int] = []
    resumed = sgd(
        after_step=lambda step, _: steps.append(step),
        checkpoint=Checkpoint(path, "key", resume=True),
    )
    assert steps[0] == 61
    whole = sgd()
    np.testing.assert_array_equal(resumed.head.kernel, whole.head.kernel)
    assert resumed.history == whole.history
    assert Checkpoint(path, "key").is_kept  # until the model is written
    assert not Checkpoint(path, "other").is_kept
    Checkpoint(path, "key").discard()
    assert not path.exists()


def test_train_by_sgd__a_full_disk_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    kept = Checkpoint(tmp_path / "checkpoint.npz", "key")
    with no_file_larger_than(500):
        trained = sgd(checkpoint=kept)
    np.testing.assert_array_equal(trained.head.kernel, sgd().head.kernel)
    (said,) = caplog.messages
    assert "cannot be written (File too large)" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["other key", "half a file"])
def test_train_by_sgd__another_trainings_checkpoint_is_not_continued(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    path = tmp_path / "checkpoint.npz"

    with pytest.raises(KeyboardInterrupt):
        sgd(after_step=stop, checkpoint=Checkpoint(path, "key"))
    if damage == "half a file":
        path.write_bytes(path.read_bytes()[:100])
    steps: list[int] = []
    key = "other" if damage == "other key" else "key"
    sgd(
        after_step=lambda step, _: steps.append(step),
        checkpoint=Checkpoint(path, key, resume=True),
    )
    assert steps[0] == 0
    assert f"There is nothing to resume: {path}" in caplog.text


def test_train_by_sgd__nothing_is_said_of_a_training_that_is_not_to_be_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sgd(checkpoint=Checkpoint(tmp_path / "checkpoint.npz", "key"))
    assert caplog.text == ""


def recipe(
    training: LabeledFeatures, validation: LabeledFeatures | None, **options: object
) -> object:
    return train_by_recipe(
        training,
        validation,
        num_classes=NUM_CLASSES,
        **{"choice": DEFAULT_HEADS["softmax"], **options},  # type: ignore[arg-type]
    )


def test_train_by_recipe__keeps_the_iteration_that_did_best_on_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bricksight.heads.fit._FIRST_TO_KEEP", 3)
    heads: dict[int, Head] = {}

    def note(measurement: Measurement, head: Head) -> None:
        heads[measurement.step] = head

    validation = labeled(1, noise=1.5)
    trained = train_by_recipe(
        labeled(noise=1.5),
        validation,
        num_classes=NUM_CLASSES,
        choice=HeadChoice("softmax", l2=1e-6),
        observer=note,
    )
    losses = {
        step: best_temperature(
            head.logits(validation.original()),
            validation.labels,
            error_rate=kt_error_rate(len(validation)),
        )[1]
        for step, head in heads.items()
        if step >= 3
    }
    best = min(losses, key=losses.__getitem__)
    assert len(losses) > 1
    assert trained.history.best_step == best < max(losses)
    logits = heads[best].logits(validation.original()) / trained.choices["temperature"]
    np.testing.assert_allclose(trained.held_out, softmax(logits, axis=1), atol=1e-5)


def test_train_by_recipe__the_head_has_seen_the_validation_photos_and_the_answers_not() -> None:
    everything, validation = labeled(), labeled(1)
    training = everything.take(np.flatnonzero(everything.labels != 0))
    trained = recipe(training, validation)
    of_missing = validation.labels == 0
    features = validation.original()[of_missing]
    assert not (trained.held_out[of_missing].argmax(axis=1) == 0).any()
    assert (trained.head.probabilities(features).argmax(axis=1) == 0).all()


def test_examples_joined__keeps_groups_apart() -> None:
    joined = labeled().joined(labeled(1))
    assert len(joined) == len(labeled()) + len(labeled(1))
    half = len(labeled())
    assert not set(joined.groups[:half]) & set(joined.groups[half:])


def test_best_temperature__finds_the_one_that_was_put_in() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(20_000, NUM_CLASSES))
    gumbel = rng.gumbel(size=logits.shape)
    labels = (logits + gumbel).argmax(axis=1)  # drawn from the softmax of the logits
    temperature, loss = best_temperature(logits * 3, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    assert loss == pytest.approx(best_temperature(logits, labels)[1], abs=1e-3)


def test_best_temperature__a_few_right_answers_leave_an_error_rate() -> None:
    """Of n right answers the next one is right with probability (n + 1/2) / (n + 1) or so."""
    labels = np.repeat([0, 1], 49)
    logits = 1000 * np.eye(2)[labels]
    temperature, _ = best_temperature(logits, labels, error_rate=kt_error_rate(len(labels)))
    assert softmax(logits / temperature, axis=1).max() == pytest.approx(1 - 0.005 / 2, abs=2e-4)


def test_train_by_recipe__discriminant_analysis_is_not_certain_beyond_measure() -> None:
    trained = recipe(labeled(noise=0.05), labeled(1), choice=DEFAULT_HEADS["lda"])
    assert trained.held_out.argmax(axis=1).tolist() == labeled(1).labels.tolist()
    assert 0.9 < float(trained.held_out.max(axis=1).mean()) < 0.9999


def test_train_by_recipe__works_without_validation_photos() -> None:
    trained = recipe(labeled(), None)
    assert accuracy(trained.head, labeled(2)) == 1.0
    assert trained.history.measurements[-1].validation_accuracy is None
    assert trained.history.best_step == trained.history.measurements[-1].step


@pytest.mark.parametrize("kind", ["softmax", "lda"])
def test_train_by_recipe__the_scale_of_each_feature_does_not_matter(kind: HeadKind) -> None:
    """Features of earlier layers are several times smaller than those of the last one."""
    original = labeled(noise=1.0)
    scales = np.geomspace(0.3, 50, NUM_FEATURES, dtype=np.float32)
    scaled = LabeledFeatures(
        features=original.features * scales + 7, labels=original.labels, groups=original.groups
    )
    one, other = (recipe(on, None, choice=DEFAULT_HEADS[kind]) for on in (original, scaled))
    np.testing.assert_allclose(
        one.head.probabilities(original.original()),
        other.head.probabilities(scaled.original()),
        atol=2e-3,
    )


@pytest.mark.parametrize(
    "choice", [HeadChoice("softmax", l2=1e-3), HeadChoice("lda", shrinkage=0.1, l2=None)]
)
def test_train_by_recipe__class_weight_lifts_a_rare_class(choice: HeadChoice) -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 4)
    uneven = LabeledFeatures(
        features=(labels[:, None, None] + rng.normal(size=(64, 1, 1))).astype(np.float32),
        labels=labels,
        groups=np.arange(64),
    )

    def of_rare(class_weight: str) -> float:
        head = train_by_recipe(
            uneven,
            None,
            num_classes=2,
            choice=choice,
            class_weight=class_weight,  # type: ignore[arg-type]
        ).head
        return float(head.probabilities(uneven.original())[:, 1].mean())

    assert of_rare("none") == pytest.approx(4 / 64, abs=0.02)
    assert of_rare("balanced") > 0.2


def test_lda__is_scikit_learns() -> None:
    """Of features of one scale, as scikit-learn takes the shrinkage for that of each feature."""
    photos = labeled(noise=1.5, per_class=40, views=1)
    flat = photos.original() / photos.original().std(axis=0)
    photos = dataclasses.replace(photos, features=flat[:, None])
    trained = recipe(photos, None, choice=HeadChoice("lda", shrinkage=0.3, l2=None))
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(flat, photos.labels)
    # It scales by the deviation within the classes, which shrinks towards another multiple.
    found = trained.head.probabilities(flat)
    np.testing.assert_allclose(found, reference.predict_proba(flat), atol=0.02)
    assert trained.history.best_step == 1


def test_lda__answers_no_class_without_photos() -> None:
    photos = labeled()
    trained = train_by_recipe(
        photos, None, num_classes=NUM_CLASSES + 1, choice=DEFAULT_HEADS["lda"]
    )
    assert trained.head.probabilities(photos.original())[:, NUM_CLASSES].max() < 1e-6
    assert accuracy(trained.head, photos) == 1.0


def test_train_by_recipe__directions_in_which_a_class_varies_count_little() -> None:
    """One feature tells the classes apart, two others that share a large error do with each other.

    Few photos: the penalty alone cannot tell which directions are noise.
    """

    def photos(seed: int) -> LabeledFeatures:
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 10)
        common = 10 * rng.normal(size=(20, 1))
        features = common + np.where(labels[:, None] == 1, [0.5, -0.5], [-0.5, 0.5])
        features += 0.1 * rng.normal(size=(20, 2))
        return LabeledFeatures(
            features=features[:, None].astype(np.float32), labels=labels, groups=np.arange(20)
        )

    whitened, only_scaled = (
        recipe(photos(0), None, choice=HeadChoice("softmax", shrinkage=shrinkage, l2=0.1)).head
        for shrinkage in (0.01, 1.0)
    )
    assert accuracy(whitened, photos(1)) == 1.0
    losses = [
        best_temperature(head.logits(photos(1).original()), photos(1).labels)[1]
        for head in (whitened, only_scaled)
    ]
    assert losses[0] < losses[1]


def test_softmax__unwhitened_is_scikit_learns_on_features_of_one_scale() -> None:
    """How much a feature varies stays what it is, so that the penalty bears on the small ones."""
    photos = labeled(noise=1.5, per_class=40, views=1)
    flat = photos.original() * np.linspace(0.2, 3, NUM_FEATURES, dtype=np.float32)
    photos = dataclasses.replace(photos, features=flat[:, None])
    found = recipe(photos, None, choice=HeadChoice("softmax", shrinkage=None, l2=0.1)).head
    scaled = (flat - flat.mean(axis=0)) / np.sqrt(np.mean(flat.var(axis=0)))
    # Half the squared kernel weighs 0.1 beside the mean loss; scikit-learn's, 1 / C beside the sum.
    reference = LogisticRegression(C=1 / (0.1 * len(flat)), tol=1e-8, max_iter=1000)
    expected = reference.fit(scaled, photos.labels).predict_proba(scaled)
    np.testing.assert_allclose(found.probabilities(flat), expected, atol=5e-3)


def test_objective__in_parts_on_several_threads_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, labels = labeled(noise=1).rows()
    weights = np.full(len(rows), 1 / len(rows), np.float32)
    at = np.random.default_rng(1).normal(size=(NUM_FEATURES + 1) * NUM_CLASSES)
    found = []
    for rows_at_once in (len(rows), 7):
        monkeypatch.setattr("bricksight.heads.objective._ROWS_AT_ONCE", rows_at_once)
        found.append(Objective(rows, labels, weights, 0.01, num_classes=NUM_CLASSES)(at))
    (loss, gradient), (loss_in_parts, gradient_in_parts) = found
    assert loss_in_parts == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(gradient_in_parts, gradient, atol=1e-6)


@pytest.mark.parametrize("kinds", [("softmax",), ("lda",), ("softmax", "lda")])
def test_choose_head__is_the_one_with_the_lowest_held_out_loss(kinds: tuple[HeadKind, ...]) -> None:
    photos = labeled(noise=1.5)
    found = choose_head(photos, kinds, num_classes=NUM_CLASSES, seed=0)
    chosen, losses, logits = found.choice, found.losses, found.logits
    assert min(losses, key=losses.__getitem__) == chosen
    assert {choice.kind for choice in losses} == set(kinds)
    assert logits.shape == (len(photos), NUM_CLASSES)
    # They are those of the photos while they were held out, before any temperature.
    _, loss = best_temperature(logits, photos.labels, error_rate=kt_error_rate(len(photos)))
    assert loss == pytest.approx(losses[chosen], rel=1e-4) == found.score.loss
    assert max(losses.values()) > min(losses.values()) + 0.005


def test_choose_head__walks_on_while_the_next_penalty_is_better() -> None:
    """The noisier the photos, the stronger."""
    found = {
        noise: choose_head(labeled(noise=noise), ["softmax"], num_classes=NUM_CLASSES, seed=0)
        for noise in (0.3, 1.5)
    }
    clear, noisy = (one.choice.l2 for one in found.values())
    assert clear is not None
    assert noisy is not None
    assert clear <= L2_STRENGTHS[1]
    assert noisy == L2_STRENGTHS[-1]
    # From 0.01 down no stronger one is tried, but the one beside it.
    assert max(choice.l2 or 0 for choice in found[0.3].losses) <= 3e-2


@pytest.mark.parametrize("near", [HeadChoice("softmax", 1, 3e-2), HeadChoice("lda", 0.8, None)])
def test_choose_head__near_another_finds_as_good_a_one_with_fewer_trials(near: HeadChoice) -> None:
    photos = labeled(noise=1.5)
    anywhere = choose_head(photos, [near.kind], num_classes=NUM_CLASSES, seed=0)
    beside = choose_head(photos, ["softmax", "lda"], num_classes=NUM_CLASSES, seed=0, near=near)
    assert {choice.kind for choice in beside.losses} == {near.kind}
    assert near in beside.losses
    assert beside.score.loss < beside.losses[near] or beside.choice == near
    assert beside.score.loss == pytest.approx(anywhere.score.loss, rel=0.02)
    assert len(beside.losses) < len(anywhere.losses)


def test_choose_num_scales__takes_those_that_tell_the_classes_apart() -> None:
    """The classes show at the second depth alone; the third is noise."""
    second = labeled(noise=0.3, per_class=20)
    rng = np.random.default_rng(5)
    first, third = rng.normal(size=(2, *second.features.shape)).astype(np.float32)
    features = np.concatenate([first, second.features, third, third], axis=2)
    photos = dataclasses.replace(second, features=features)
    widths = (NUM_FEATURES,) * 4
    depths, found = choose_num_scales(photos, widths, ["softmax"], num_classes=NUM_CLASSES, seed=0)
    assert depths == 2
    first_loss, second_loss, third_loss = (one.score.loss for one in found)  # no fourth is tried
    assert second_loss < min(first_loss, third_loss)


def test_choose_num_scales__takes_one_more_where_none_can_be_told_to_be_worse() -> None:
    """What is kept is fitted to more photos than what is compared."""
    photos = labeled(noise=0.3, per_class=20)
    again = photos.features + np.random.default_rng(2).normal(0, 0.01, photos.features.shape)
    features = np.concatenate([photos.features, again.astype(np.float32)], axis=2)
    photos = dataclasses.replace(photos, features=features)
    widths = (NUM_FEATURES, NUM_FEATURES)
    depths, found = choose_num_scales(photos, widths, ["softmax"], num_classes=NUM_CLASSES, seed=0)
    assert found[0].score.loss == pytest.approx(found[1].score.loss, rel=0.1)
    assert depths == 2


def test_score_policy__views_that_blur_the_classes_score_worse() -> None:
    good = labeled(noise=0.3)
    rng = np.random.default_rng(1)
    features = good.features.copy()
    features[:, 1:] = features[rng.permutation(len(features)), 1:]
    bad = LabeledFeatures(features=features, labels=good.labels, groups=good.groups)
    scores = [score_policy(one, num_classes=NUM_CLASSES, seed=0) for one in (good, bad)]
    assert scores[0].loss < scores[1].loss
    assert scores[0].of_photos.shape == good.labels.shape
    assert scores[0].of_photos.mean() < scores[1].of_photos.mean()


def test_last_as_good__takes_what_cannot_be_told_to_be_worse() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(100), 3)
    best = rng.normal(1, 0.1, 300)
    # By photo the difference is 1.7 standard errors, by group it is not one.
    noisy = best + 0.05 + np.repeat(rng.normal(0, 1, 100), 3)
    noisy += best.mean() + 0.05 - noisy.mean()
    worse = best + rng.normal(0.5, 0.1, 300)
    scores = [Score(float(one.mean()), one) for one in (worse, best, noisy, worse)]
    assert one_standard_error_rule(scores, groups) == 2
    assert one_standard_error_rule(scores[:2], groups) == 1
    assert one_standard_error_rule(scores[1:2], groups) == 0


def test_can_cross_validate__needs_a_class_of_two_groups() -> None:
    features = np.zeros((4, 1, 1), np.float32)
    labels = np.array([0, 0, 1, 1])
    one_each = LabeledFeatures(features=features, labels=labels, groups=np.array([0, 0, 1, 1]))
    two_in_one = LabeledFeatures(features=features, labels=labels, groups=np.array([0, 0, 1, 2]))
    assert not can_cross_validate(one_each)
    assert can_cross_validate(two_in_one)
    assert len(choose_head(two_in_one, ["softmax", "lda"], num_classes=2, seed=0).losses) > 1


def test_choose_head__never_looks_at_a_group_from_both_sides() -> None:
    """Labels are random but shared within a group: only a leak could predict them."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    labels = np.repeat(rng.permutation(np.arange(30) % NUM_CLASSES), 4)
    of_group = rng.normal(size=(30, NUM_FEATURES)).astype(np.float32)
    leaky = LabeledFeatures(features=of_group[groups][:, None], labels=labels, groups=groups)
    losses = choose_head(leaky, ["softmax", "lda"], num_classes=NUM_CLASSES, seed=0).losses
    # Chance is log 3; the best temperature may fall a little below it on so few photos.
    assert min(losses.values()) > 0.85 * math.log(NUM_CLASSES)
