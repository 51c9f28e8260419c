"""Places that are written: claimed and tried before any work, whole or absent afterwards."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bricksight._support.filesystem.files import (
    atomic_write,
    cache_dir,
    in_cache,
    remove_left_behind_in_cache,
    writing,
)
from bricksight._support.filesystem.locks import LOCK, TakenError, claimed_folder, temporary_folder
from bricksight._support.filesystem.places import (
    moved,
    new_folder,
    try_file,
    try_folder,
    waiting_for,
)
from bricksight.errors import OutputError
from helpers.small_disk import no_file_larger_than

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def another_process(code: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has run ``code`` up to its line "ready"."""
    header = f"from pathlib import Path\nimport sys, time\nhere = Path({str(folder)!r})\n"
    ready = "\nprint('ready', flush=True); time.sleep(60)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", header + textwrap.dedent(code).strip() + ready],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


IN_A_NEW_FOLDER = """
from bricksight._support.filesystem.places import new_folder
made = new_folder(here / "model"); (made.__enter__() / "half").write_text("half")
"""


# New folders.


def test_new_folder__is_empty_until_the_block_has_ended(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "model") as folder:
        (folder / "inside").write_text("here")
        assert not (tmp_path / "a" / "model").exists()
    assert (tmp_path / "a" / "model" / "inside").read_text() == "here"
    assert names(tmp_path / "a") == ["model"]


def test_new_folder__nothing_is_left_of_a_block_that_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "a" / "b" / "model") as folder:
        (folder / "inside").write_text("here")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize("there", [[], ["lost+found"]], ids=["empty", "a new disk"])
def test_new_folder__an_empty_one_is_filled_and_stays_the_same_folder(
    tmp_path: Path, there: list[str]
) -> None:
    """So that it may be a mounted disk, which cannot be replaced."""
    path = tmp_path / "model"
    for one in (path, *(path / name for name in there)):
        one.mkdir()
    before = path.stat().st_ino
    with new_folder(path, last="a") as folder:
        for name in ("a", "b"):
            (folder / name).mkdir()
        assert folder.is_relative_to(path)
    assert path.stat().st_ino == before
    assert names(path) == ["a", "b", *there]
    assert names(tmp_path) == ["model"]


def test_new_folder__another_process_is_refused_at_once_and_may_have_it_afterwards(
    tmp_path: Path,
) -> None:
    with another_process(IN_A_NEW_FOLDER, tmp_path):
        with (
            pytest.raises(OutputError, match=r"model is being written by another run"),
            new_folder(tmp_path / "model"),
        ):
            pass
        assert len(names(tmp_path)) == 1  # that of the other
    with new_folder(tmp_path / "model") as folder:  # the other was killed
        assert names(folder) == []
    assert names(tmp_path) == ["model"]


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_new_folder__a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    # Whoever runs the tests may ignore signals, as nohup does; a child inherits that.
    code = f"import signal; signal.signal({number}, signal.SIG_DFL)\n"
    code += "from bricksight.cli._process import ending_cleanly\n"
    code += "ending = ending_cleanly(); ending.__enter__()\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    with another_process(code + IN_A_NEW_FOLDER, tmp_path) as process:
        assert names(tmp_path)
        process.send_signal(number)
        process.wait(20)
    assert names(tmp_path) == []


def test_new_folder__a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="is a link to"), new_folder(tmp_path / "model"):
        pass


def test_new_folder__a_name_that_is_too_long_is_refused_at_once(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"File name too long.*Name a shorter path"),
        new_folder(tmp_path / ("x" * 300)),
    ):
        pytest.fail("the place was not tried")
    long = tmp_path / ("é" * 127)
    with new_folder(long) as folder:
        (folder / "inside").touch()
    assert names(long) == ["inside"]


def test_new_folder__a_full_disk_is_told_at_once(tmp_path: Path) -> None:
    with (
        no_file_larger_than(1000),
        pytest.raises(OutputError, match=r"model cannot be written"),
        new_folder(tmp_path / "model"),
    ):
        pytest.fail("the place was not tried")
    assert names(tmp_path) == []


# Left behind.


def test_left_behind__the_next_that_writes_there_removes_it(tmp_path: Path) -> None:
    code = """
    from bricksight._support.filesystem.files import atomic_write
    for name in ("kept.txt", "other.txt"):
        one = atomic_write(here / name); globals()[name] = one; one.__enter__().write_text("half")
    """
    with another_process(code, tmp_path):
        with atomic_write(tmp_path / "kept.txt") as part:
            part.write_text("whole")
        assert len(names(tmp_path)) == 3  # those of a living process stay
    mine = tmp_path / ".mine.abcdefgh"
    mine.mkdir()
    (mine / "file").touch()
    run = "from bricksight._support.filesystem.places import try_file; try_file(here / 'x')"
    with another_process(run, tmp_path):
        pass
    assert names(tmp_path) == [".mine.abcdefgh", "kept.txt"]


def test_left_behind__the_cache_is_cleared_of_it(own_cache_dir: Path) -> None:
    left = cache_dir("compiled", "one") / ".features.tflite.abcdefgh"
    left.mkdir()
    (left / LOCK).touch()
    with temporary_folder(own_cache_dir / "compiled", "held") as held:
        assert remove_left_behind_in_cache() == 1
        assert held.is_dir()
    assert names(own_cache_dir / "compiled" / "one") == []


def test_claimed_folder__many_take_it_one_after_the_other(tmp_path: Path) -> None:
    count: list[int] = []

    def add() -> None:
        for _ in range(20):
            with waiting_for(tmp_path / "file"):
                before = len(count)
                time.sleep(0)
                count.append(before)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert count == list(range(80))
    assert names(tmp_path) == []


