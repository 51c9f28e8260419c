"""Folders that are no classes: splits, sessions."""

from pathlib import Path

import pytest

from bricksight.config import CrossValidationConfig, SplitConfig
from bricksight.dataset import Dataset, scan, scan_extra
from bricksight.errors import ConfigError, DataError

INSIDE = ("cat", "dog", "hen")


def nested(folder: Path, *tops: str, inside: tuple[str, ...] = INSIDE) -> Path:
    """Write a photo of other contents into each of the folders inside each of the first level."""
    for top in tops:
        for name in inside:
            write(folder / top / name / "1.jpg")
    return folder


def flat(folder: Path, *tops: str) -> Path:
    for top in tops:
        write(folder / top / "1.jpg")
    return folder


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path))


def kinds(dataset: Dataset) -> list[str]:
    return [problem.kind for problem in dataset.problems if problem.kind == "same_subfolders"]


@pytest.mark.parametrize(
    ("tops", "training", "testing"),
    [
        (("train", "val", "test"), "train", "test"),
        (("train", "val"), "train", "val"),
        (("train_images", "test_images"), "train_images", "test_images"),
        (("Training", "Validation"), "Training", "Validation"),
        (("train2017", "val2017"), "train2017", "val2017"),
        (("trainset", "dev", "testset"), "trainset", "testset"),
        (("images-train", "images-eval"), "images-train", "images-eval"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_scan__splits_are_not_classes(
    tops: tuple[str, ...], training: str, testing: str, tmp_path: Path
) -> None:
    nested(tmp_path, *tops)
    with pytest.raises(DataError) as caught:
        scan(tmp_path)
    lines = str(caught.value).splitlines()
    assert f"{training}/" in lines[0]
    assert lines[1] == f"  bricksight train {tmp_path / training}"
    assert lines[2] == f"  bricksight evaluate MODEL {tmp_path / testing}"
    assert "--layout classes" in lines[3]
    assert scan(tmp_path, split=SplitConfig(layout="classes")).labels == tuple(sorted(tops))


def test_scan__a_split_is_recognised_whatever_lies_beside_it(tmp_path: Path) -> None:
    flat(nested(tmp_path, "train", "val"), "meta", "logos")
    write(tmp_path / "README.md")
    write(tmp_path / "overview.jpg")
    with pytest.raises(DataError, match=r"train/ and val/, splits of a data set"):
        scan(tmp_path)


def test_scan__a_split_without_class_folders_is_a_split_too(tmp_path: Path) -> None:
    flat(nested(tmp_path, "train"), "test")
    with pytest.raises(DataError, match=r"bricksight train .*train\n *If these") as caught:
        scan(tmp_path)
    assert "evaluate" not in str(caught.value)


def test_scan__one_split_with_a_folder_beside_it(tmp_path: Path) -> None:
    flat(nested(tmp_path, "train"), "meta")
    with pytest.raises(DataError, match=r"train/, a split of a data set"):
        scan(tmp_path)


def test_scan__a_split_inside_one_folder(tmp_path: Path) -> None:
    nested(tmp_path / "images", "train", "val")
    with pytest.raises(DataError, match=rf"bricksight train {tmp_path}/images/train\n"):
        scan(tmp_path)


def test_scan__a_split_without_class_folders(tmp_path: Path) -> None:
    flat(tmp_path, "train", "test")
    with pytest.raises(DataError, match="without class folders"):
        scan(tmp_path)


@pytest.mark.parametrize(
    "tops",
    [
        ("monday", "tuesday"),
        ("fold1", "fold2", "fold3", "fold4", "fold5"),
        ("2024-05-01", "2024-05-02", "2024-05-03", "2024-05-04"),
        ("session_1", "session_2"),
        ("anna", "ben", "carl"),
    ],
    ids=lambda tops: tops[0],
)
def test_scan__sessions_are_no_classes(tops: tuple[str, ...], tmp_path: Path) -> None:
    nested(tmp_path, *tops)
    with pytest.raises(
        DataError, match=rf"swap the two levels: cat/{tops[0]}/\. .*--layout classes"
    ):
        scan(tmp_path)
    assert scan(tmp_path, split=SplitConfig(layout="classes")).labels == tops


def test_scan__a_class_may_be_missing_in_a_session(tmp_path: Path) -> None:
    nested(nested(tmp_path, "day1"), "day2", inside=("cat", "dog"))
    with pytest.raises(DataError, match="have the same sub-folders"):
        scan(tmp_path)


def test_scan__several_photos_of_a_class_by_camera_are_no_sessions(tmp_path: Path) -> None:
    nested(tmp_path, "3001", "3003", inside=("front", "back", "cam_3"))
    assert scan(tmp_path).labels == ("3001", "3003")


def test_scan__a_split_inside_each_class_is_advice(tmp_path: Path) -> None:
    nested(tmp_path, "cat", "dog", inside=("train", "test"))
    assert kinds(scan(tmp_path)) == ["same_subfolders"]


def test_scan__more_folders_than_subfolders_are_classes_with_advice(tmp_path: Path) -> None:
    nested(tmp_path, "brick", "plate", "tile", inside=("red", "blue"))
    dataset = scan(tmp_path)
    assert dataset.labels == ("brick", "plate", "tile")
    assert kinds(dataset) == ["same_subfolders"]
    assert kinds(scan(tmp_path, split=SplitConfig(layout="classes"))) == []


@pytest.mark.parametrize(
    "tops",
    [("train", "bus"), ("train", "bus", "plane"), ("test1", "test2"), ("valid", "invalid")],
    ids="-".join,
)
def test_scan__classes_may_be_called_like_a_split(tops: tuple[str, ...], tmp_path: Path) -> None:
    flat(tmp_path, *tops)
    assert scan(tmp_path).labels == tuple(sorted(tops))


def test_scan__a_train_with_subfolders_among_other_vehicles(tmp_path: Path) -> None:
    nested(flat(tmp_path, "bus", "car", "plane"), "train", inside=("steam", "diesel"))
    assert scan(tmp_path).labels == ("bus", "car", "plane", "train")


def test_scan__other_subfolders_in_each_class_are_its_own(tmp_path: Path) -> None:
    nested(nested(tmp_path, "a", inside=("x", "y")), "b", inside=("x", "z"))
    assert scan(tmp_path).labels == ("a", "b")


def test_scan_extra__splits_are_not_classes(tmp_path: Path) -> None:
    known = scan(flat(tmp_path / "photos", "cat", "dog")).examples
    extra = nested(tmp_path / "extra", "train", "test")
    with pytest.raises(DataError, match="splits of a data set"):
        scan_extra(extra, known=known)
    examples, _ = scan_extra(extra, known=known, layout="classes")
    assert {example.label for example in examples} == {"train", "test"}


def test_config__layout_is_one_of_two() -> None:
    with pytest.raises(ConfigError, match="--layout is 'split'; it must be one of auto, classes"):
        SplitConfig(layout="split")  # type: ignore[arg-type]
    assert CrossValidationConfig(layout="classes").layout == "classes"


# Classes by another spelling.


@pytest.mark.parametrize("spelling", ["3001 brick", "3001_Brick", "3001-BRICK", "3001  brick"])
def test_scan_extra__a_class_by_another_spelling_is_refused(spelling: str, tmp_path: Path) -> None:
    known = scan(flat(tmp_path / "photos", "3001_brick", "dog")).examples
    extra = flat(tmp_path / "extra", spelling, "dog")
    with pytest.raises(DataError, match=rf"'{spelling}' beside '3001_brick'\. Rename"):
        scan_extra(extra, known=known)


def test_scan_extra__a_class_of_its_own_is_said_to_be_untested(tmp_path: Path) -> None:
    known = scan(flat(tmp_path / "photos", "12", "dog")).examples
    extra = flat(tmp_path / "extra", "1-2", "dog")  # another number than 12
    _, problems = scan_extra(extra, known=known)
    (problem,) = [one for one in problems if one.kind == "extra_class"]
    assert problem.paths == ("1-2",)
    assert "never tested" in problem.message


def test_scan__classes_that_differ_in_spelling_alone_are_named(tmp_path: Path) -> None:
    dataset = scan(flat(tmp_path, "red_brick", "Red brick", "plate"))
    (problem,) = [one for one in dataset.problems if one.kind == "similar_class_names"]
    assert set(problem.paths) == {"red_brick", "Red brick"}
    assert problem.is_advice
