"""Classes that a network knows by name before it has seen a photo of them."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logsumexp, softmax
from sklearn.metrics import roc_auc_score

from bricksight._support.progress import Progress
from bricksight.backbones import KnownClasses
from bricksight.bundle import Head, redistribute_background
from bricksight.config import FineTuneConfig, HeadConfig, TrainingConfig
from bricksight.features import FeaturizedDataset, LabeledFeatures
from bricksight.heads import (
    HeadChoice,
    HeadPrior,
    TrainedHead,
    best_temperature,
    calibrate,
    choose_head,
    choose_num_scales,
    train_by_recipe,
)
from bricksight.heads.calibration import common_bias, with_background
from bricksight.heads.linear import LinearFit
from bricksight.training.context import TrainingContext
from bricksight.training.recipes import train_model
from bricksight.training.zero_shot_head import make_zero_shot_head
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import tiny_network, write_keras_file
from helpers.training_context import context_of, featurized, with_base

RNG = np.random.default_rng(0)


def background_share(head: Head, features: np.ndarray) -> np.ndarray:
    """Returns the probability of the background, float32 (num_photos,)."""
    share: np.ndarray = softmax(head.flat.logits(features), axis=1)[:, len(head.bias) :].sum(axis=1)
    return share


def known(*labels: str, num_features: int = 4) -> KnownClasses:
    kernel = RNG.normal(size=(num_features, len(labels))).astype(np.float32)
    return KnownClasses(labels=labels, head=Head(kernel=kernel, bias=np.arange(len(labels)) * 1.0))


def centred(array: np.ndarray) -> np.ndarray:
    found: np.ndarray = array - array.mean(axis=-1, keepdims=True)
    return found


def variants(name: str) -> tuple[str, str] | None:
    """Identifies "dime:1946" as a dime of 1946, and nothing without a colon."""
    thing, colon, variant = name.partition(":")
    return (thing, variant) if colon else None


@pytest.mark.parametrize(
    ("label", "column"),
    [
        ("dime:", 0),
        ("cent:1909", 1),
        ("cent:1943", 1),  # another variant
        ("euro:2002", 3),  # its own, not the first variant
        ("euro:2007", 2),
        ("franc:", None),
        ("dime", None),
    ],
)
def test_head_for__goes_by_what_a_name_means(label: str, column: int | None) -> None:
    own = replace(known("dime:", "cent:1909", "euro:1999", "euro:2002"), identify=variants)
    found = own.head_for([label, "dog"])
    if column is None:
        assert found is None
        return
    assert found is not None
    head, is_known = found
    assert is_known.tolist() == [True, False]
    np.testing.assert_allclose(head.kernel[:, 0], centred(own.head.kernel)[:, column], rtol=1e-5)
    np.testing.assert_allclose(head.bias, [centred(own.head.bias)[column], 0])
    assert not head.kernel[:, 1].any()


def test_head_for__goes_by_whole_names_where_nothing_else_is_said() -> None:
    own = known("Dime", "Cent")
    assert own.head_for(["dimes", "cent 1909"]) is None
    found = own.head_for(["dime", "dog"])
    assert found is not None
    assert found[1].tolist() == [True, False]


def test_head_for__the_rest_is_background() -> None:
    own = replace(known("dime:", "cent:1909", "euro:1999", "euro:2002", "x"), identify=variants)
    found = own.head_for(["cent:1943", "euro:2007", "dog"])
    assert found is not None
    background = found[0].background
    assert background is not None
    # No variant of a class is something else.
    np.testing.assert_allclose(background.kernel, centred(own.head.kernel)[:, [0, 4]], rtol=1e-5)
    np.testing.assert_allclose(background.bias, centred(own.head.bias)[[0, 4]])
    alone = known("dime").head_for(["dime"])
    assert alone is not None
    assert alone[0].background is None


def clusters(seed: int, centres: np.ndarray, per_class: int) -> LabeledFeatures:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(centres)), per_class)
    features = centres[labels] + rng.normal(size=(len(labels), centres.shape[1]))
    return LabeledFeatures(
        features=features.astype(np.float32)[:, None], labels=labels, groups=np.arange(len(labels))
    )


def test_softmax__from_the_zero_shot_head_stays_there_without_reason_to_leave() -> None:
    centres = np.random.default_rng(5).normal(size=(4, 6))
    zero_shot_head = Head(
        kernel=np.random.default_rng(6).normal(size=(6, 4)).astype(np.float32),
        bias=np.arange(4, dtype=np.float32),
    )
    photos = clusters(1, centres, 5)
    for shrinkage in (None, 0.3):
        linear = LinearFit(photos, num_classes=4, prior=HeadPrior(zero_shot_head=zero_shot_head))
        choice = HeadChoice("softmax", shrinkage, 1e6, from_zero_shot_head=True)
        strict = linear.fit(choice, max_iterations=200)
        kernels = centred(strict.kernel), centred(zero_shot_head.kernel)
        np.testing.assert_allclose(*kernels, atol=1e-3)
        free = linear.fit(replace(choice, from_zero_shot_head=False), max_iterations=200)
        np.testing.assert_allclose(free.kernel, 0, atol=1e-3)


def test_choose_head__takes_a_zero_shot_head_that_is_right_and_no_other() -> None:
    """Two photos a class say less than who knows the classes."""
    centres = 0.4 * np.random.default_rng(5).normal(size=(12, 40))
    photos, test = clusters(1, centres, 3), clusters(2, centres, 30)
    right = Head(
        kernel=centres.T.astype(np.float32), bias=-np.sum(centres**2, 1).astype(np.float32) / 2
    )
    wrong = replace(right, kernel=right.kernel[:, ::-1].copy())
    scores = {}
    for name, zero_shot_head in (("none", None), ("right", right), ("wrong", wrong)):
        prior = HeadPrior(zero_shot_head=zero_shot_head)
        found = choose_head(photos, ["softmax"], num_classes=12, seed=0, prior=prior)
        choice = found.choice
        assert choice.from_zero_shot_head == (name == "right")
        trained = train_by_recipe(photos, None, num_classes=12, choice=choice, prior=prior)
        assert trained.choices["starts_from_zero_shot_head"] == (name == "right")
        answers = trained.head.logits(test.original()).argmax(axis=1)
        scores[name] = float((answers == test.labels).mean())
    assert scores["right"] > scores["none"] + 0.05
    assert scores["wrong"] == scores["none"]


def test_choose_num_scales__judges_each_by_what_is_known_of_the_classes() -> None:
    """The prior knows the features of the first depth, and goes by no others."""
    rng = np.random.default_rng(5)
    centres = 0.4 * rng.normal(size=(12, 40))
    photos = clusters(1, centres, 3)
    second = rng.normal(size=(len(photos), 1, 10)).astype(np.float32)
    photos = replace(photos, features=np.concatenate([photos.features, second], axis=2))
    known = Head(
        kernel=np.pad(centres.T, ((0, 10), (0, 0))).astype(np.float32),
        bias=-np.sum(centres**2, 1).astype(np.float32) / 2,
        background=Head(kernel=np.ones((50, 2), np.float32), bias=np.zeros(2, np.float32)),
    )
    prior = HeadPrior(zero_shot_head=known, outliers=np.zeros((3, 1, 50), np.float32))
    widths, losses = (40, 10), []
    for given in (HeadPrior(), replace(prior, outliers=None)):
        num_scales, found = choose_num_scales(
            photos, widths, ["softmax"], num_classes=12, seed=0, prior=given
        )
        losses.append(found[num_scales - 1].score.loss)
        assert found[0].choice.from_zero_shot_head == (given.zero_shot_head is not None)
    assert losses[1] < losses[0] - 0.1
    narrow = prior.first_features(40)
    assert narrow.zero_shot_head is not None
    assert narrow.zero_shot_head.background is not None
    assert narrow.zero_shot_head.kernel.shape == (40, 12)
    assert narrow.zero_shot_head.background.kernel.shape == (40, 2)
    assert narrow.outliers is not None
    assert narrow.outliers.shape == (3, 1, 40)


def test_background__takes_its_share_of_known_photos() -> None:
    """What is far from the classes is near to nothing; what is near the others, to none of them."""
    centres = 2 * np.random.default_rng(5).normal(size=(12, 10))
    mine, strange = centres[:8], centres[8:]
    photos, test = clusters(1, mine, 12), clusters(2, mine, 30)
    unknown = clusters(3, strange, 30).original()
    background = Head(
        kernel=strange.T.astype(np.float32), bias=-np.sum(strange**2, 1).astype(np.float32) / 2
    )
    zero_shot_head = Head(
        kernel=np.zeros((10, 8), np.float32), bias=np.zeros(8, np.float32), background=background
    )
    choice, validation = HeadChoice("softmax"), clusters(4, mine, 4)
    plain, knowing = (
        train_by_recipe(
            photos, validation, num_classes=8, choice=choice, prior=HeadPrior(zero_shot_head=one)
        )
        for one in (replace(zero_shot_head, background=None), zero_shot_head)
    )
    assert plain.head.background is None
    # But for the temperature the classes are told apart in the same way.
    ratio = knowing.head.kernel / plain.head.kernel
    np.testing.assert_allclose(ratio, plain.temperature / knowing.temperature, rtol=1e-3)
    # The head was fitted to the validation photos as well; what answered them before was not.
    assert 0.003 < background_share(knowing.head, validation.original()).mean() < 0.06
    answers = knowing.head.probabilities(test.original())
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    assert (answers.argmax(1) == plain.head.probabilities(test.original()).argmax(1)).all()
    assert not np.array_equal(knowing.held_out, plain.held_out)

    def area(trained: TrainedHead) -> float:
        known_photos, background = (
            trained.head.probabilities(rows).max(axis=1) for rows in (test.original(), unknown)
        )
        is_known = np.repeat([1, 0], [len(known_photos), len(background)])
        found: float = roc_auc_score(is_known, np.concatenate([known_photos, background]))
        return found

    assert area(knowing) > area(plain) + 0.05


def test_with_background__has_three_percent_of_the_photos_that_it_goes_by() -> None:
    rng = np.random.default_rng(0)
    head, background = (
        Head(kernel=rng.normal(size=(5, number)).astype("f4"), bias=np.zeros(number, "f4"))
        for number in (3, 4)
    )
    features = rng.normal(size=(20, 5)).astype("f4")
    found = with_background(head, background, features)
    assert background_share(found, features).mean() == pytest.approx(0.03, abs=1e-4)
    assert found.background is not None
    shifts = found.background.bias - background.bias
    assert np.ptp(shifts) < 1e-5


def test_calibrate__answers_are_as_sure_as_they_are_right() -> None:
    """What the background takes is made up for by a lower temperature."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 4000)
    logits = rng.normal(size=(4000, 8))
    logits[np.arange(4000), labels] += 2
    logits[:, :5] *= 3
    found = calibrate(logits, labels, num_classes=5)
    answers = redistribute_background(found.logits(logits, 5), 5)
    assert answers.max(axis=1).mean() == pytest.approx(
        (answers.argmax(axis=1) == labels).mean(), abs=0.015
    )
    shifted = found.logits(logits, 5)
    shares = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    assert shares[:, 5:].sum(axis=1).mean() == pytest.approx(0.03, abs=1e-3)
    alone = calibrate(logits[:, :5], labels, num_classes=5)
    assert 1 < found.temperature < alone.temperature == best_temperature(logits[:, :5], labels)[0]
    assert alone.bias == 0