def test_claimed_folder__what_a_dead_process_has_left_in_it_is_gone(tmp_path: Path) -> None:
    left = tmp_path / ".file.claimed"
    (left / "deep").mkdir(parents=True)
    (left / LOCK).touch()
    with claimed_folder(tmp_path, "file") as folder:
        assert names(folder) == [LOCK]


@posix_only
def test_claimed_folder__is_not_taken_twice_on_a_disk_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", without_locks)
    with claimed_folder(tmp_path, "file") as folder:
        (folder / "half").touch()
        with pytest.raises(TakenError), claimed_folder(tmp_path, "file"):
            pass
        with temporary_folder(tmp_path, "other") as other:  # clears what is left behind, and waits
            assert other.is_dir()
        assert (folder / "half").exists()
    assert names(tmp_path) == []


# Trying.


@pytest.mark.parametrize("tried", [try_file, try_folder])
def test_try__leaves_nothing_and_refuses_what_cannot_be(tmp_path: Path, tried: object) -> None:
    assert callable(tried)
    tried(tmp_path / "a" / "b" / "c")
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/c cannot be created: .*file is not a folder"):
        tried(tmp_path / "file" / "c")
    with pytest.raises(OutputError, match=r"cannot be written \(File name too long\)"):
        tried(tmp_path / ("x" * 300) / "c")
    with no_file_larger_than(100), pytest.raises(OutputError, match="File too large"):
        tried(tmp_path / "c")
    assert names(tmp_path) == ["file"]


def test_try__a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file; expected a folder to write into"):
        try_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="is a folder; expected the path of a file"):
        try_file(tmp_path)


@posix_only
def test_replacing__devices_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(OutputError, match="is a device or a pipe"):
            try_file(place)
    with pytest.raises(OutputError, match="pipe"), atomic_write(tmp_path / "pipe") as part:
        part.touch()
    assert (tmp_path / "pipe").is_fifo()


# Errors.


def test_writing__the_systems_words_in_an_error_of_a_library_are_found(tmp_path: Path) -> None:
    class ResourceExhaustedError(Exception):
        pass

    place = tmp_path / "model"
    said = r"model cannot be written \(No space left on device\)\. Free disk space"
    with pytest.raises(OutputError, match=said), writing(place):
        raise ResourceExhaustedError("saving t/.x/variables; No space left on device [Op:SaveV2]")
    with pytest.raises(OutputError, match=said), writing(place):
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise ValueError("the archive cannot be closed") from error


def test_writing__where_a_library_says_nothing_the_place_is_tried(tmp_path: Path) -> None:
    with (
        no_file_larger_than(100),
        pytest.raises(OutputError, match="File too large"),
        writing(tmp_path / "model.xml"),
    ):
        raise RuntimeError("Exception from core/src: basic_ios::clear: iostream error")
    with pytest.raises(RuntimeError, match="iostream"), writing(tmp_path / "model.xml"):
        raise RuntimeError("iostream error")
    assert names(tmp_path) == []


def test_writing__other_errors_stay_what_they_are(tmp_path: Path) -> None:
    for error in (KeyError("key"), FileNotFoundError(2, "No such file", "/photos/1.jpg")):
        with pytest.raises(type(error)) as caught, writing(tmp_path / "model"):
            raise error
        assert caught.value is error


def test_replacing__the_users_name_is_told_and_not_the_temporary_one(tmp_path: Path) -> None:
    with (
        no_file_larger_than(1000),
        pytest.raises(OutputError) as caught,
        atomic_write(tmp_path / "outer") as part,
    ):
        part.mkdir()
        with atomic_write(part / "inner.txt") as inner:
            inner.write_bytes(bytes(5000))
    assert str(caught.value).startswith(f"{tmp_path / 'outer'} cannot be written (File too large)")
    assert names(tmp_path) == []


def test_in_cache__a_full_cache_is_done_without(
    own_cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache_dir("compiled")
    (own_cache_dir / "compiled" / "one").write_text("a file where a folder is wanted")

    def write(root: Path) -> Path:
        with atomic_write(root / "one" / "file") as part:
            part.write_text("content")
        return root

    def write_two(root: Path) -> Path:
        in_cache(write, "compiled")  # so that the cache is given up amid the block
        return write(root)

    root = in_cache(write_two, "compiled")
    assert not root.is_relative_to(own_cache_dir)
    assert (root / "one" / "file").read_text() == "content"
    assert len(caplog.messages) == 1


# Moving.


def test_moved__all_is_as_it_was_where_a_block_fails(tmp_path: Path) -> None:
    new, place, aside = (tmp_path / name for name in ("new", "place", "aside"))
    for folder in (new, place, aside):
        folder.mkdir()
    for file, content in (("new/a", "new"), ("new/b", "new"), ("place/a", "old"), ("place/c", "c")):
        (tmp_path / file).write_text(content)
    moves = [(new / "a", place / "a"), (None, place / "c"), (new / "b", place / "deep" / "b")]
    with pytest.raises(KeyboardInterrupt), moved(moves, aside=aside):
        assert (place / "a").read_text() == "new"
        assert names(place) == ["a", "deep"]
        raise KeyboardInterrupt
    assert names(place) == ["a", "c"]
    assert (place / "a").read_text() == "old"
    assert names(new) == ["a", "b"]
    moves.append((new / "not there", place / "d"))
    with pytest.raises(FileNotFoundError), moved(moves, aside=aside):
        pytest.fail("not all of it was moved")
    assert names(place) == ["a", "c"]
