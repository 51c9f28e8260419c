import hashlib
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from bricksight.config import SplitConfig
from bricksight.dataset import Dataset, scan
from bricksight.errors import DataError


def write(image_dir: Path, *names: str) -> Path:
    """Write files of different contents; no photo is opened here, so any bytes will do."""
    for name in names:
        path = image_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return image_dir


def kinds(dataset: Dataset) -> list[str]:
    return [problem.kind for problem in dataset.problems if not problem.is_advice]


def paths_of(dataset: Dataset, kind: str) -> list[tuple[str, ...]]:
    return [problem.paths for problem in dataset.problems if problem.kind == kind]


def test_scan__finds_classes_and_photos(photo_folder: Path) -> None:
    dataset = scan(photo_folder)
    assert dataset.labels == ("blue", "green", "red")
    assert len(dataset.examples) == 24
    assert kinds(dataset) == []
    first = dataset.examples[0]
    assert first.relative_path == "blue/photo_00.jpg"
    assert first.path == photo_folder / "blue" / "photo_00.jpg"
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_scan__takes_text_for_a_path(photo_folder: Path) -> None:
    assert scan(str(photo_folder)) == scan(photo_folder)


def test_scan__every_extension_in_any_case(tmp_path: Path) -> None:
    endings = ["jpg", "JPEG", "Png", "webp", "bmp", "gif", "tif", "TIFF"]
    write(tmp_path, *(f"a/{ending}.{ending}" for ending in endings), "b/1.jpg")
    assert len(scan(tmp_path).examples) == len(endings) + 1


def test_scan__nested_folders_belong_to_the_first_level(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c/1.jpg", "a/2.jpg", "b/1.jpg")
    assert [(example.relative_path, example.label) for example in scan(tmp_path).examples] == [
        ("a/2.jpg", "a"),
        ("a/b/c/1.jpg", "a"),
        ("b/1.jpg", "b"),
    ]


def test_scan__passes_over_what_is_hidden_or_not_the_users(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    write(
        tmp_path, ".git/1.jpg", "__MACOSX/a/1.jpg", "a/.hidden.jpg", "a/Thumbs.db", "a/@eaDir/1.jpg"
    )
    dataset = scan(tmp_path)
    assert dataset.labels == ("a", "b")
    assert len(dataset.examples) == 2
    assert kinds(dataset) == []


def test_scan__reports_every_file_it_does_not_use(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg", "a/notes.txt", "b/2.CR2", "README", "loose.png")
    dataset = scan(tmp_path)
    assert paths_of(dataset, "other_file") == [("README", "a/notes.txt", "b/2.CR2")]
    assert paths_of(dataset, "loose_photo") == [("loose.png",)]
    message = next(problem.message for problem in dataset.problems if problem.kind == "other_file")
    assert "1 .txt" in message
    assert "1 .cr2" in message


def test_scan__empty_class_is_left_out_and_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg", "c/readme.txt")
    dataset = scan(tmp_path)
    assert dataset.labels == ("a", "b")
    assert paths_of(dataset, "empty_class") == [("c",)]


def test_scan__labels_are_stripped_and_composed(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "größe")
    write(tmp_path, f"{decomposed}/1.jpg", " padded /1.jpg")
    assert scan(tmp_path).labels == ("größe", "padded")


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", " a"), (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"))],
    ids=["spaces", "unicode"],
)
def test_scan__two_folders_with_one_label_are_refused(tmp_path: Path, one: str, other: str) -> None:
    write(tmp_path, f"{one}/1.jpg", f"{other}/1.jpg")
    with pytest.raises(DataError, match="1 label would stand for more than one folder") as caught:
        scan(tmp_path)
    assert ascii(one) in str(caught.value)
    assert ascii(other) in str(caught.value)


def test_scan__label_of_two_lines_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a\nb/1.jpg", "c/1.jpg")
    with pytest.raises(DataError, match=r"cannot be classes: 'a\\nb'. A class name must be one"):
        scan(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="names are always text on Windows")
def test_scan__name_that_is_not_text_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "a" / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    assert paths_of(scan(tmp_path), "bad_name") == [("a/\\xff.jpg",)]


def test_scan__follows_links_but_not_in_circles(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "3.jpg")
    image_dir = write(tmp_path / "photos", "a/1.jpg", "b/1.jpg")
    (image_dir / "a" / "linked").symlink_to(outside, target_is_directory=True)
    (image_dir / "a" / "circle").symlink_to(image_dir, target_is_directory=True)
    dataset = scan(image_dir)
    assert [example.relative_path for example in dataset.examples] == [
        "a/1.jpg",
        "a/linked/3.jpg",
        "b/1.jpg",
    ]
    assert paths_of(dataset, "link_loop") == [("a/circle",)]


def test_scan__file_that_cannot_be_opened_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "a" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "b" / "itself.jpg").symlink_to(tmp_path / "b" / "itself.jpg")
    dataset = scan(tmp_path)
    assert len(dataset.examples) == 2
    assert paths_of(dataset, "unreadable") == [("a/gone.jpg",), ("b/itself.jpg",)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_scan__pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    assert paths_of(scan(tmp_path), "special_file") == [("a/pipe.jpg",)]


def test_scan__tells_copies_from_contradictions(faulty_folder: Path) -> None:
    dataset = scan(faulty_folder)
    assert paths_of(dataset, "duplicate") == [("blue/copy.jpg", "blue/photo_04.jpg")]
    assert paths_of(dataset, "conflicting_labels") == [
        ("blue/photo_05.jpg", "green/blue_photo.jpg")
    ]


def test_scan__names_small_classes(photo_folder: Path) -> None:
    assert paths_of(scan(photo_folder), "small_class") == [("blue", "green", "red")]


def test_scan__missing_folder_is_refused_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist(.|\n)*photos/cat/001.jpg"):
        scan(tmp_path / "nowhere")


def test_scan__file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg is a file, not a folder"):
        scan(tmp_path / "a.jpg")


def test_scan__empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty is empty"):
        scan(tmp_path / "empty")


def test_scan__folders_without_photos_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "photos", "a/1.txt", "b/1.txt")
    with pytest.raises(DataError, match="has 2 folders but no photo in them"):
        scan(tmp_path / "photos")


