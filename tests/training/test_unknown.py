"""What is of none of the classes: the threshold, photos of such things, and the empty belt."""

import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad

from bricksight.bundle import Head
from bricksight.cli._result import print_result, result_json
from bricksight.config import (
    AugmentConfig,
    CrossValidationConfig,
    HeadConfig,
    InputSpec,
    SplitConfig,
    TrainingConfig,
)
from bricksight.dataset import Dataset, Example, scan, scan_outliers
from bricksight.errors import ConfigError, DataError
from bricksight.evaluation import Rejected, fewest_for_threshold, rejected, unknown_threshold
from bricksight.features import LabeledFeatures
from bricksight.finetuning import NO_CLASS, BatchGenerator, ImageSet
from bricksight.heads import (
    HeadChoice,
    HeadPrior,
    History,
    TrainedHead,
    choose_head,
    train_by_recipe,
)
from bricksight.heads.objective import Objective
from bricksight.predict import Predictor
from bricksight.training import cross_validate, train
from bricksight.training.results.evaluation import choose_threshold
from helpers.fine_tuning import tune
from helpers.photos import draw, draw_belt, write_photo_folder
from helpers.tiny_backbones import tiny_network, write_saved_model
from helpers.tiny_bundle import SPLIT, STEPS, train_tiny

RECIPE = HeadConfig()


def of_two_classes(confidence: np.ndarray) -> np.ndarray:
    return np.stack([confidence, 1 - confidence], axis=1)


def write_belts(folder: Path, *, num: int = 30) -> Path:
    folder.mkdir(parents=True)
    for seed in range(num):
        draw_belt(seed).save(folder / f"belt_{seed:02d}.png")
    return folder


# The threshold.


def photos_dealt(*, training: int, validation: int, outliers: int = 0) -> Dataset:
    """Returns a data set without files."""
    splits = ["training"] * training + ["validation"] * validation
    examples = tuple(
        Example(Path(f"{row}.jpg"), f"{row}.jpg", "a", f"{row}", f"{row}", split)
        for row, split in enumerate(splits)
    )
    split = SplitConfig()
    return Dataset(Path("photos"), ("a", "b"), examples, (), split, outliers=examples[:outliers])


def test_threshold__too_few_photos_choose_is_rough_where_outliers_are_to_be_refused() -> None:
    answers = of_two_classes(np.linspace(0.6, 0.9, 9))
    trained = TrainedHead(
        head=Head(kernel=np.zeros((4, 2), np.float32), bias=np.zeros(2, np.float32)),
        held_out=answers,
        history=History(),
        choices={},
    )
    data = photos_dealt(training=20, validation=9, outliers=5)
    threshold, (problem,) = choose_threshold(trained, data, 5.0)
    assert threshold == pytest.approx(0.6)
    assert problem.kind == "rough_threshold"
    assert "Expect 10 % of known photos to be rejected" in problem.message
    nothing = photos_dealt(training=20, validation=0, outliers=5)
    held_out = dataclasses.replace(trained, held_out=answers[:0])
    assert choose_threshold(held_out, nothing, 5.0)[0] is None


@pytest.mark.parametrize(("rate", "num_photos"), [(5, 60), (5, 113), (10, 33), (30, 10)])
def test_unknown_threshold__keeps_the_rate_on_other_photos(rate: float, num_photos: int) -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(3000):
        seen, other = rng.uniform(0.5, 1, size=(2, num_photos))
        threshold = unknown_threshold(of_two_classes(seen), rejection_rate=rate)
        shares.append(rejected(of_two_classes(other), threshold).share)
    expected = int(rate / 100 * (num_photos + 1)) / (num_photos + 1)
    assert np.mean(shares) == pytest.approx(expected, abs=0.004)
    assert expected <= rate / 100


@pytest.mark.parametrize(
    ("num_photos", "rank"), [(0, None), (23, None), (24, 1), (47, 1), (48, 1), (49, 2), (60, 3)]
)
def test_unknown_threshold__of_few_photos_is_on_the_safe_side(
    num_photos: int, rank: int | None
) -> None:
    confidence = np.linspace(0.5, 1, num_photos)
    found = unknown_threshold(of_two_classes(confidence), rejection_rate=5)
    assert found == (None if rank is None else pytest.approx(confidence[rank - 1]))
    assert fewest_for_threshold(5) == 24


def test_unknown_threshold__of_47_photos_seldom_refuses_twice_as_many_as_asked() -> None:
    rng = np.random.default_rng(0)
    thresholds = [
        unknown_threshold(of_two_classes(rng.uniform(0.5, 1, 47)), rejection_rate=5)
        for _ in range(2000)
    ]
    shares = (np.array(thresholds, float) - 0.5) / 0.5
    assert shares.mean() == pytest.approx(1 / 48, abs=0.002)
    assert np.mean(shares > 0.05) < 0.3
    assert np.mean(shares > 0.1) < 0.02


