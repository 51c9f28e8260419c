import json
import re
from pathlib import Path

import pytest

from bricksight.cli import main


def run(*arguments: str) -> int:
    return main(["check", *arguments])


@pytest.fixture(autouse=True)
def working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """An empty working folder, and what is printed kept in memory, for every test."""
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_check__prints_a_table_and_writes_sheets(
    photo_folder: Path, working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(photo_folder)) == 0
    printed = capsys.readouterr()
    assert [line.partition(",")[0] for line in printed.err.splitlines()] == [
        "Reading files",
        "Decoding photos",
        "Finding near-duplicates",
        "Writing contact sheets",
    ]
    for label in ("blue", "green", "red"):
        assert re.search(rf"│ {label} +│ +8 │", printed.out)
    assert "3 classes │     24 │" in printed.out
    assert "Contact sheets: photos-check" in printed.out
    assert len(list((working_folder / "photos-check").iterdir())) == 3


def test_check__names_every_fault_and_stays_at_0(
    faulty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(faulty_folder), "--no_contact_sheets") == 0
    printed = capsys.readouterr().out
    for name in ("text.jpg", "truncated.jpg", "png_inside.jpg", "copy.jpg", "notes.txt", "'empty'"):
        assert name in printed


def test_check__strict_exits_with_1_for_faults_only(
    photo_folder: Path, faulty_folder: Path
) -> None:
    assert run(str(photo_folder), "--strict", "--quiet") == 0
    assert run(str(faulty_folder), "--strict", "--quiet") == 1


def test_check__quiet_prints_nothing(
    faulty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(str(faulty_folder), "--quiet")
    assert capsys.readouterr() == ("", "")


def test_check__json_is_one_object_and_no_sheets(
    faulty_folder: Path, working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(str(faulty_folder), "--json")
    assert json.loads(capsys.readouterr().out)["num_photos"] == 32
    assert list(working_folder.iterdir()) == []


@pytest.mark.parametrize("option", ["--contact_sheets", "--contact-sheets"])
def test_check__sheets_go_where_they_are_wanted(
    photo_folder: Path, working_folder: Path, option: str
) -> None:
    run(str(photo_folder), "--json", option, "look/here")
    assert sorted(path.name for path in (working_folder / "look" / "here").iterdir()) == [
        "blue.jpg",
        "green.jpg",
        "red.jpg",
    ]


def test_check__no_sheets_when_they_are_not_wanted(
    photo_folder: Path, working_folder: Path
) -> None:
    run(str(photo_folder), "--no_contact_sheets")
    assert list(working_folder.iterdir()) == []


def test_check__folder_that_cannot_be_used_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path / "nowhere")) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "nowhere does not exist" in printed.err


def test_check__takes_the_split_of_training(
    photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(str(photo_folder), "--testing_percentage", "0", "--json")
    assert [counts["test"] for counts in json.loads(capsys.readouterr().out)["classes"]] == [0] * 3


def test_check__many_of_a_kind_are_cut_short(
    photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        (photo_folder / "red" / f"bad_{number:02d}.jpg").write_text(str(number))
    run(str(photo_folder), "--no_contact_sheets")
    printed = capsys.readouterr().out
    assert "12 files cannot be read: 'red/bad_00.jpg'" in printed
    assert "bad_03.jpg" not in printed
    assert "See --json for all." in printed


def test_check__brackets_in_names_are_shown(
    photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = photo_folder.rename(photo_folder.with_name("[red]"))
    (renamed / "blue").rename(renamed / "[bold]")
    run(str(renamed), "--no_contact_sheets")
    printed = capsys.readouterr().out
    assert "[bold]" in printed
    assert "[red]" in printed.replace("\n", "")


def test_check__sheets_go_beside_the_photos_that_it_is_run_in(
    photo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(photo_folder.rglob("*"))
    for folder in (photo_folder, photo_folder / "red"):
        monkeypatch.chdir(folder)
        assert run(str(Path("..") / "photos" if folder is photo_folder else photo_folder)) == 0
        assert "photos-check" in capsys.readouterr().out
    assert sorted(photo_folder.rglob("*")) == before
    assert len(list((photo_folder.parent / "photos-check").iterdir())) == 3


def test_check__sheets_among_the_photos_are_no_class_afterwards(
    photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(photo_folder), "--contact_sheets", str(photo_folder / "sheets")) == 0
    capsys.readouterr()
    run(str(photo_folder), "--json")
    told = json.loads(capsys.readouterr().out)
    assert [one["label"] for one in told["classes"]] == ["blue", "green", "red"]
    assert [one["paths"] for one in told["problems"] if one["kind"] == "generated_folder"] == [
        ["sheets"]
    ]
