"""Paths on the command line and in the Python API, and the photos that they name."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bricksight import Predictor, TrainingConfig, open_bundle
from bricksight.camera import Keeper, parse_source
from bricksight.cli import main
from bricksight.cli._paths import named_photos, names_in
from bricksight.cli._values import STDIN
from bricksight.config import CrossValidationConfig, FineTuneConfig, SplitConfig, user_path
from bricksight.dataset import scan
from bricksight.errors import BundleError, ConfigError, DataError

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own, which holds class folders, and has a home."""
    for name in ("red/1.jpg", "blue/2.jpg", "home/photos/a/1.jpg", "home/photos/b/2.jpg"):
        write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.fsencode(path))


def photos(*names: str) -> tuple[list[str], list[str]]:
    """Returns the photos that are named, and what is complained of."""
    complaints: list[str] = []
    batches = named_photos(
        [Path(name) for name in names], lambda what, reason: complaints.append(f"{what}: {reason}")
    )
    return [path.as_posix() for batch in batches for path in batch], complaints


# Empty means nothing.

EMPTY = [
    *(["check", ""], ["retrain", "--image_dir", ""], ["train", ""], ["crossval", ""]),
    *(["evaluate", "model", ""], ["classify", "model", ""], ["classify", "", "red/1.jpg"]),
    *(
        ["benchmark", ""],
        ["benchmark", "model", "--image_dir", ""],
        ["camera", "model", "--source="],
    ),
    *(["camera", "model", "--save_dir", ""], ["export", "", "--format", "onnx"]),
    *(["export", "m", "--format", "onnx", "--out="], ["synth", ""], ["synth", "o", "--for", ""]),
    *(["synth", "o", "--parts", "3001", "--backgrounds", ""], ["sample", ""], ["demo", "--out="]),
    *(["cache", "--path", ""], ["backbones", "describe", ""], ["check", "x", "--contact_sheets="]),
    *(
        ["train", "red", f"--{name}", ""]
        for name in ("out", "extra_train_dir", "unknown_dir", "mask_dir", "group_by", "teacher")
    ),
    *(
        ["retrain", "--image_dir", "red", f"--{name}="]
        for name in ("output_graph", "output_labels", "summaries_dir", "bottleneck_dir")
    ),
]


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_main__an_empty_value_is_refused_before_any_work(
    words: list[str], working_folder: Path, capsys: Captured
) -> None:
    before = sorted(working_folder.rglob("*"))
    assert main(words) == 2
    assert "is empty. Expected a value; if it comes from a variable" in capsys.readouterr().err
    assert sorted(working_folder.rglob("*")) == before


def test_main__an_empty_saved_model_dir_is_none_as_in_retrain_py(capsys: Captured) -> None:
    assert main(["retrain", "--image_dir", "nowhere", "--saved_model_dir", ""]) == 1
    assert "nowhere does not exist" in capsys.readouterr().err
    assert TrainingConfig.of(image_dir="red", saved_model_dir="").files.saved_model_dir is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "take",
    [
        lambda: TrainingConfig.of(image_dir=""),  # type: ignore[arg-type]
        lambda: TrainingConfig.of(image_dir="red", out=""),  # type: ignore[arg-type]
        lambda: TrainingConfig.of(image_dir="red", extra_train_dir=""),  # type: ignore[arg-type]
        lambda: TrainingConfig.of(image_dir="red", summaries_dir=""),  # type: ignore[arg-type]
        lambda: CrossValidationConfig(label_issues=""),  # type: ignore[arg-type]
        lambda: FineTuneConfig(teacher=""),  # type: ignore[arg-type]
        lambda: SplitConfig(group_by=""),
        lambda: scan(""),
        lambda: open_bundle(""),
        lambda: Predictor(""),
        lambda: Keeper("", label="a"),  # type: ignore[arg-type]
        lambda: parse_source(""),
    ],
)
def test_python__an_empty_path_is_refused(take: object) -> None:
    assert callable(take)
    with pytest.raises(ConfigError, match="is empty"):
        take()


@pytest.mark.parametrize("value", [5, None, ["red"], "a\0b"])
def test_python__what_is_no_path_is_refused(value: object) -> None:
    with pytest.raises(
        ConfigError, match=r"--image_dir is .*; (expected a path|a path holds|it must be a path)"
    ):
        TrainingConfig.of(image_dir=value)  # type: ignore[arg-type]


# The home folder.