@pytest.mark.parametrize(("num_groups", "size", "alike"), [(24, 3, True), (80, 3, False)])
def test_unknown_threshold__keeps_the_rate_on_photos_of_other_groups(
    num_groups: int, size: int, alike: bool
) -> None:
    """Photos of one group are unsure together: 24 groups say no more than 24 photos."""
    rng = np.random.default_rng(0)
    groups = [str(number) for number in np.repeat(np.arange(num_groups), size)]
    shares = []
    for _ in range(1000):
        shape = (num_groups, 1) if alike else (num_groups, size)
        seen = np.broadcast_to(rng.uniform(0.5, 1, shape), (num_groups, size)).ravel()
        threshold = unknown_threshold(of_two_classes(seen), rejection_rate=5, groups=groups)
        assert threshold is not None
        shares.append((threshold - 0.5) / 0.5)
    assert 0.03 < np.mean(shares) <= 0.051


def test_unknown_threshold__of_few_groups_is_none() -> None:
    answers = of_two_classes(np.linspace(0.5, 1, 69))
    groups = [str(number // 3) for number in range(69)]
    assert unknown_threshold(answers, rejection_rate=5, groups=groups) is None


def test_refused__counts_what_is_below() -> None:
    answers = of_two_classes(np.array([0.6, 0.7, 0.8]))
    assert rejected(answers, 0.7) == Rejected(count=1, num_images=3)
    assert rejected(answers, None).count == 0
    both = rejected(answers, 0.7) + rejected(answers, 0.9)
    assert both == Rejected(count=4, num_images=6)
    assert both.statement == "4 of 6 photos (66.7 %)"
    assert rejected(np.empty((0, 2)), 0.7).share is None


@pytest.mark.parametrize(
    ("num_validation", "has_out_of_fold", "expected"),
    [(0, True, None), (23, True, 0.6), (24, True, 0.7), (24, False, 0.7), (23, False, None)],
)
def test_threshold__is_chosen_by_cross_validation_too_where_validation_photos_are_few(
    num_validation: int, has_out_of_fold: bool, expected: float | None
) -> None:
    data = photos_dealt(training=50, validation=num_validation)
    trained = TrainedHead(
        head=Head(kernel=np.zeros((4, 2), np.float32), bias=np.zeros(2, np.float32)),
        held_out=of_two_classes(np.full(num_validation, 0.7)),
        out_of_fold=of_two_classes(np.full(50, 0.6)) if has_out_of_fold else None,
        history=History(),
        choices={},
    )
    threshold, problems = choose_threshold(trained, data, 5.0)
    assert threshold == (None if expected is None else pytest.approx(expected))
    assert [problem.kind for problem in problems] == ["no_threshold"] * (expected is None)
    if problems:
        assert f"{num_validation} held-out photos cannot tell" in problems[0].message
        assert "24 or more can" in problems[0].message


def test_threshold__answers_of_the_cross_validation_are_as_sure_as_those_to_other_photos() -> None:
    """Few validation photos, all right, leave much in doubt; many of the training leave little."""
    rng = np.random.default_rng(0)
    centres = 6 * np.eye(3, 5)

    def photos(per_class: int) -> LabeledFeatures:
        labels = np.repeat(np.arange(3), per_class)
        features = centres[labels] + rng.normal(size=(len(labels), 5))
        groups = np.arange(len(labels))
        return LabeledFeatures(
            features=features[:, None].astype("f4"), labels=labels, groups=groups
        )

    training, validation, test = photos(40), photos(2), photos(100)
    chosen = choose_head(training, ["softmax"], num_classes=3, seed=0)
    trained = train_by_recipe(training, validation, num_classes=3, choice=chosen.choice)
    assert trained.temperature > 1.5
    answers = trained.out_of_fold_answers(chosen.logits, training.original())
    tested = trained.head.probabilities(test.original())
    assert np.median(answers.max(1)) == pytest.approx(np.median(tested.max(1)), abs=0.02)
    threshold = unknown_threshold(answers, rejection_rate=5)
    assert rejected(tested, threshold).share < 0.1


@pytest.mark.parametrize("rate", [0, 100, -5])
def test_config__refuses_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"--rejection_rate is .*; it is in percent"):
        TrainingConfig.of(image_dir=Path("photos"), rejection_rate=rate)


# The folder.


def test_scan_outliers__takes_photos_at_any_depth_and_keeps_some_to_test_on(
    tmp_path: Path,
) -> None:
    known = scan(write_photo_folder(tmp_path / "photos")).examples
    junk = write_belts(tmp_path / "junk")
    (junk / "screws" / "old").mkdir(parents=True)
    draw("screw", 1).save(junk / "screws" / "old" / "1.png")
    examples, problems = scan_outliers(junk, known=known, split=SPLIT)
    assert len(examples) == 31
    assert problems == []
    assert "junk/screws/old/1.png" in {example.relative_path for example in examples}
    assert {example.label for example in examples} == {""}
    held_out = [example for example in examples if example.split != "training"]
    assert 2 <= len(held_out) <= 20
    assert scan_outliers(junk, known=known, split=SPLIT)[0] == examples


def test_scan_outliers__keeps_what_belongs_together_on_one_side(tmp_path: Path) -> None:
    junk = write_belts(tmp_path / "junk", num=12)
    split = SplitConfig(group_by=r"belt_(\d)", testing_percentage=30)
    examples, _ = scan_outliers(junk, known=(), split=split)
    sides = {(example.group, example.split) for example in examples}
    assert len(sides) == len({group for group, _ in sides}) == 2
    other = SplitConfig(group_by="of the photos of the classes alone")
    assert len(scan_outliers(junk, known=(), split=other)[0]) == 12


def test_scan_outliers__leaves_out_photos_of_the_classes(tmp_path: Path) -> None:
    folder = write_photo_folder(tmp_path / "photos")
    junk = write_belts(tmp_path / "junk", num=3)
    (junk / "mine.jpg").write_bytes((folder / "red" / "photo_05.jpg").read_bytes())
    examples, (problem,) = scan_outliers(junk, known=scan(folder).examples, split=SPLIT)
    assert len(examples) == 3
    assert problem.kind == "unknown_duplicate"
    assert problem.paths == ("mine.jpg",)
    with pytest.raises(DataError, match=r"--unknown_dir .*blue holds no photos besides those of"):
        scan_outliers(folder / "blue", known=scan(folder).examples, split=SPLIT)


# The layer.


def clusters(seed: int, *, centres: int = 3) -> LabeledFeatures:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(centres), 12)
    features = 2 * np.eye(8)[labels][:, None] + 0.3 * rng.normal(size=(len(labels), 2, 8))
    return LabeledFeatures(
        features=features.astype(np.float32), labels=labels, groups=np.arange(36)
    )


