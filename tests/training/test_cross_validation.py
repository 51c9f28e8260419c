"""Folds by group, and a recipe measured on them."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight.cli import main
from bricksight.config import (
    CrossValidationConfig,
    FineTuneConfig,
    HeadConfig,
    SplitConfig,
    TrainingConfig,
)
from bricksight.dataset import make_folds, scan, subsample
from bricksight.errors import ConfigError, DataError
from bricksight.training import cross_validate
from bricksight.training.results.label_issues import find_label_issues, show_label_issues
from helpers.photos import draw, write_photo_folder
from helpers.tiny_backbones import tiny_network, write_keras_file, write_saved_model

GROUPED = SplitConfig(group_by=r"(object\d+)")


def write_grouped(folder: Path, *, num_objects: int = 6) -> Path:
    """Three photos of each object, as by three cameras."""
    for label in ("red", "blue"):
        (folder / label).mkdir(parents=True)
        for number in range(3 * num_objects):
            name = f"object{label}{number // 3}_{number % 3}.png".replace(label, "1" * len(label))
            draw(label, number).save(folder / label / name)
    return folder


def test_deal_folds__tests_every_photo_once_and_parts_no_group(tmp_path: Path) -> None:
    data = scan(write_grouped(tmp_path / "photos"), split=GROUPED)
    tested: Counter[str] = Counter()
    for dealt in make_folds(data, num_folds=3, seed=1):
        sides: dict[str, set[str]] = {}
        for example in dealt.examples:
            sides.setdefault(example.group, set()).add(example.split)
        assert all(len(of_group) == 1 for of_group in sides.values())
        assert {example.split for example in dealt.examples} == {"training", "validation", "test"}
        tested.update(example.relative_path for example in dealt.in_split("test"))
        assert [one.sha256 for one in dealt.examples] == [one.sha256 for one in data.examples]
    assert tested == {example.relative_path: 1 for example in data.examples}


def test_deal_folds__depends_on_the_seed_alone(tmp_path: Path) -> None:
    data = scan(write_grouped(tmp_path / "photos"), split=GROUPED)

    def dealt(seed: int) -> list[list[str]]:
        folds = make_folds(data, num_folds=3, seed=seed)
        return [[example.split for example in one.examples] for one in folds]

    assert dealt(1) == dealt(1) != dealt(2)


def test_deal_folds__refuses_more_folds_than_groups(tmp_path: Path) -> None:
    data = scan(write_grouped(tmp_path / "photos", num_objects=2), split=GROUPED)
    with pytest.raises(DataError, match=r"cannot be split into 9 folds: .* use --folds \d\."):
        list(make_folds(data, num_folds=9, seed=0))


def test_crossval_config__refuses_what_measures_nothing() -> None:
    with pytest.raises(ConfigError, match="--folds is 1"):
        CrossValidationConfig(folds=1)
    with pytest.raises(ConfigError, match="--group_by"):
        CrossValidationConfig(group_by="(")


def test_thinned__leaves_whole_groups_of_every_class(tmp_path: Path) -> None:
    data = next(
        make_folds(
            scan(write_grouped(tmp_path / "photos", num_objects=9), split=GROUPED),
            num_folds=3,
            seed=0,
        )
    )
    half, all_but_one = (subsample(data, share=share, seed=3) for share in (0.5, 0.0))
    full, kept, fewest = (
        {example.group for example in one.in_split("training")} for one in (data, half, all_but_one)
    )
    assert fewest < kept < full
    assert len(fewest) == len({example.label for example in all_but_one.in_split("training")}) == 2
    for example in half.in_split("training"):
        assert example.group in kept
    assert [one.relative_path for one in half.examples] == [
        one.relative_path for one in data.examples
    ]
    for side in ("validation", "test"):
        assert half.in_split(side) == data.in_split(side)


@pytest.mark.tf
def test_crossval__draws_a_learning_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=12)
    backbone = f"saved_model:{write_saved_model(tmp_path / 'tiny', tiny_network())}"
    argv = f"crossval {folder} --backbone {backbone} --folds 2 --seeds 1"
    assert main([*argv.split(), "--learning_curve", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    numbers = [point["photos_per_class"] for point in told["curve"]]
    assert numbers == sorted(numbers)
    assert len(numbers) == 4
    assert told["curve"][-1]["accuracy"] == told["accuracies"][0]
    assert set(told["curve"][0]["recalls"]) == {"blue", "green", "red"}
    assert main([*argv.split(), "--learning_curve", "--quiet"]) == 0
    assert "Doubling the photos brought" in capsys.readouterr().out


@pytest.mark.tf
def test_crossval__measures_each_photo_once_a_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=8)
    backbone = f"saved_model:{write_saved_model(tmp_path / 'tiny', tiny_network())}"
    config = TrainingConfig.of(image_dir=folder, backbone=backbone)
    result = cross_validate(
        replace(config, head=HeadConfig(seed=5)), folds=CrossValidationConfig(folds=3, seeds=2)
    )
    assert [one.num_images for one in result.evaluations] == [24, 24]
    assert np.mean(result.accuracies) > 0.5
    assert not list(tmp_path.glob("photos-*"))  # no model

    argv = f"crossval {folder} --backbone {backbone} --folds 3 --seeds 2 --seed 5"
    assert main([*argv.split(), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accuracies"] == list(result.accuracies)
    assert main([*argv.split(), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "24 photos of 3 classes, 2 seeds" in shown
    assert f"Accuracy: {100 * np.mean(result.accuracies):.1f} % (" in shown


@pytest.mark.tf
def test_crossval__fine_tunes_anew_in_each_fold(tmp_path: Path) -> None:
    write_grouped(tmp_path / "photos")
    network = write_keras_file(tmp_path / "network.keras", tiny_network())
    result = cross_validate(
        replace(
            TrainingConfig.of(image_dir=tmp_path / "photos", backbone=f"saved_model:{network}"),
            finetuning=FineTuneConfig(
                fine_tune=True,
                fine_tune_epochs=20,
                fine_tune_size=32,
                fine_tune_learning_rate=1e-2,
                fine_tune_batch_size=8,
            ),
        ),
        folds=CrossValidationConfig(folds=2, seeds=1, group_by=GROUPED.group_by),
    )
    (accuracy,), (group_accuracy,) = result.accuracies, result.group_accuracies
    assert accuracy > 0.8
    assert group_accuracy > 0.8
    assert result.evaluations[0].num_images == 36


@pytest.mark.tf
def test_crossval__names_and_shows_wrong_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sheet = write_photo_folder(tmp_path / "photos", per_class=16), tmp_path / "sheet.jpg"
    (folder / "red" / "photo_03.jpg").rename(folder / "blue" / "stray.jpg")
    backbone = f"saved_model:{write_saved_model(tmp_path / 'tiny', tiny_network())}"
    argv = f"crossval {folder} --backbone {backbone} --folds 3 --seeds 2"
    assert main([*argv.split(), "--label_issues", str(sheet), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["label_issues"][0]
    assert (first["path"], first["label"], first["looks_like"]) == ("blue/stray.jpg", "blue", "red")
    assert 0.5 < first["probability"] <= 1
    with Image.open(sheet) as shown:
        assert shown.format == "JPEG"
        assert shown.width > 200
    assert main([*argv.split(), "--label_issues", str(sheet), "--quiet"]) == 0
    assert "  blue/stray.jpg looks like red (" in capsys.readouterr().out


def test_find_suspects__finds_none_where_all_are_right(tmp_path: Path) -> None:
    data = scan(write_photo_folder(tmp_path / "photos", per_class=4))
    sure = np.eye(3, dtype=np.float32)[data.label_indices(data.examples)]
    assert find_label_issues(data, 0.9 * sure + 0.1 / 3) == ()
    show_label_issues(tmp_path / "sheet.jpg", data, ())
    assert not (tmp_path / "sheet.jpg").exists()
