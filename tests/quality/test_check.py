import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight import images
from bricksight.config import SplitConfig
from bricksight.errors import DataError
from bricksight.quality import (
    CheckReport,
    Spread,
    check,
    contact_sheet,
    write_contact_sheets,
    write_label_conflict_sheet,
)
from bricksight.quality._fingerprint import fingerprint
from bricksight.quality._neighbours import MAX_DISTANCE
from helpers.photos import draw, write_photo_folder


def kinds(report: CheckReport) -> list[str]:
    return sorted(problem.kind for problem in report.dataset.problems)


def paths_of(report: CheckReport, kind: str) -> list[tuple[str, ...]]:
    return [problem.paths for problem in report.dataset.problems if problem.kind == kind]


def test_check__good_folder_has_no_faults(photo_folder: Path) -> None:
    report = check(photo_folder)
    assert report.faults == ()
    assert kinds(report) == ["small_class"]
    assert report.formats == {"JPEG": 23, "PNG": 1}
    assert report.suggested_group_by is None


def test_check__counts_add_up(photo_folder: Path) -> None:
    report = check(photo_folder)
    assert [counts.label for counts in report.classes] == ["blue", "green", "red"]
    for counts in report.classes:
        assert counts.num_photos == counts.num_groups == 8
        assert counts.training + counts.validation + counts.test == 8
        assert min(counts.training, counts.validation, counts.test) >= 1


def test_check__sizes_are_as_a_viewer_shows_them(photo_folder: Path) -> None:
    Image.new("RGB", (100, 10)).save(photo_folder / "red" / "wide.png")
    report = check(photo_folder)
    assert report.width == Spread(48, 48, 100)
    assert report.height == Spread(10, 40, 40)


def test_check__finds_every_fault(faulty_folder: Path) -> None:
    report = check(faulty_folder)
    assert sorted(fault.kind for fault in report.faults) == [
        "conflicting_labels",
        "duplicate",
        "empty_class",
        "other_file",
        "unreadable",
        "unreadable",
        "wrong_extension",
    ]
    assert paths_of(report, "unreadable") == [("red/text.jpg",), ("red/truncated.jpg",)]
    assert paths_of(report, "wrong_extension") == [("red/png_inside.jpg",)]
    assert paths_of(report, "near_duplicate") == [
        ("green/photo_04.jpg", "green/photo_04_again.jpg")
    ]
    assert "größe" in report.dataset.labels


def test_check__unreadable_photos_are_not_counted(faulty_folder: Path) -> None:
    report = check(faulty_folder)
    names = {example.relative_path for example in report.dataset.examples}
    assert names.isdisjoint({"red/text.jpg", "red/truncated.jpg"})
    assert {counts.label: counts.num_photos for counts in report.classes}["red"] == 9


def test_check__strict_raises_with_all_faults(faulty_folder: Path) -> None:
    with pytest.raises(DataError, match="7 faults in ") as caught:
        check(faulty_folder, strict=True)
    for name in ("red/text.jpg", "red/truncated.jpg", "blue/copy.jpg", "notes.txt", "'empty'"):
        assert name in str(caught.value)


def test_check__strict_lets_advice_pass(photo_folder: Path) -> None:
    assert check(photo_folder, strict=True).advice