def test_user_path__the_home_folder_and_nothing_else_is_put_in(working_folder: Path) -> None:
    home = working_folder / "home"
    assert user_path("~/photos", "x") == home / "photos"
    assert user_path(Path("~"), "x") == home
    for text in ("$HOME/photos", "a/~/b", "~nobody of this name/x", "./~"):
        assert user_path(text, "x") == Path(text)


def test_python__the_home_folder_in_settings(working_folder: Path) -> None:
    home = working_folder / "home"
    config = TrainingConfig.of(image_dir="~/photos", out=Path("~/model"))  # type: ignore[arg-type]
    assert (config.data.image_dir, config.output.out) == (home / "photos", home / "model")
    assert scan("~/photos").image_dir == home / "photos"
    with pytest.raises(BundleError, match="home"):
        open_bundle("~/photos")


@pytest.mark.parametrize("words", [["~/photos"], ["~/photos", "--contact_sheets=~/sheets"]])
def test_main__the_home_folder_after_an_equals_sign(
    words: list[str], working_folder: Path, capsys: Captured
) -> None:
    main(["check", *words])
    assert "home" in capsys.readouterr().err  # the files are no photos; they were found
    assert not (working_folder / "~").exists()


# Files, folders and patterns.


def test_named_photos__names_with_brackets_are_paths_before_they_are_patterns(
    working_folder: Path,
) -> None:
    for name in ("set [1]/1.jpg", "set [1]/2.jpg", "set [1]/note.txt", "photo[2].jpg", "a*b.jpg"):
        write(working_folder / name)
    assert photos("photo[2].jpg", "a*b.jpg") == (["photo[2].jpg", "a*b.jpg"], [])
    inside = ["set [1]/1.jpg", "set [1]/2.jpg"]
    for pattern in ("set [1]", "set [1]/*.jpg", "set [1]/*", "set*", "s*/[12].jpg", "*[[]1]/?.jpg"):
        assert photos(pattern) == (inside, []), pattern
    absolute = [(working_folder / name).as_posix() for name in inside]
    assert photos(f"{working_folder}/set [1]/*.jpg") == (absolute, [])


def test_named_photos__patterns_go_into_folders_as_the_walk_does(working_folder: Path) -> None:
    for name in ("red/.hid.jpg", "red/@eaDir/x.jpg", "red/deep/3.jpg", "red/n.txt", "x.jpg/4.jpg"):
        write(working_folder / name)
    assert photos("re*") == (["red/1.jpg", "red/deep/3.jpg"], [])
    assert photos("*.jpg") == (["x.jpg/4.jpg"], [])
    assert photos("red/**") == (["red/1.jpg", "red/deep/3.jpg"], [])
    assert photos("red/**/*.jpg") == (["red/1.jpg", "red/deep/3.jpg"], [])
    assert photos("**/deep") == (["red/deep/3.jpg"], [])
    assert photos("r*/de*/**/3.*") == (["red/deep/3.jpg"], [])
    assert photos("*/1.jpg", "*/2.jpg") == (["red/1.jpg", "blue/2.jpg"], [])


def test_named_photos__what_names_no_photo_does_not_keep_the_others(working_folder: Path) -> None:
    (working_folder / "empty").mkdir()
    write(working_folder / "other" / "a.xyz")
    named, complaints = photos(
        "empty", "none[1].jpg", "other", "https://x/y.jpg", "red", "gone.jpg"
    )
    assert named == ["red/1.jpg", "gone.jpg"]  # that it is missing is told where it is opened
    assert [one.partition(":")[0] for one in complaints] == [
        "empty",
        "none[1].jpg",
        "other",
        "https",
    ]
    assert "'a.xyz'" in complaints[2]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may list everything")
def test_named_photos__a_folder_that_cannot_be_listed_is_told(working_folder: Path) -> None:
    (working_folder / "red" / "locked").mkdir(mode=0)
    named, complaints = photos("red")
    assert named == ["red/1.jpg"]
    assert "locked: cannot be read" in complaints[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_named_photos__a_pipe_among_photos_is_told(working_folder: Path) -> None:
    os.mkfifo(working_folder / "red" / "pipe.jpg")
    named, complaints = photos("red")
    assert named == ["red/1.jpg"]
    assert complaints == [f"{Path('red/pipe.jpg')}: not a file: it is a pipe, a socket or a device"]


# Lists on standard input.

NAMES = ["a.jpg", "b c.jpg", " lead.jpg", "d\u2028e.jpg", "f\x0cg.jpg", "h\x85i.jpg", "ä.jpg"]


def names(data: bytes) -> list[str]:
    return [name for batch in names_in(io.BytesIO(data)) for name in batch if name]


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(NAMES).encode(),
        "\n".join([*NAMES, ""]).encode(),
        "\n".join(NAMES).encode("utf-8-sig"),
        "\n".join(NAMES).encode("utf-16"),
        b"\xfe\xff" + "\n".join(NAMES).encode("utf-16-be"),
        "\0".join([*NAMES, ""]).encode(),
    ],
    ids=["lines", "last line", "mark", "utf-16", "utf-16-be", "print0"],
)
def test_names_in__every_way_of_writing_a_list(data: bytes) -> None:
    assert names(data) == NAMES


