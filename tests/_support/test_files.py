"""Files that are whole or absent, the cache folder, and native code kept off the terminal."""

import subprocess
import sys
import textwrap
from pathlib import Path

import platformdirs
import pytest

from bricksight._support.filesystem.files import atomic_write, cache_dir, sha256_of
from bricksight._support.filesystem.native_path import native_path
from bricksight.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_replacing__the_new_file_takes_the_old_ones_place(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    for content in ("old", "new"):
        with atomic_write(path) as part:
            part.write_text(content)
            assert part.suffix == path.suffix
            if content == "new":
                assert path.read_text() == "old"
        assert path.read_text() == content
    assert names(path.parent) == ["file.txt"]


def test_replacing__a_folder_appears_at_once(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with atomic_write(path) as part:
        part.mkdir()
        (part / "inside.txt").write_text("here")
        assert not path.exists()
    assert (path / "inside.txt").read_text() == "here"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", ["file", "folder", "nothing yet"])
def test_replacing__a_block_that_fails_leaves_the_old_and_nothing_else(
    tmp_path: Path, kind: str, error: type[BaseException]
) -> None:
    path = tmp_path / "target"
    path.write_text("old")
    with pytest.raises(error, match="midway"), atomic_write(path) as part:
        if kind == "folder":
            part.mkdir()
            (part / "half").write_text("half")
        elif kind == "file":
            part.write_text("half")
        raise error("midway")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["target"]


def test_replacing__a_folder_that_is_not_empty_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "kept").write_text("kept")
    with pytest.raises(OutputError, match=r"folder cannot be written"), atomic_write(path) as part:
        part.mkdir()
    assert (path / "kept").read_text() == "kept"
    assert names(tmp_path) == ["folder"]


def test_sha256_of__is_that_of_the_standard(tmp_path: Path) -> None:
    """The example "abc" of FIPS 180-2, appendix B.1."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_cache_dir__is_where_the_variable_says(own_cache_dir: Path) -> None:
    assert not own_cache_dir.exists()
    assert cache_dir("compiled", "one") == own_cache_dir / "compiled" / "one"
    assert (own_cache_dir / "compiled" / "one").is_dir()


def test_cache_dir__a_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", "~/kept")
    assert cache_dir() == tmp_path / "kept"


def test_cache_dir__is_the_users_own_without_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRICKSIGHT_CACHE_DIR")
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert cache_dir() == Path(platformdirs.user_cache_dir("bricksight"))


def test_cache_dir__one_that_cannot_be_written_is_done_without_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(tmp_path / "file" / "below"))
    folders = {
        cache_dir("compiled"),
        cache_dir("compiled"),
        cache_dir("modules").parent / "compiled",
    }
    (folder,) = folders
    (folder / "kept").write_text("for this process")
    (said,) = caplog.messages
    assert said.startswith(f"The cache folder {tmp_path / 'file' / 'below'} cannot be written")
    assert "BRICKSIGHT_CACHE_DIR" in said


def stderr_of(code: str) -> str:
    """What a fresh interpreter writes to its stderr while it runs ``code``."""
    header = "import os\nfrom bricksight._support.native_log import without_native_notices\n"
    run = subprocess.run(
        [sys.executable, "-c", header + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stderr


def test_without_native_notices__notices_go_and_other_lines_stay() -> None:
    written = stderr_of(
        r"""
        with without_native_notices():
            os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
            os.write(2, b"I0000 00:00:1700000000.000000 7 cpu_utils.cc:1] rebuild\n")
            os.write(2, b"W0000 00:00:1700000000.000000 7 cuda.cc:1] no cuda\n")
            os.write(2, b"2026-01-01 00:00:00.000000: I external/a.cc:1] oneDNN\n")
            os.write(2, b"2026-01-01 00:00:00.000000: W external/a.cc:1] no GPU\n")
            os.write(2, b"WARNING: All log messages before absl::InitializeLog() ...\n")
            os.write(2, b"E0000 00:00:1700000000.000000 7 file.cc:1] disk is full\n")
            os.write(2, b"2026-01-01 00:00:00.000000: E external/a.cc:1] out of memory\n")
            os.write(2, b"free(): invalid pointer\n")
        os.write(2, b"INFO: outside the block\n")
        """
    )
    assert written.splitlines() == [
        "E0000 00:00:1700000000.000000 7 file.cc:1] disk is full",
        "2026-01-01 00:00:00.000000: E external/a.cc:1] out of memory",
        "free(): invalid pointer",
        "INFO: outside the block",
    ]


def test_without_native_notices__what_a_failing_block_wrote_is_kept() -> None:
    written = stderr_of(
        r"""
        try:
            with without_native_notices():
                os.write(2, b"the reason\n")
                raise RuntimeError
        except RuntimeError:
            os.write(2, b"after it\n")
        """
    )
    assert written == "the reason\nafter it\n"


def test_without_native_notices__blocks_of_several_threads_may_overlap() -> None:
    written = stderr_of(
        r"""
        import threading

        first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

        def first():
            with without_native_notices():
                first_is_in.set()
                second_is_in.wait(10)
            first_is_out.set()

        def second():
            first_is_in.wait(10)
            with without_native_notices():
                second_is_in.set()
                first_is_out.wait(10)
                os.write(2, b"INFO: dropped: one block is still open\n")
                os.write(2, b"kept\n")

        threads = [threading.Thread(target=one) for one in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        os.write(2, b"INFO: both are closed\n")
        """
    )
    assert written.splitlines() == ["kept", "INFO: both are closed"]


def test_without_native_notices__a_process_that_ends_inside_a_block_is_not_silent() -> None:
    """A command that fails while TensorFlow still loads must not end without a word."""
    written = stderr_of(
        r"""
        import sys, threading, time

        inside = threading.Event()

        def load():
            with without_native_notices():
                inside.set()
                time.sleep(30)

        threading.Thread(target=load, daemon=True).start()
        inside.wait(10)
        print("what went wrong", file=sys.stderr)
        """
    )
    assert written == "what went wrong\n"


# Paths for native code.

AWKWARD = ["a[1]", "a*", "a?", "a\\b", "a\udce9"]


def test_native_path__a_plain_path_stays(tmp_path: Path) -> None:
    with native_path(tmp_path) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize("name", AWKWARD, ids=ascii)
def test_native_path__any_other_folder_has_another_name_for_the_time(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name / "deep").mkdir(parents=True)
    (tmp_path / name / "deep" / "file.txt").write_text("content")
    with native_path(tmp_path / name) as folder:
        assert not set(str(folder)) & set("[]*?\\\udce9")
        assert (folder / "deep" / "file.txt").read_text() == "content"
    assert not folder.exists()
    assert (tmp_path / name / "deep" / "file.txt").exists()


@pytest.mark.parametrize("name", AWKWARD, ids=ascii)
def test_native_path__what_belongs_to_a_file_comes_with_it(tmp_path: Path, name: str) -> None:
    for suffix in (".xml", ".bin"):
        (tmp_path / f"{name}{suffix}").write_text(suffix)
    with native_path(tmp_path / f"{name}.xml") as path:
        assert path.read_text() == ".xml"
        assert path.with_suffix(".bin").read_text() == ".bin"


@pytest.mark.parametrize("name", AWKWARD, ids=ascii)
def test_native_path__what_is_written_comes_where_it_belongs(tmp_path: Path, name: str) -> None:
    with native_path(tmp_path / f"{name}.xml") as path:
        path.write_text("new")
        path.with_suffix(".bin").write_text("new too")
    (tmp_path / name).mkdir()
    with native_path(tmp_path / name) as folder:
        (folder / "inside").write_text("there")
    assert names(tmp_path) == sorted([name, f"{name}.bin", f"{name}.xml"])
    assert names(tmp_path / name) == ["inside"]
