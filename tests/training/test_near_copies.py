"""Photos that are tested on and trained on too, and what is said of them."""

import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight.cli import main
from bricksight.config import SplitConfig
from bricksight.dataset import (
    Example,
    group_by_for_pairs,
    group_keys,
    scan,
    suggest_group_by,
    suggested_groups,
)
from bricksight.quality import bursts, check
from bricksight.quality._bursts import taken_at
from bricksight.training.results.near_copies import _nearest, copies_problem
from helpers.photos import draw
from helpers.tiny_bundle import train_tiny


def records_named(*names: str) -> list[Example]:
    return [
        Example(Path(name), name, name.partition("/")[0], name, name, "training") for name in names
    ]


FRAMES = records_named(*(f"{label}/clip_{n:04d}.jpg" for label in "ab" for n in range(60)))
NUMBERED = records_named(*(f"{label}/photo{n}-{n % 2}.png" for label in "ab" for n in range(60)))


@pytest.mark.parametrize(
    ("examples", "name", "block"),
    [(FRAMES, "a/clip_{:04d}.jpg", "a/clip_001"), (NUMBERED, "a/photo{}-1.png", "a/photo1")],
)
def test_group_by_for_pairs__keeps_ten_frames_in_a_row_together(
    examples: list[Example], name: str, block: str
) -> None:
    pairs = [(name.format(10 + n), name.format(11 + n)) for n in range(9)]
    found = group_by_for_pairs(pairs, examples)
    assert found is not None
    pattern, kept = found
    assert kept == 9
    assert set(group_keys([one for one, _ in pairs], group_by=pattern)[0]) == {block}


def test_group_by_for_pairs__names_nothing_where_names_do_not_help() -> None:
    far = [("a/clip_0001.jpg", "a/clip_0050.jpg"), ("a/clip_0002.jpg", "b/clip_0002.jpg")]
    assert group_by_for_pairs(far, FRAMES) is None
    assert group_by_for_pairs([], FRAMES) is None


@pytest.mark.parametrize("date", ["2024-01-{:02d}", "2024_01_{:02d}", "202401{:02d}"])
def test_suggest_group_by__takes_no_day_for_an_object(date: str) -> None:
    names = [f"a/{date.format(day)}_{shot}.jpg" for day in range(1, 9) for shot in range(5)]
    assert suggest_group_by(records_named(*names)) is None


def test_suggested_groups__are_silent_once_groups_are_given() -> None:
    examples = records_named(
        *(f"{label}/{n}.5_{view}.jpg" for label in "ab" for n in range(9) for view in ("up", "low"))
    )
    (problem,) = suggested_groups(examples, SplitConfig())
    assert "--group_by '^(.+)_[^_/]*$'" in problem.message
    assert suggested_groups(examples, SplitConfig(group_by=r"^(.+)_")) == []


def test_nearest__of_those_that_are_looked_for() -> None:
    known = np.array([[1, 0], [0, 2], [3, 3], [-1, 0], [0, -9], [40, 40]], np.float32)
    tested = np.array([[0, 1], [2, 2]], np.float32)
    everything = np.concatenate([known, tested])
    excluded = np.array([False] * 6 + [True] * 2)
    nearest, cosine = _nearest(tested, [everything[:3], everything[3:]], excluded)
    found = [
        dict(zip(rows.tolist(), alike.astype(float).round(2), strict=True))
        for rows, alike in zip(nearest, cosine, strict=True)
    ]
    assert found == [{0: 0.0, 1: 1.0, 3: 0.0}, {0: 0.71, 1: 0.71, 2: 1.0}]
    assert _nearest(tested, [tested], np.array([True, True]))[0].size == 0
    assert _nearest(known[:0], [known], np.zeros(6, bool))[0].size == 0


def test_copies_problem__is_in_the_singular_of_one() -> None:
    (problem,) = copies_problem([("a/1.jpg", "a/2.jpg")], records_named("a/1.jpg", "a/2.jpg"), 1)
    assert "1 of 1 test photo looks nearly the same" in problem.message
    assert problem.paths == ("a/1.jpg",)
    assert copies_problem([], FRAMES, 9) == []


@pytest.mark.tf
def test_retrain__warns_of_copies_beside_the_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each photo is there twice, the second saved again: other bytes, the same picture."""
    photos = tmp_path / "photos"
    for label in ("red", "green", "blue"):
        (photos / label).mkdir(parents=True)
        for number in range(12):
            image = draw(label, number)
            image.save(photos / label / f"{number}.png")
            image.save(photos / label / f"{number}x.png", compress_level=1)
    result = train_tiny(tmp_path)
    data = result.findings.data
    trained_on = {one.relative_path for one in data.examples if one.split != "test"}
    tested = {one.relative_path for one in data.in_split("test")}
    (warning,) = [one for one in result.findings.warnings if one.kind == "near_duplicate_split"]
    expected = {path for path in tested if twin_of(path) in trained_on}
    assert expected
    assert expected <= set(warning.paths) <= tested
    page = (result.bundle.path / "report.html").read_text()
    headline = page[: page.index("<nav")]
    assert "nearly the same as a photo that is trained on" in headline
    capsys.readouterr()
    words = ["evaluate", str(result.bundle.path), str(photos), "--quiet"]
    assert main(words) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert "of 72 photos right" in first
    assert second.startswith("! ")
    assert "were used to train the model, so the measured accuracy is too high" in second


def twin_of(path: str) -> str:
    """Returns the path of the other rendition of the same picture."""
    stem = path.removesuffix(".png")
    return f"{stem[:-1]}.png" if stem.endswith("x") else f"{stem}x.png"


def write_dated(folder: Path, *, seconds: float, per_class: int = 6) -> Path:
    """Writes photos whose EXIF data say that they were taken so many seconds apart."""
    start = datetime.datetime(2024, 5, 1, 12)
    for label in ("red", "green"):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            exif = Image.Exif()
            taken = start + datetime.timedelta(seconds=seconds * number)
            exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
            draw(label, number).save(folder / label / f"IMG_{number:04d}.jpg", exif=exif)
    return folder


@pytest.mark.parametrize(("seconds", "said"), [(1, True), (20, False)])
def test_bursts__are_photos_taken_right_after_each_other(
    tmp_path: Path, seconds: float, said: bool
) -> None:
    data = scan(write_dated(tmp_path / "photos", seconds=seconds))
    problems = bursts(data.examples, SplitConfig())
    assert [problem.kind for problem in problems] == ["bursts"] * said
    assert all("12 of 12 photos were taken within 2 seconds" in one.message for one in problems)
    assert bursts(data.examples, SplitConfig(group_by=r"IMG_\d\d\d")) == []
    kinds = {problem.kind for problem in check(data.image_dir).dataset.problems}
    assert ("bursts" in kinds) == said


def test_bursts__of_photos_without_times_are_none(photo_folder: Path, tmp_path: Path) -> None:
    assert bursts(scan(photo_folder).examples, SplitConfig()) == []
    (tmp_path / "no.jpg").write_bytes(b"no photo")
    assert taken_at(tmp_path / "no.jpg") is None
    assert bursts((), SplitConfig()) == []
