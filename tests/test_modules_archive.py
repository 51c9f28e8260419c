"""Archives from the network, friendly and hostile."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bricksight.modules import _archive
from bricksight.modules._archive import download_and_unpack, unpack
from bricksight.modules._download import DownloadError
from file_server import Answer, FileServer, serving


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type = kind
    one.linkname = link
    one.mode = 0o4777
    return one


def archive(*members: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for one in members:
            data = b"content" if one.isreg() else b""
            one.size = len(data)
            tar.addfile(one, io.BytesIO(data))
    return buffer.getvalue()


def write(folder: Path, data: bytes) -> Path:
    path = folder / "archive.tar"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_unpack__files_and_folders(tmp_path: Path, mode: str) -> None:
    data = archive(
        member("./", tarfile.DIRTYPE),
        member("./saved_model.pb"),
        member("./variables", tarfile.DIRTYPE),
        member("./variables/variables.index"),
        member("assets/no_folder_of_its_own.txt"),
        mode=mode,
    )
    unpack(write(tmp_path, data), tmp_path / "out")
    files = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert files == {
        "saved_model.pb",
        "variables/variables.index",
        "assets/no_folder_of_its_own.txt",
    }
    path = tmp_path / "out" / "saved_model.pb"
    assert path.read_bytes() == b"content"
    assert not path.stat().st_mode & 0o4111, "set-user-id and execute bits are not taken over"


HOSTILE = {
    "parent": [member("../outside")],
    "hidden parent": [member("a/../../outside")],
    "absolute": [member("/tmp/bricksight-outside")],
    "drive": [member("C:/outside")],
    "backslash": [member("..\\outside")],
    "symlink": [member("link", tarfile.SYMTYPE, "/etc"), member("link/outside")],
    "inner symlink": [member("link", tarfile.SYMTYPE, "..")],
    "hard link": [member("link", tarfile.LNKTYPE, "../archive.tar")],
    "device": [member("zero", tarfile.CHRTYPE)],
    "pipe": [member("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_unpack__hostile_archive_writes_nothing(tmp_path: Path, case: str) -> None:
    path = write(tmp_path, archive(member("first.txt"), *HOSTILE[case]))
    with pytest.raises(DownloadError, match=r"the archive has the member .*not unpacked"):
        unpack(path, tmp_path / "deep" / "out")
    written = [p for p in tmp_path.rglob("*") if p.is_file() or p.is_symlink()]
    assert written == [path]
    assert not Path("/tmp/bricksight-outside").exists()


def test_unpack__two_members_of_one_name(tmp_path: Path) -> None:
    path = write(tmp_path, archive(member("a"), member("a")))
    with pytest.raises(DownloadError, match=r"cannot be unpacked .*File exists"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(
    "data",
    [
        b"<html>Sign in to continue</html>",
        b"",
        archive(member("saved_model.pb"), member("more"))[:-30],
        gzip.compress(b"\0" * 100 + b"not a tar"),
        archive(member("saved_model.pb"))[:60] + b"\xff" * 40,
    ],
    ids=["page", "empty", "cut off", "no tar", "corrupt"],
)
def test_unpack__damaged_archive(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DownloadError, match=r"no whole tar archive"):
        unpack(write(tmp_path, data), tmp_path / "out")


def test_unpack__too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, archive(member("a"), member("b")))
    monkeypatch.setattr(_archive, "_MAX_MEMBERS", 1)
    with pytest.raises(DownloadError, match=r"more than 8 GiB or 1 files"):
        unpack(path, tmp_path / "out")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as one:
        yield one


def test_download_and_unpack__damaged_archive_is_not_kept(
    server: FileServer, tmp_path: Path
) -> None:
    server.answers["/m"] = [Answer(b"<html></html>"), Answer(archive(member("saved_model.pb")))]
    with pytest.raises(DownloadError, match=r"no whole tar archive"):
        download_and_unpack(f"{server.url}/m", tmp_path / "m")
    assert not (tmp_path / "m").exists()
    download_and_unpack(f"{server.url}/m", tmp_path / "m")
    assert (tmp_path / "m" / "saved_model.pb").read_bytes() == b"content"
    assert {path.name for path in tmp_path.iterdir()} == {"m", ".m.lock", ".m.tar.lock"}


def test_download_and_unpack__folder_that_cannot_be_written(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"cannot be written"):
        download_and_unpack(f"{server.url}/m", tmp_path / "file" / "m")