def strangers(seed: int) -> np.ndarray:
    """Outliers that lie off the classes, in the direction of one of them: (20, 2, 8)."""
    rng = np.random.default_rng(seed)
    centre = np.array([2, 0, 0, 2, 0, 0, 0, 0])
    return (centre + 0.3 * rng.normal(size=(20, 2, 8))).astype(np.float32)


def test_objective__its_gradient_is_that_of_its_loss() -> None:
    rows, labels = clusters(0).rows()
    weights = np.linspace(1, 2, len(rows), dtype=np.float32)
    objective = Objective(
        rows,
        labels,
        weights / weights.sum(),
        0.01,
        num_classes=3,
        outliers=strangers(0).reshape(-1, 8),
        start=Head(kernel=np.ones((8, 3), np.float32), bias=np.arange(3, dtype=np.float32)),
    )
    at = np.random.default_rng(1).normal(size=objective.start.shape)
    difference = check_grad(
        lambda x: objective(x)[0], lambda x: objective(x)[1], at, epsilon=1e-3, seed=2
    )
    assert difference < 5e-3 * np.linalg.norm(objective(at)[1])


def test_recipe__is_unsure_of_outliers_and_as_right_as_before() -> None:
    heads = [
        train_by_recipe(
            clusters(0),
            clusters(1),
            num_classes=3,
            choice=HeadChoice("softmax", l2=1e-3),
            prior=HeadPrior(outliers=given),
        ).head
        for given in (None, strangers(0))
    ]
    others, photos = strangers(5)[:, 0], clusters(6)
    without, taught = (head.probabilities(others).max(axis=1).mean() for head in heads)
    assert without > 0.8
    assert taught < 0.6
    answers = heads[1].probabilities(photos.original())
    assert (answers.argmax(axis=1) == photos.labels).all()
    assert answers.max(axis=1).min() > 0.5


# The network.


def test_mixture__takes_outliers_into_each_batch() -> None:
    pixels = [np.asarray(draw("red", seed)) for seed in range(8)]
    belts = [np.asarray(draw_belt(seed)) for seed in range(3)]
    mixture = BatchGenerator(
        photos=ImageSet(pixels=pixels, labels=np.zeros(8, int)),
        outliers=ImageSet(pixels=belts, labels=np.full(3, NO_CLASS)),
        outliers_share=1 / 3,
        augments=(AugmentConfig(),),
        batch_size=6,
        seed=0,
    )
    spec = InputSpec(height=16, width=16)
    for batch in mixture.batches(spec, start=0, stop=3):
        assert (batch.labels == NO_CLASS).sum() == 2
    assert mixture.steps_per_epoch == 2