def test_scan__photos_without_classes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "photos", "1.jpg", "2.jpg")
    with pytest.raises(DataError, match=r"2 photos such as '1\.jpg' directly in .*photos and none"):
        scan(tmp_path / "photos")


def test_scan__single_class_is_named(tmp_path: Path) -> None:
    write(tmp_path / "photos", "a/1.jpg", "a/2.jpg", "b/1.txt")
    with pytest.raises(DataError, match=r"only one class, 'a' \(2 photos\)") as caught:
        scan(tmp_path / "photos")
    assert "These folders hold no photos: 'b'." in str(caught.value)


def test_scan__folder_above_the_classes_is_recognised(tmp_path: Path) -> None:
    write(tmp_path, "photos/a/1.jpg", "photos/b/1.jpg")
    with pytest.raises(DataError, match=r"If the folders inside it are your classes, use .*photos"):
        scan(tmp_path)


def test_scan__reports_progress_to_the_end(photo_folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    scan(photo_folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 24) for done in range(1, 25)]


def test_in_split__unknown_name_is_refused(photo_folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no split 'train'\. Expected one of training, validation, test"
    ):
        scan(photo_folder).in_split("train")


def test_in_split__the_three_are_all_examples(photo_folder: Path) -> None:
    dataset = scan(photo_folder)
    in_splits = [
        example for name in ("training", "validation", "test") for example in dataset.in_split(name)
    ]
    assert sorted(in_splits, key=lambda example: example.relative_path) == list(dataset.examples)


def test_label_indices__follow_class_order(photo_folder: Path) -> None:
    dataset = scan(photo_folder)
    indices = dataset.label_indices([dataset.examples[-1], dataset.examples[0]])
    assert indices.dtype == np.int32
    assert indices.tolist() == [2, 0]


def test_label_indices__of_nothing_keep_their_type(photo_folder: Path) -> None:
    assert scan(photo_folder).label_indices([]).dtype == np.int32


def test_without__sets_files_aside_with_their_reasons(photo_folder: Path) -> None:
    dataset = scan(photo_folder).without({"red/photo_00.jpg": "truncated"})
    assert len(dataset.examples) == 23
    assert "'red/photo_00.jpg' cannot be read: truncated." in [
        problem.message for problem in dataset.problems
    ]
    assert paths_of(dataset, "small_class") == [("blue", "green", "red")]


def test_without__is_as_if_the_file_had_never_been_there(photo_folder: Path) -> None:
    reasons = {f"red/photo_0{index}.jpg": "bad" for index in (0, 4, 7)}
    left = scan(photo_folder).without(reasons).examples
    for name in reasons:
        (photo_folder / name).unlink()
    assert left == scan(photo_folder).examples


def test_without__class_that_loses_all_is_reported(photo_folder: Path) -> None:
    dataset = scan(photo_folder)
    reds = {example.relative_path: "bad" for example in dataset.examples if example.label == "red"}
    less = dataset.without(reds)
    assert less.labels == ("blue", "green")
    assert paths_of(less, "empty_class") == [("red",)]
    assert less.label_indices(less.examples).max() == 1


def test_without__less_than_two_classes_is_refused(photo_folder: Path) -> None:
    dataset = scan(photo_folder)
    most = {example.relative_path: "bad" for example in dataset.examples if example.label != "red"}
    with pytest.raises(DataError, match="of 1 class, 'red'; at least 2 are needed"):
        dataset.without(most)


def test_without__unknown_path_is_refused(photo_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"Not in this data set: \['red/nowhere.jpg'\]"):
        scan(photo_folder).without({"red/nowhere.jpg": "bad"})


def test_limit_per_class__never_more_and_always_the_same(photo_folder: Path) -> None:
    limited = scan(photo_folder, split=SplitConfig(limit_per_class=5))
    names = [example.relative_path for example in limited.examples]
    assert [sum(name.startswith(label) for name in names) for label in limited.labels] == [5, 5, 5]
    larger = scan(photo_folder, split=SplitConfig(limit_per_class=6))
    assert set(names) < {example.relative_path for example in larger.examples}


def test_limit_per_class__keeps_groups_whole(tmp_path: Path) -> None:
    write(
        tmp_path,
        *(f"{label}/{group}_{view}.jpg" for label in "ab" for group in range(9) for view in "xyz"),
    )
    dataset = scan(tmp_path, split=SplitConfig(limit_per_class=7, group_by=r"^(.+)_"))
    for label in dataset.labels:
        groups = [example.group for example in dataset.examples if example.label == label]
        assert sorted(groups.count(group) for group in set(groups)) == [1, 3, 3]


def test_dataset__knows_a_folder_of_renders(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    assert not scan(tmp_path).is_rendered
    write(tmp_path, "synth.jsonl")
    assert kinds(scan(tmp_path)) == []
    assert scan(tmp_path).is_rendered