def test_names_in__a_list_separated_by_nul_may_hold_line_feeds() -> None:
    assert names(b"a\nb.jpg\0c.jpg\0") == ["a\nb.jpg", "c.jpg"]


def test_names_in__bytes_that_are_no_text_name_the_same_file() -> None:
    assert [os.fsencode(name) for name in names(b"a\xff.jpg\nb.jpg\n")] == [b"a\xff.jpg", b"b.jpg"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", b"a"])
def test_names_in__short_lists(data: bytes) -> None:
    assert names(data) == ([data.decode()] if data == b"a" else [])


class Slow(io.RawIOBase):
    """Gives a piece at a time, as a pipe does whose writer takes its time."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        piece = self.pieces.pop(0) if self.pieces else b""
        memoryview(buffer)[: len(piece)] = piece  # type: ignore[arg-type]
        return len(piece)


def test_names_in__a_name_is_there_as_soon_as_it_is_written() -> None:
    slow = Slow(b"one.jpg\n", b"two.j", b"pg\nthree", b".jpg")
    batches = names_in(io.BufferedReader(slow))
    assert next(batches) == ["one.jpg"]
    assert slow.pieces[0] == b"two.j"
    assert [name for batch in batches for name in batch if name] == ["two.jpg", "three.jpg"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    yield stream


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"red/1.jpg\r\n", "red/1.jpg"),
        (b'"red/1.jpg"\n', "red/1.jpg"),
        (b"'red/1.jpg' \n", "red/1.jpg"),
        (b"  red/1.jpg \n", "red/1.jpg"),
        (b"red\n", "red/1.jpg"),
        (b"r*/1.jpg\n", "red/1.jpg"),
        (b"gone.jpg\r\n", "gone.jpg"),
    ],
)
def test_named_photos__a_line_is_taken_as_it_is_or_without_what_is_around_it(
    line: bytes, named: str, typed: io.BytesIO
) -> None:
    typed.write(line)
    typed.seek(0)
    assert photos(STDIN) == ([named], [])


def test_named_photos__a_line_may_begin_with_the_home_folder(
    typed: io.BytesIO, working_folder: Path
) -> None:
    write(working_folder / "~x.jpg")
    typed.write(b"~/photos/a/1.jpg\n~x.jpg\n")
    typed.seek(0)
    home = (working_folder / "home").as_posix()
    assert photos(STDIN) == ([f"{home}/photos/a/1.jpg", "~x.jpg"], [])


def test_named_photos__a_name_with_blanks_around_it_comes_first(
    typed: io.BytesIO, working_folder: Path
) -> None:
    for name in (" 1.jpg", "1.jpg", '"1.jpg"'):
        write(working_folder / name)
    typed.write(b' 1.jpg\n1.jpg\n"1.jpg"\n')
    typed.seek(0)
    assert photos(STDIN) == ([" 1.jpg", "1.jpg", '"1.jpg"'], [])


def test_named_photos__a_list_stands_where_it_is_named(typed: io.BytesIO) -> None:
    typed.write(b"blue/2.jpg\n\n   \n")
    typed.seek(0)
    assert photos("red", STDIN, "red/1.jpg") == (["red/1.jpg", "blue/2.jpg", "red/1.jpg"], [])


def test_named_photos__an_empty_list_is_told(typed: io.BytesIO) -> None:
    assert photos(STDIN) == ([], ["-: standard input lists no photos"])


def test_named_photos__standard_input_is_read_once(typed: io.BytesIO) -> None:
    with pytest.raises(ConfigError, match="- is given twice"):
        photos(STDIN, "red", STDIN)


def test_named_photos__a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="Standard input is closed"):
        photos(STDIN)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["classify", "-", "red/1.jpg"], "Name a model before it"),
        (["classify", "--graph", "-", "--labels", "l.txt", "x"], "--graph is -"),
        (["check", "-"], "-"),
    ],
)
def test_main__a_dash_is_a_list_of_photos_and_nothing_else(
    words: list[str], told: str, capsys: Captured
) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err