@pytest.mark.tf
def test_retrain__answers_unknown_to_an_empty_belt(tmp_path: Path) -> None:
    write_photo_folder(tmp_path / "photos", per_class=40)
    belts = write_belts(tmp_path / "belts")
    result = train_tiny(tmp_path, head=RECIPE, unknown_dir=belts, rejection_rate=5)
    bundle, findings = result.bundle, result.findings
    assert bundle.labels == ("blue", "green", "red")
    held_out = [one for one in findings.data.outliers if one.split != "training"]
    assert findings.outliers_rejected is not None
    assert findings.outliers_rejected.num_images == len(held_out) > 0
    assert findings.outliers_rejected.share == 1
    metrics = json.loads((bundle.path / "metrics.json").read_text())
    assert metrics["outliers_rejected"]["share"] == 1
    assert metrics["known_rejected"]["num_images"] == findings.test.num_images
    assert "photos of none of the classes" in (bundle.path / "report.html").read_text()
    for runtime in ("litert", "tensorflow"):
        assert_tells_belts_from_colours(Predictor(bundle.path, runtime=runtime), tmp_path)


def assert_tells_belts_from_colours(predictor: Predictor, folder: Path) -> None:
    unknown = []
    for seed in range(1000, 1010):
        draw_belt(seed).save(folder / "belt.png")
        assert predictor.predict(folder / "belt.png").is_unknown
        for label in ("blue", "green", "red"):
            draw(label, seed).save(folder / "photo.png")
            unknown.append(predictor.predict(folder / "photo.png").is_unknown)
    assert np.mean(unknown) <= 0.2


@pytest.mark.tf
def test_fine_tune__answers_unknown_to_an_empty_belt(tmp_path: Path) -> None:
    write_photo_folder(tmp_path / "photos", per_class=20)
    result = tune(tmp_path, unknown_dir=write_belts(tmp_path / "belts"))
    assert result.findings.trained.choices["outliers"] > 10
    assert result.findings.outliers_rejected is not None
    assert result.findings.outliers_rejected.share == 1
    measured = result.findings.trained.history.measurements
    assert measured[-1].train_accuracy > 0.8, "of the photos of the classes alone"
    assert_tells_belts_from_colours(Predictor(result.bundle.path), tmp_path)


@pytest.mark.tf
def test_retrain__says_on_the_terminal_how_many_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train_tiny(tmp_path, head=RECIPE, unknown_dir=write_belts(tmp_path / "belts"))
    print_result(result)
    told = capsys.readouterr().out
    assert re.search(
        r'Answered "unknown": \d of \d+ photos \(.* %\) of known classes, where '
        r"--rejection_rate asks for at most 30 %; \d+ of \d+ photos",
        told,
    )
    assert result.findings.outliers_rejected is not None
    assert result_json(result)["outliers_rejected"] == result.findings.outliers_rejected.share > 0.8


@pytest.mark.tf
def test_retrain__sets_aside_what_cannot_be_read(tmp_path: Path) -> None:
    junk = write_belts(tmp_path / "belts")
    (junk / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    result = train_tiny(tmp_path, head=RECIPE, unknown_dir=junk)
    assert len(result.findings.data.outliers) == 30
    (problem,) = [one for one in result.findings.data.problems if one.kind == "unreadable"]
    assert problem.paths == ("belts/broken.jpg",)
    with pytest.raises(DataError, match=r"belts/broken.jpg: .*\n.*Remove them from"):
        train_tiny(tmp_path, head=RECIPE, unknown_dir=junk, strict=True, out=tmp_path / "strict")


def test_retrain__its_old_way_takes_no_photos_of_no_class(tmp_path: Path) -> None:
    config = TrainingConfig.of(image_dir=tmp_path, unknown_dir=tmp_path / "belts")
    for run in (train, cross_validate):
        with pytest.raises(
            ConfigError, match=r"--unknown_dir .*belts does not work with gradient descent"
        ):
            run(replace(config, head=STEPS))


@pytest.mark.tf
def test_crossval__counts_what_is_refused(tmp_path: Path) -> None:
    write_saved_model(tmp_path / "tiny", tiny_network())
    config = TrainingConfig.of(
        image_dir=write_photo_folder(tmp_path / "photos", per_class=12),
        backbone=f"saved_model:{tmp_path / 'tiny'}",
        unknown_dir=write_belts(tmp_path / "belts"),
    )
    found = cross_validate(config, folds=CrossValidationConfig(folds=2, seeds=1))
    (known,), (outliers,) = found.known_rejected, found.outliers_rejected
    assert known.num_images == 36
    assert known.count < 18
    assert outliers.num_images % 2 == 0
    assert outliers.share is not None
    assert outliers.share > 0.5