def test_head__keeps_its_background(tmp_path: Path) -> None:
    background = Head(kernel=np.ones((2, 3), "f4"), bias=np.ones(3, "f4"))
    head = Head(kernel=np.zeros((2, 4), "f4"), bias=np.zeros(4, "f4"), background=background)
    head.save(tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz", allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
    assert shapes == {
        "kernel": (2, 4),
        "bias": (4,),
        "background_kernel": (2, 3),
        "background_bias": (3,),
    }


def test_head__background_classes_are_further_classes_of_the_flat_one() -> None:
    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(size=(5, 7)).astype("f4"), rng.normal(size=7).astype("f4")
    features = rng.normal(size=(9, 5)).astype("f4")
    head = Head(kernel=kernel, bias=bias).split(4)
    assert head.num_background == 3
    np.testing.assert_array_equal(head.flat.kernel, kernel)
    np.testing.assert_array_equal(head.flat.bias, bias)
    np.testing.assert_allclose(
        head.probabilities(features),
        redistribute_background(features @ kernel + bias, 4),
        rtol=1e-5,
    )
    alone = Head(kernel=kernel, bias=bias).split(7)
    assert alone.background is None
    assert alone.flat is alone


def test_head_choice__says_where_it_begins() -> None:
    assert str(HeadChoice("softmax", 0.4, 0.01, from_zero_shot_head=True)).endswith(
        "from the zero-shot head"
    )
    assert "zero-shot" not in str(HeadChoice("softmax", 0.4, 0.01))


def seen(folder: Path, known_classes: KnownClasses) -> FeaturizedDataset:
    """Returns photos of "1 dime", "2 cent" and "blue", seen by a network that knows some."""
    photos = write_photo_folder(folder / "photos", per_class=12)
    (photos / "red").rename(photos / "1 dime")
    (photos / "green").rename(photos / "2 cent")
    network = write_keras_file(folder / "network.keras", tiny_network())
    found = featurized(context_of(image_dir=photos, backbone=f"saved_model:{network}"))
    return with_base(found, known=lambda: known_classes)


def knowing(photos: FeaturizedDataset, *labels: str) -> KnownClasses:
    """Returns the class means of dimes and cents under these names."""
    labeled = photos.in_split("training")
    means = [labeled.original()[labeled.labels == label].mean(axis=0) for label in (0, 1)]
    kernel = np.stack(means, axis=1)
    head = Head(kernel=100 * kernel, bias=-50 * np.sum(kernel**2, axis=0))
    return KnownClasses(labels=labels, head=head)


@pytest.mark.tf
def test_zero_shot_head__is_that_of_the_known_classes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = seen(tmp_path, known("none", num_features=6))
    assert photos.data.labels == ("1 dime", "2 cent", "blue")
    assert make_zero_shot_head(photos, Progress()) is None

    right = knowing(photos, "1 dime", "2 cent")
    head = make_zero_shot_head(with_base(photos, known=lambda: right), Progress())
    assert head is not None
    assert head.kernel.shape == (6, 3)
    assert not head.kernel[:, 2].any()

    with caplog.at_level(logging.WARNING):
        wrong = knowing(photos, "2 cent", "1 dime")
        assert make_zero_shot_head(with_base(photos, known=lambda: wrong), Progress()) is None
    assert "knows 2 of 3 classes by name" in caplog.text
    assert "too few for what it knows to be used" in caplog.text


@pytest.mark.tf
def test_zero_shot_head__what_a_class_looks_like_is_not_something_else(tmp_path: Path) -> None:
    """Blue ones have another name, but the network knows them."""
    photos = seen(tmp_path, known("none", num_features=6))
    labeled = photos.in_split("training")
    means = np.stack([labeled.original()[labeled.labels == one].mean(axis=0) for one in (0, 1, 2)])
    kernel = 100 * np.concatenate([means, means.mean(axis=0, keepdims=True)]).T
    bias = -50 * np.sum(means**2, axis=1)
    own = KnownClasses(
        labels=("1 dime", "2 cent", "3 euro", "4 euro"),
        head=Head(kernel=kernel.astype("f4"), bias=np.append(bias, bias.min() - 50).astype("f4")),
    )
    head = make_zero_shot_head(with_base(photos, known=lambda: own), Progress())
    assert head is not None
    assert head.background is not None
    np.testing.assert_allclose(head.background.kernel, centred(kernel)[:, 3:], rtol=1e-3, atol=1e-3)


@pytest.mark.tf
def test_fit__what_the_network_knows_besides_learns_with_it(tmp_path: Path) -> None:
    photos = seen(tmp_path, known("none", num_features=6))
    labeled = photos.in_split("training")
    means = [labeled.original()[labeled.labels == one].mean(axis=0) for one in (0, 1, 2)]
    kernel = np.stack([*means, 2 * means[0] - means[1]], axis=1)  # beyond the first, none there
    head = Head(kernel=100 * kernel, bias=-50 * np.sum(kernel**2, axis=0))
    own = KnownClasses(labels=("1 dime", "2 cent", "3 euro", "4 euro"), head=head)
    photos = with_base(photos, known=lambda: own)
    tuning = FineTuneConfig(fine_tune=True, fine_tune_epochs=6).resolved
    config = TrainingConfig.of(image_dir=photos.data.image_dir)
    config = replace(config, finetuning=tuning)
    through, trained = train_model(photos, TrainingContext(config=config))
    assert trained.choices["num_background_classes"] == trained.head.num_background == 1
    np.testing.assert_allclose(trained.held_out.sum(axis=1), 1, rtol=1e-5)
    begun = make_zero_shot_head(photos, Progress())
    assert begun is not None
    assert begun.background is not None
    assert trained.head.background is not None
    assert (
        np.abs(trained.head.background.kernel - begun.background.kernel).max() > 1e-4
    )  # has learned
    features = through.in_split("validation").original()
    assert 0 < background_share(trained.head, features).mean() < 0.5

    examples = tuple(one for one in photos.data.examples if one.split != "validation")
    rows = [row for row, one in enumerate(photos.data.examples) if one.split != "validation"]
    unjudged = replace(
        photos, data=replace(photos.data, examples=examples), features=photos.features[rows]
    )
    _, trained = train_model(unjudged, TrainingContext(config=config))
    assert trained.head.background is None  # nobody can say how probable they are
    assert not len(trained.held_out)


@pytest.mark.tf
def test_zero_shot_head__keeps_what_the_photos_might_be_taken_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = seen(tmp_path, known("none", num_features=6))
    right = knowing(photos, "1 dime", "2 cent")
    kernel = np.concatenate([right.head.kernel, RNG.normal(size=(6, 5))], axis=1)
    bias = np.concatenate([right.head.bias, right.head.bias.min() - np.array([9, 1, 8, 2, 7])])
    own = KnownClasses(
        labels=("1 dime", "2 cent", "3 euro", "4 euro", "5 euro", "6 euro", "7 euro"),
        head=Head(kernel=kernel.astype("f4"), bias=bias.astype("f4")),
    )
    photos = with_base(photos, known=lambda: own)
    monkeypatch.setattr("bricksight.training.zero_shot_head._MAX_BACKGROUND", 2)
    head = make_zero_shot_head(photos, Progress())
    assert head is not None
    assert head.background is not None
    assert head.num_background == 2
    np.testing.assert_allclose(
        head.background.kernel, centred(kernel)[:, [3, 5]], rtol=1e-3, atol=1e-3
    )


@pytest.mark.tf
@pytest.mark.parametrize("fine_tuned", [False, True])
def test_fit__begins_with_what_is_known(tmp_path: Path, *, fine_tuned: bool) -> None:
    photos = seen(tmp_path, known("none", num_features=6))
    right = knowing(photos, "1 dime", "2 cent")
    photos = with_base(photos, known=lambda: right)
    tuning = FineTuneConfig()
    if fine_tuned:
        tuning = FineTuneConfig(fine_tune=True, fine_tune_epochs=1, fine_tune_learning_rate=1e-9)
    config = TrainingConfig.of(image_dir=photos.data.image_dir)
    head = HeadConfig(head="softmax")
    config = replace(config, head=head, finetuning=tuning.resolved)
    through, trained = train_model(photos, TrainingContext(config=config))
    told = trained.choices["starts_from_zero_shot_head"]
    assert told is True if fine_tuned else isinstance(told, bool)
    if fine_tuned:  # nothing was learned, so that it is what was known
        rows = [row for row, one in enumerate(through.data.examples) if one.label != "blue"]
        answers = trained.head.logits(through.features[rows, 0])[:, :2].argmax(axis=1)
        labels = through.data.label_indices(through.data.examples)[rows]
        assert (answers == labels).mean() > 0.9


@pytest.mark.parametrize("scale", [0, 1, 300, 1e6])
def test_common_bias__exists_however_sure_the_answers_are(scale: float) -> None:
    logits = scale * np.random.default_rng(0).normal(size=(9, 5))
    bias = float(common_bias(logits, num_classes=3))
    odds = logsumexp(logits[:, 3:], axis=1) - logsumexp(logits[:, :3], axis=1)
    # float32 holds a bias of a million to a sixteenth.
    low, high = (expit(odds + bias + rounding).mean() for rounding in (-0.1, 0.1))
    assert low < 0.03 < high
