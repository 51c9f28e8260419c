"""Archives from the network, friendly and hostile."""

import gzip
import io
import struct
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from bricksight.backbones.downloads import archive as _archive
from bricksight.backbones.downloads.archive import download_and_unpack, unpack
from bricksight.backbones.downloads.download import DownloadError
from helpers.file_server import Answer, FileServer, serving
from helpers.small_disk import no_file_larger_than


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
    with pytest.raises(DownloadError, match=r"not a complete tar archive"):
        unpack(write(tmp_path, data), tmp_path / "out")


def test_unpack__too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, archive(member("a"), member("b")))
    monkeypatch.setattr(_archive, "_MAX_MEMBERS", 1)
    with pytest.raises(DownloadError, match=r"more than 1 files"):
        unpack(path, tmp_path / "out")


def header(name: bytes = b"a", kind: bytes = b"0", size: int = 0, real_size: int = 0) -> bytes:
    """One block as GNU tar writes it; numbers may be negative."""
    block = bytearray(512)
    number = (b"\xff\xff\xff\xff" if size < 0 else b"\x80\0\0\0") + struct.pack(">q", size)
    block[: len(name)], block[124:136], block[148:156] = name, number, b" " * 8
    block[156:157], block[257:265] = kind, b"ustar  \0"
    if kind == b"S":
        block[483:495] = (b"\xff" if real_size < 0 else b"\x80") * 4 + struct.pack(">q", real_size)
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    return header(kind=kind, size=len(records)) + records + b"\0" * (-len(records) % 512)