def test_check__folder_of_unreadable_files_is_refused_with_reasons(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    with pytest.raises(
        DataError, match=r"of 0 classes(.|\n)*'a/1.jpg' cannot be read: not an image"
    ):
        check(tmp_path)


def test_check__photo_saved_again_leaks_across_the_split(photo_folder: Path) -> None:
    picture = draw("red", 100).resize((96, 80))
    for quality in range(70, 90):
        picture.save(photo_folder / "red" / f"again_{quality}.jpg", quality=quality, subsampling=0)
    report = check(photo_folder)
    split_of = {example.relative_path: example.split for example in report.dataset.examples}
    leaks = {name for name in split_of if "again" in name and split_of[name] != "training"}
    assert {one.path for one in report.near_duplicates.across_split} == leaks != set()
    assert {split_of[one.other] for one in report.near_duplicates.across_split} == {"training"}


def test_check__same_look_under_two_labels_is_found(photo_folder: Path) -> None:
    picture = Image.fromarray(images.decode(photo_folder / "red" / "photo_01.jpg"))
    picture.save(photo_folder / "blue" / "wrong.png")
    report = check(photo_folder)
    assert paths_of(report, "near_duplicate_labels") == [("blue/wrong.png", "red/photo_01.jpg")]
    assert "near_duplicate" not in kinds(report)


def test_check__suggests_groups_until_they_are_given(tmp_path: Path) -> None:
    for label in ("blue", "red"):
        (tmp_path / label).mkdir()
        for index in range(12):
            draw(label, index).save(tmp_path / label / f"{index // 3}_view{index % 3}.png")
    report = check(tmp_path)
    assert report.suggested_group_by is not None
    assert "group_by" in kinds(report)
    grouped = check(tmp_path, split=SplitConfig(group_by=report.suggested_group_by))
    assert "group_by" not in kinds(grouped)
    assert [counts.num_groups for counts in grouped.classes] == [4, 4]


def test_check__reports_progress_of_both_stages(photo_folder: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    check(photo_folder, progress=lambda *call: calls.append(call))
    assert calls[23:48:24] == [("Reading files", 24, 24), ("Decoding photos", 24, 24)]
    assert calls[-1] == ("Finding near-duplicates", 24, 24)


def test_to_dict__is_plain_and_has_its_keys(faulty_folder: Path) -> None:
    result = json.loads(json.dumps(check(faulty_folder).to_dict()))
    assert sorted(result) == [
        "classes",
        "formats",
        "height",
        "image_dir",
        "near_duplicates",
        "num_classes",
        "num_photos",
        "problems",
        "suggested_group_by",
        "width",
    ]
    assert sorted(result["problems"][0]) == ["advice", "kind", "message", "paths"]
    assert sorted(result["classes"][0]) == [
        "label",
        "num_groups",
        "num_photos",
        "test",
        "training",
        "validation",
    ]
    assert sorted(result["near_duplicates"]) == ["across_labels", "across_split", "in_class"]
    assert sorted(result["near_duplicates"]["in_class"][0]) == ["difference", "other", "path"]


def test_fingerprint__survives_saving_again_and_other_light() -> None:
    picture = draw("red", 1).resize((320, 240))
    before = fingerprint(picture)
    lighter = np.clip(np.asarray(picture, dtype=int) + 6, 0, 255).astype(np.uint8)
    for again in (picture.resize((160, 120)), Image.fromarray(lighter)):
        after = fingerprint(again)
        assert (before.hash ^ after.hash).bit_count() <= MAX_DISTANCE
    other = fingerprint(draw("red", 2))
    assert (before.hash ^ other.hash).bit_count() > MAX_DISTANCE


def test_contact_sheet__has_room_for_all(photo_folder: Path) -> None:
    paths = sorted((photo_folder / "red").iterdir())
    sheet = contact_sheet(paths, columns=3, thumb=50, title="red")
    one_row = contact_sheet(paths[:3], columns=3, thumb=50, title="red")
    assert sheet.mode == "RGB"
    assert sheet.width == one_row.width
    assert sheet.height > 2 * one_row.height - 150
    reds = np.asarray(sheet).astype(int)
    assert ((reds[..., 0] > 180) & (reds[..., 1] < 70)).mean() > 0.2


def test_contact_sheet__shows_what_it_cannot_read(faulty_folder: Path) -> None:
    sheet = np.asarray(contact_sheet([faulty_folder / "red" / "text.jpg"], thumb=200)).astype(int)
    assert ((sheet[..., 0] - sheet[..., 1]) > 60).any()


def test_write_contact_sheets__one_per_class(photo_folder: Path, tmp_path: Path) -> None:
    dataset = check(photo_folder).dataset
    for _ in range(2):
        written = write_contact_sheets(dataset, tmp_path / "sheets")
    assert [path.name for path in written] == ["blue.jpg", "green.jpg", "red.jpg"]
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == [
        "blue.jpg",
        "green.jpg",
        "red.jpg",
    ]


def test_write_contact_sheets__large_class_takes_several(tmp_path: Path) -> None:
    image_dir = write_photo_folder(tmp_path / "photos")
    dataset = check(image_dir).dataset
    red = [example for example in dataset.examples if example.label == "red"]
    many = replace(dataset, labels=("red",), examples=tuple(red * 40))
    calls: list[tuple[int, int]] = []
    written = write_contact_sheets(
        many, tmp_path / "sheets", progress=lambda done, total: calls.append((done, total))
    )
    assert [path.name for path in written] == ["red.jpg", "red, sheet 2.jpg"]
    assert calls == [(250, 320), (320, 320)]


def test_label_conflict_sheet__grows_with_pairs(photo_folder: Path, tmp_path: Path) -> None:
    original = photo_folder / "red" / "photo_01.jpg"
    shutil.copy(original, photo_folder / "blue" / "copied.jpg")
    copied = write_label_conflict_sheet(check(photo_folder), tmp_path / "copied")
    Image.fromarray(images.decode(original)).save(photo_folder / "green" / "saved_again.png")
    both = write_label_conflict_sheet(check(photo_folder), tmp_path / "both")
    assert copied is not None
    assert both is not None
    assert images.decode(both).shape[1] > images.decode(copied).shape[1]


def test_label_conflict_sheet__is_removed_without_pairs(photo_folder: Path, tmp_path: Path) -> None:
    copy = photo_folder / "blue" / "copied.jpg"
    shutil.copy(photo_folder / "red" / "photo_01.jpg", copy)
    sheet = write_label_conflict_sheet(check(photo_folder), tmp_path / "sheets")
    assert sheet is not None
    copy.unlink()
    assert write_label_conflict_sheet(check(photo_folder), tmp_path / "sheets") is None
    assert not sheet.exists()
