"""Further photos to train on: in the training, and nowhere else."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight.config import HeadConfig, TrainingConfig
from bricksight.dataset import scan, scan_extra
from bricksight.errors import ConfigError, DataError
from bricksight.features import LabeledFeatures
from bricksight.heads import HeadChoice, train_by_recipe, train_by_sgd
from bricksight.predict import Predictor
from helpers.photos import COLOURS, draw, write_photo_folder
from helpers.tiny_bundle import STEPS, train_tiny

RECIPE = HeadConfig()


def write_extra(folder: Path, labels: tuple[str, ...], *, per_class: int = 10) -> Path:
    for label in labels:
        (folder / label).mkdir(parents=True)
        for index in range(per_class):
            draw(label, 1000 + index).save(folder / label / f"{index}.jpg", quality=95)
    return folder


@pytest.mark.tf
@pytest.mark.parametrize("head", [STEPS, RECIPE], ids=["steps", "recipe"])
def test_retrain__learns_a_class_that_has_no_photos_of_its_own(
    tmp_path: Path, head: HeadConfig
) -> None:
    extra = write_extra(tmp_path / "renders", ("red", "yellow"))
    result = train_tiny(tmp_path, head=head, extra_train_dir=extra)

    data = result.findings.data
    assert data.labels == ("blue", "green", "red", "yellow")
    assert len(data.extra) == 20
    assert {example.label for example in data.examples} == set(COLOURS)
    assert result.findings.test.num_images == len(data.in_split("test")) < len(data.examples)
    photo = tmp_path / "new.png"
    draw("yellow", 5).save(photo)
    assert Predictor(result.bundle.path).predict(photo).predictions[0].label == "yellow"
    assert result.bundle.manifest.settings["data"]["extra_train_dir"] == str(extra)


@pytest.mark.tf
def test_retrain__an_extra_photo_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    extra = write_extra(tmp_path / "renders", ("red",))
    (extra / "red" / "3.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(DataError, match=r"renders/red/3.jpg: .*\n.*Remove them from"):
        train_tiny(tmp_path, extra_train_dir=extra)


def test_scan_extra__leaves_out_what_could_be_tested_on(tmp_path: Path) -> None:
    folder = write_photo_folder(tmp_path / "photos")
    extra = write_extra(tmp_path / "renders", ("red",))
    shutil.copy(folder / "red" / "photo_05.jpg", extra / "red" / "mine.jpg")
    examples, problems = scan_extra(extra, known=scan(folder).examples)
    assert len(examples) == 10
    (problem,) = [one for one in problems if one.kind == "extra_duplicate"]
    assert "1 photo" in problem.message
    assert problem.paths == ("red/mine.jpg",)
    assert {example.split for example in examples} == {"extra"}


def test_scan_extra__says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere"):
        scan_extra(tmp_path / "nowhere", known=())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"--extra_train_dir .*empty holds no photos in class"):
        scan_extra(tmp_path / "empty", known=())


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_config__refuses_a_share_that_leaves_one_side_nothing(share: float) -> None:
    with pytest.raises(ConfigError, match=r"--extra_share is .*; it must be over 0 and under 1"):
        TrainingConfig.of(image_dir=Path("photos"), extra_share=share)


def conflicting(weight: float) -> LabeledFeatures:
    """Returns equal features that two photos call class 0 and one, of ``weight``, class 1."""
    rng = np.random.default_rng(0)
    blob = rng.normal(size=(3, 1, 4)).astype(np.float32) * 0.01
    return LabeledFeatures(
        features=np.concatenate([blob, blob + 5]),
        labels=np.array([0, 0, 1, 1, 1, 0]),
        groups=np.arange(6),
        weights=np.array([1, 1, weight, 1, 1, weight], np.float32),
    )


def by_recipe(labeled: LabeledFeatures) -> Any:
    return train_by_recipe(labeled, None, num_classes=2, choice=HeadChoice("softmax", l2=1e-3))


def by_sgd(labeled: LabeledFeatures) -> Any:
    config = HeadConfig(how_many_training_steps=600, learning_rate=0.1, train_batch_size=64)
    return train_by_sgd(labeled, None, num_classes=2, config=config)


@pytest.mark.parametrize("train", [by_recipe, by_sgd])
def test_train__weights_decide_between_photos_that_contradict(train: Any) -> None:
    point = np.zeros((1, 4), np.float32)
    light, heavy = (train(conflicting(weight)).head.probabilities(point) for weight in (0.1, 20))
    assert light[0, 0] > 0.75
    assert heavy[0, 1] > 0.75


@pytest.mark.parametrize("train", [by_recipe, by_sgd])
def test_train__weights_of_one_change_nothing_but_the_draws(train: Any) -> None:
    point = np.zeros((1, 4), np.float32)
    weighed = conflicting(1)
    original = LabeledFeatures(
        features=weighed.features, labels=weighed.labels, groups=weighed.groups
    )
    found, wanted = (train(one).head.probabilities(point) for one in (weighed, original))
    np.testing.assert_allclose(found, wanted, atol=0.06)


def test_with_extra__weighs_its_share_of_each_class() -> None:
    own = LabeledFeatures(
        features=np.zeros((6, 4, 2), np.float32),
        labels=np.array([0, 0, 0, 0, 1, 1]),
        groups=np.arange(6),
    )
    features = np.arange(14, dtype=np.float32).reshape(7, 2)
    labels = np.array([0, 2, 0, 0, 0, 0, 2])
    both = own.with_extra(features, labels, share=0.75)

    assert both.features.shape == (6 + 2 + 1, 4, 2)
    assert both.labels[6:].tolist() == [0, 0, 2]
    assert {tuple(row) for row in both.features[6:8].reshape(-1, 2)} == {
        tuple(row) for row in features[labels == 0]
    }
    assert len(set(both.groups.tolist())) == 9
    of_class = np.bincount(both.labels, both.each_weight())
    # Class 0 has four photos, so twelve of sixteen; class 2 has none, and weighs as classes do.
    assert of_class.tolist() == pytest.approx([16, 2, 3])