END = b"\0" * 1024
MALFORMED = {
    "empty": b"",
    "negative size": header(size=-512) + END,
    "negative size of a long name": header(kind=b"L", size=-512) + END,
    "size of a terabyte": header(size=2**40) + END,
    "long name of a terabyte": header(kind=b"L", size=2**40) + END,
    "pax with a negative size": pax(b"11 size=-5\n") + header() + END,
    "pax with a size in words": pax(b"12 size=abc\n") + header() + END,
    "pax with a length of 0": pax(b"0 a=b\n") + header() + END,
    "pax with a length beyond its end": pax(b"99 a=b\n") + header() + END,
    "pax of digits": pax(b"1" * 60_000) + header() + END,
    "chain of pax headers": pax(b"10 a=bcde\n") * 3000 + header() + END,
    "chain of global headers": pax(b"10 a=bcde\n", b"g") * 3000 + header() + END,
    "no end": header(),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_unpack__malformed_headers(tmp_path: Path, case: str) -> None:
    with pytest.raises(DownloadError, match=r"not a complete tar archive"):
        unpack(write(tmp_path, MALFORMED[case]), tmp_path / "out")


SPARSE = {
    "GNU": header(kind=b"S", real_size=600 << 20) + END,
    "negative, and one that it would pay for": header(b"a", b"S", real_size=-(2**40))
    + header(b"b", b"S", real_size=2**40)
    + END,
    "pax": pax(b"22 GNU.sparse.major=1\n") + header(size=512) + b"9" * 512 + END,
}


@pytest.mark.parametrize("case", SPARSE)
def test_unpack__sparse_file(tmp_path: Path, case: str) -> None:
    with pytest.raises(DownloadError, match=r"is not a regular file or folder"):
        unpack(write(tmp_path, SPARSE[case]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


BOMBS = {
    "file": [header(size=100 << 20), b"\0" * (100 << 20), END],
    "pax header": [header(kind=b"x", size=100 << 20), b"\0" * (100 << 20), header(), END],
    "after the end": [header(), END, b"\0" * (100 << 20)],
}


@pytest.mark.parametrize("case", BOMBS)
def test_unpack__bomb_takes_neither_memory_nor_disk(tmp_path: Path, case: str) -> None:
    path = write(tmp_path, gzip.compress(b"".join(BOMBS[case]), 1))
    tracemalloc.start()
    with pytest.raises(DownloadError, match=r"holds more than|65,536"):
        unpack(path, tmp_path / "out")
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    assert not (tmp_path / "out").exists()


def test_unpack__names_of_every_kind_of_header(tmp_path: Path) -> None:
    long = "/".join(["folder" * 12] * 3) + "/file"
    for style in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", format=style) as tar:
            one = member(long)
            one.size, one.mtime = 7, 1.5  # a fraction needs a pax header
            tar.addfile(one, io.BytesIO(b"content"))
        out = tmp_path / str(style)
        unpack(write(tmp_path, buffer.getvalue()), out)
        assert (out / long).read_bytes() == b"content"


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("a", "./a"), ("a", "a/b")])
def test_unpack__files_in_one_place(tmp_path: Path, names: tuple[str, str]) -> None:
    path = write(tmp_path, archive(*map(member, names)))
    with pytest.raises(DownloadError):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "has no name"), (".", "has no name"), ("d/" * 3000 + "f", "folders deep")],
)
def test_unpack__names_that_are_none(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(DownloadError, match=reason):
        unpack(write(tmp_path, archive(member(name))), tmp_path / "out")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as one:
        yield one


def missing_in(folder: Path) -> str | None:
    return None if (folder / "saved_model.pb").is_file() else "it has no saved_model.pb"


def test_download_and_unpack__damaged_archive_is_not_kept(
    server: FileServer, tmp_path: Path
) -> None:
    server.answers["/m"] = [Answer(b"<html></html>"), Answer(archive(member("saved_model.pb")))]
    with pytest.raises(DownloadError, match=r"not a complete tar archive"):
        download_and_unpack(f"{server.url}/m", tmp_path / "m", missing_in=missing_in)
    assert not (tmp_path / "m").exists()
    download_and_unpack(f"{server.url}/m", tmp_path / "m", missing_in=missing_in)
    assert (tmp_path / "m" / "saved_model.pb").read_bytes() == b"content"
    assert {path.name for path in tmp_path.iterdir()} == {"m", ".m.lock", ".m.tar.lock"}


def test_download_and_unpack__incomplete_archive_is_not_kept(
    server: FileServer, tmp_path: Path
) -> None:
    server.answers["/m"] = [Answer(archive(member("readme.txt")))]
    with pytest.raises(
        DownloadError, match=r"the downloaded archive is incomplete: it has no saved_model\.pb"
    ):
        download_and_unpack(f"{server.url}/m", tmp_path / "m", missing_in=missing_in)
    assert not (tmp_path / "m").exists()


def test_download_and_unpack__folder_that_is_not_whole_is_replaced(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "half").write_bytes(b"")
    server.answers["/m"] = [Answer(status=404), Answer(archive(member("saved_model.pb")))]
    with pytest.raises(DownloadError, match=r"404"):
        download_and_unpack(f"{server.url}/m", tmp_path / "m", missing_in=missing_in)
    assert (tmp_path / "m" / "half").exists(), "kept until something better is there"
    download_and_unpack(f"{server.url}/m", tmp_path / "m", missing_in=missing_in)
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"saved_model.pb"}


def test_download_and_unpack__folder_that_cannot_be_written(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"cannot be written"):
        download_and_unpack(f"{server.url}/m", tmp_path / "file" / "m", missing_in=missing_in)


def test_download_and_unpack__a_full_disk_is_told_once(server: FileServer, tmp_path: Path) -> None:
    packed, one = io.BytesIO(), member("saved_model.pb")
    one.size = 100_000
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(one, io.BytesIO(bytes(one.size)))
    server.answers["/m"] = [Answer(packed.getvalue())]
    with no_file_larger_than(50_000), pytest.raises(DownloadError) as caught:
        download_and_unpack(f"{server.url}/m", tmp_path / "m", missing_in=missing_in)
    assert str(caught.value) == f"{tmp_path / 'm'} cannot be written (File too large)"
