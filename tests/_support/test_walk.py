"""Which files of a folder are photos, whoever asks: training, check, classify, evaluate, boards."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bricksight._support.filesystem.walk import (
    _SYSTEM_NAMES,
    OWN_MARKER,
    is_passed_over,
    mark_as_own,
    photos_below,
)
from bricksight.cli._paths import named_photos
from bricksight.config import SplitConfig
from bricksight.dataset import class_folders, scan, scan_outliers
from bricksight.errors import ImageError
from bricksight.images import decode, find_backgrounds


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return folder


def below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in photos_below(folder)[0]]


LEFT_BEHIND = [
    *("._1.jpg", ".hidden.jpg", "Thumbs.db", "desktop.ini", "Icon\r"),
    *(f"{folder}/1.jpg" for folder in ("__MACOSX", "@eaDir", "#recycle", "@Recycle", "#snapshot")),
    *(f"{folder}/1.jpg" for folder in ("@Recently-Snapshot", ".@__thumb", "$RECYCLE.BIN")),
    *(f"{folder}/1.jpg" for folder in ("RECYCLER", "System Volume Information", "lost+found")),
    *(f"{folder}/1.jpg" for folder in ("Network Trash Folder", "Temporary Items")),
    *(f"{folder}/1.jpg" for folder in (".ipynb_checkpoints", ".Trash-1000", ".AppleDouble")),
]


def test_walk__what_systems_leave_behind_is_passed_over_at_every_level(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg", "a/deep/2.jpg", "b/3.jpg")
    for folder in (photos, photos / "a", photos / "a" / "deep"):
        write(folder, *LEFT_BEHIND)
    dataset = scan(photos)
    assert [record.relative_path for record in dataset.examples] == below(photos)
    assert below(photos) == ["a/1.jpg", "a/deep/2.jpg", "b/3.jpg"]
    assert class_folders(photos) == ["a", "b"]
    assert [one.kind for one in dataset.problems if not one.is_advice] == []
    assert list(find_backgrounds(photos)) == photos_below(photos)[0]
    (named,) = named_photos([photos], lambda *_: pytest.fail("nothing is wrong"))
    assert named == photos_below(photos)[0]


def test_walk__a_hidden_folder_with_photos_may_be_meant_as_a_class(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/2.jpg", ".5mm/3.jpg", ".git/4.jpg", ".Trash-1/5.jpg")
    (problem,) = [one for one in scan(tmp_path).problems if one.kind == "hidden_folder"]
    assert problem.paths == (".5mm",)
    assert problem.is_advice


def test_walk__a_folder_called_as_a_photo_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "x.jpg/1.jpg", "b/2.jpg")
    assert below(tmp_path) == ["b/2.jpg", "x.jpg/1.jpg"]
    assert scan(tmp_path).labels == ("b", "x.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_walk__pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/2.jpg")
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "b" / "s.jpg"))
        assert below(tmp_path) == ["a/1.jpg", "b/2.jpg"]
        (problem,) = [one for one in scan(tmp_path).problems if one.kind == "special_file"]
        assert problem.paths == ("a/pipe.jpg", "b/s.jpg")
    with pytest.raises(ImageError, match="not a file: it is a pipe"):
        decode(tmp_path / "a" / "pipe.jpg")
    with pytest.raises(ImageError, match="not a file: it is a pipe, a socket or a device"):
        decode(Path("/dev/zero"))


def test_walk__linked_folders_and_photos_are_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "cat/1.jpg", "2.jpg")
    photos = write(tmp_path / "photos", "dog/3.jpg")
    (photos / "cat").symlink_to(outside / "cat")
    (photos / "dog" / "linked.jpg").symlink_to(outside / "2.jpg")
    assert below(photos) == ["cat/1.jpg", "dog/3.jpg", "dog/linked.jpg"]
    assert scan(photos).labels == ("cat", "dog")


def test_walk__links_that_lead_up_are_not_followed_even_out_of_the_folder(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    write(tmp_path / "beside", "3.jpg")
    (photos / "a" / "up").symlink_to(tmp_path)
    (photos / "again").symlink_to(photos)
    dataset = scan(photos)
    assert [record.relative_path for record in dataset.examples] == ["a/1.jpg", "b/2.jpg"]
    (problem,) = [one for one in dataset.problems if one.kind == "link_loop"]
    assert problem.paths == ("again", "a/up")
    assert dataset.labels == ("a", "b")


def test_walk__a_photo_that_two_links_reach_counts_once_at_its_own_place(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", "a/real/1.jpg", "b/2.jpg")
    for name in ("before", "zero"):
        (photos / "a" / name).symlink_to(photos / "a" / "real")
    dataset = scan(photos)
    assert [record.relative_path for record in dataset.examples] == ["a/real/1.jpg", "b/2.jpg"]
    (problem,) = [one for one in dataset.problems if one.kind == "repeated_link"]
    assert problem.paths == ("a/before", "a/zero")


def test_walk__a_web_of_links_takes_a_step_a_link(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    for level in range(30):  # 2^30 paths lead to the last
        folder = tmp_path / "web" / str(level)
        folder.mkdir(parents=True)
        for name in ("left", "right"):
            (folder / name).symlink_to(tmp_path / "web" / str(level + 1))
    write(tmp_path / "web" / "30", "3.jpg")
    (photos / "a" / "web").symlink_to(tmp_path / "web" / "0")
    assert below(photos) == ["a/1.jpg", f"a/web/{'left/' * 30}3.jpg", "b/2.jpg"]


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Callable[[Path, str, int], None]]:
    """Makes folders in each other, and takes them away: few programs remove such a tree."""

    def make(folder: Path, name: str, number: int) -> None:
        here = os.open(folder, os.O_RDONLY)
        for _ in range(number):
            os.mkdir(name, dir_fd=here)
            inside = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inside
        os.close(here)

    if os.mkdir not in os.supports_dir_fd:
        pytest.skip("paths are limited here")
    yield make
    subprocess.run(["rm", "-rf", tmp_path / "photos"], check=True)


def test_walk__folders_may_be_nested_deeper_than_python_recurses(
    tmp_path: Path, nest: Callable[[Path, str, int], None]
) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    nest(photos / "a", "d", 1_010)
    assert len(scan(photos).examples) == 2


def test_walk__folders_beyond_the_longest_path_are_named(
    tmp_path: Path, nest: Callable[[Path, str, int], None]
) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    nest(photos / "a", "d" * 200, 30)
    (problem,) = [one for one in scan(photos).problems if one.kind == "unreadable"]
    assert "File name too long" in problem.message


def test_walk__a_link_to_nothing_is_named_whatever_it_was(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "cat").symlink_to("/mnt/not there any more")
    (problem,) = [one for one in scan(tmp_path).problems if one.kind == "unreadable"]
    assert problem.paths == ("cat",)


@pytest.mark.parametrize(
    "names",
    [
        ("manifest.json", "output_labels.txt", "sub/1.jpg"),
        ("preprocess.json", "model.onnx", "golden/1.jpg"),
        ("synth.jsonl", "red/1.jpg"),
        (OWN_MARKER, "1.jpg"),
    ],
    ids=["model", "board", "renders", "marked"],
)
def test_walk__folders_of_ours_are_no_classes_and_are_named(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    write(tmp_path, "a/1.jpg", "b/2.jpg")
    write(tmp_path / "ours", *names)
    write(tmp_path / "a" / "ours", *names)
    dataset = scan(tmp_path)
    assert dataset.labels == ("a", "b")
    assert len(dataset.examples) == 2
    found = [one.paths for one in dataset.problems if one.kind == "generated_folder"]
    assert sorted(found) == [("a/ours",), ("ours",)]
    assert [one.kind for one in dataset.problems if one.kind == "empty_class"] == []


def test_walk__sheets_of_an_earlier_check_are_no_class(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg", "b/2.jpg", "photos-check/a.jpg")
    assert scan(photos).labels == ("a", "b")


def test_mark_as_own__leaves_the_users_folders_as_they_are(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", "a/1.jpg")
    for folder in (photos / "a", photos / "new", tmp_path / "outside"):
        mark_as_own(folder, among=photos)
    assert [path.name for path in (photos / "a").iterdir()] == ["1.jpg"]
    assert [path.name for path in (photos / "new").iterdir()] == [OWN_MARKER]
    assert not (tmp_path / "outside").exists()


def test_scan_outliers__names_of_folders_need_be_no_labels(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg", " a/2.jpg", "x\ny/3.jpg", "4.jpg")
    records, problems = scan_outliers(tmp_path, known=(), split=SplitConfig())
    assert len(records) == 4
    assert problems == []


def test_board__walks_by_the_same_rules(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    import bricksight.jetson
    from helpers.jetson_folder import load_program

    program = load_program(Path(bricksight.jetson.__path__[0]))
    write(tmp_path, "1.jpg", "b/2.JFIF", *LEFT_BEHIND)
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert program.photos_in([tmp_path]) == photos_below(tmp_path)[0]
    assert all(map(is_passed_over, program.SYSTEM_FOLDERS))
    files = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "zbthumbnail.info"}
    files |= {"icon\r", "thevolumesettingsfolder", "thefindbycontentfolder"}
    shown = {name for name in _SYSTEM_NAMES if not name.startswith(".")}
    assert shown - files == program.SYSTEM_FOLDERS
