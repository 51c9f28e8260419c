"""The photos that come with the package, and the command that writes them."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from bricksight.bricks import synth
from bricksight.cli import main
from bricksight.errors import DataError, OutputError
from helpers.small_disk import no_file_larger_than

PHOTOS_A_CLASS = 40


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "bricks"
    assert synth.write_sample(out) == PHOTOS_A_CLASS * len(synth.SAMPLE_LABELS)
    return out


def test_sample__has_a_folder_of_photos_for_each_label(sample: Path) -> None:
    assert sorted(folder.name for folder in sample.iterdir()) == list(synth.SAMPLE_LABELS)
    assert len(synth.SAMPLE_LABELS) == 12
    for folder in sample.iterdir():
        names = [f"{index:04d}.jpg" for index in range(PHOTOS_A_CLASS)]
        assert sorted(photo.name for photo in folder.iterdir()) == names


def test_sample__photos_are_small_distinct_and_whole(sample: Path) -> None:
    photos = sorted(sample.glob("*/*.jpg"))

    assert sum(photo.stat().st_size for photo in photos) < 4_000_000
    assert len({hashlib.sha256(photo.read_bytes()).digest() for photo in photos}) == len(photos)
    for path in photos:
        with Image.open(path) as photo:
            photo.load()
            assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (160, 160))


def test_sample__photos_show_something(sample: Path) -> None:
    for path in sorted(sample.glob("*/*.jpg")):
        with Image.open(path) as photo:
            lowest, highest = photo.convert("L").getextrema()
        assert highest - lowest > 25, path


def test_write_sample__takes_an_empty_folder(tmp_path: Path) -> None:
    assert synth.write_sample(tmp_path) == PHOTOS_A_CLASS * len(synth.SAMPLE_LABELS)


def test_write_sample__refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(DataError, match=r"is not empty: it holds 'mine.txt'.*name a new one"):
        synth.write_sample(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_write_sample__refuses_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bricks"
    file.write_text("")

    with pytest.raises(DataError, match="is a file; the sample needs a folder"):
        synth.write_sample(file)


def test_write_sample__names_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"bricks cannot be created: .*file is not a folder"):
        synth.write_sample(tmp_path / "file" / "bricks")


def test_write_sample__nothing_is_left_on_a_full_disk(tmp_path: Path) -> None:
    with (
        no_file_larger_than(1500),
        pytest.raises(OutputError, match=r"bricks cannot be written \(File too large\)"),
    ):
        synth.write_sample(tmp_path / "bricks")
    assert list(tmp_path.iterdir()) == []


def test_contact_sheet__has_a_row_a_class(sample: Path) -> None:
    sheet = synth.contact_sheet(sample, synth.SAMPLE_LABELS, columns=3, cell=20)

    assert sheet.size == (60, 20 * len(synth.SAMPLE_LABELS))
    assert sheet.getpixel((59, 20 * len(synth.SAMPLE_LABELS) - 1)) != (255, 255, 255)


def test_command__says_what_was_written_and_what_to_type_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my bricks"

    assert main(["sample", str(out)]) == 0

    said = capsys.readouterr().out
    assert f"Wrote 480 rendered photos of 12 LEGO-style parts to {out}." in said
    command = f"bricksight train '{out}' --backbone packaged:efficientnet_lite0"
    assert command in said


def test_command__refusal_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    assert main(["sample", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_import__loads_no_renderer_and_no_scipy() -> None:
    code = "import sys, bricksight.bricks.synth; print({'mitsuba', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"
