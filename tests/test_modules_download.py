"""Files over HTTP, against a real server on this machine."""

import base64
import hashlib
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bricksight.modules import _download
from bricksight.modules._download import DownloadError, download
from file_server import Answer, FileServer, serving

FILE = bytes(range(256)) * 4000
ETAG = {"ETag": '"one"'}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as one:
        yield one


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the one thing that is not real here."""
    monkeypatch.setattr(_download, "_PAUSE_SECONDS", 0.001)


def leftovers(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_download__whole_file(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [Answer(FILE)]
    told: list[tuple[int, int | None]] = []
    download(f"{server.url}/f", tmp_path / "f", progress=lambda *args: told.append(args))
    assert (tmp_path / "f").read_bytes() == FILE
    assert leftovers(tmp_path) == {"f"}
    assert told[-1] == (len(FILE), len(FILE))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_download__file_that_is_there_is_not_fetched(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"mine")
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"mine"
    assert server.requests == []


def test_download__follows_redirections(server: FileServer, tmp_path: Path) -> None:
    server.answers["/old"] = [Answer(status=302, headers={"Location": f"{server.url}/new"})]
    server.answers["/new"] = [Answer(FILE)]
    download(f"{server.url}/old", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE


def test_download__resumes_a_broken_connection(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [
        Answer(FILE, headers=ETAG, cut_after=300_000),
        Answer(FILE, headers=ETAG, cut_after=200_000),
        Answer(FILE, headers=ETAG),
    ]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE
    ranges = [headers.get("Range") for _, headers in server.requests]
    assert ranges[0] is None
    assert ranges[1:] == ["bytes=300000-", "bytes=500000-"]
    assert server.requests[1][1]["If-Range"] == ETAG["ETag"]


def test_download__resumes_in_a_later_run(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [
        Answer(FILE, headers=ETAG, cut_after=300_000),
        Answer(status=503),
    ]
    with pytest.raises(DownloadError, match=r"503"):
        download(f"{server.url}/f", tmp_path / "f")
    assert not (tmp_path / "f").exists()
    server.requests.clear()
    server.answers["/f"] = [Answer(FILE, headers=ETAG)]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE
    assert server.requests[0][1]["Range"] == "bytes=300000-"
    assert leftovers(tmp_path) == {"f"}


def test_download__begins_anew_where_the_file_changed(server: FileServer, tmp_path: Path) -> None:
    # A server that honours If-Range sends the new file whole.
    server.answers["/f"] = [
        Answer(FILE, headers=ETAG, cut_after=300_000),
        Answer(FILE[::-1], headers={"ETag": '"two"'}, ranges=False),
    ]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE[::-1]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_download__begins_anew_where_nothing_says_it_is_the_same(
    server: FileServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    server.answers["/f"] = [Answer(FILE, headers=headers, cut_after=300_000), Answer(FILE)]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE
    assert all("Range" not in headers for _, headers in server.requests)


def test_download__server_without_ranges(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [
        Answer(FILE, headers=ETAG, cut_after=300_000, ranges=False),
        Answer(FILE, headers=ETAG, ranges=False),
    ]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE


def test_download__range_beyond_the_end_begins_anew(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(FILE + b"more")
    (tmp_path / "f.part.etag").write_text('"one"')
    server.answers["/f"] = [Answer(status=416), Answer(FILE, headers=ETAG)]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE


@pytest.mark.parametrize("claimed", [len(FILE) + 1000])
def test_download__server_that_lies_about_the_length(
    server: FileServer, tmp_path: Path, claimed: int
) -> None:
    server.answers["/f"] = [Answer(FILE, claimed_length=claimed)]
    with pytest.raises(DownloadError, match=r"after 4 attempts"):
        download(f"{server.url}/f", tmp_path / "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (403, 1), (500, 4), (429, 4)])
def test_download__error_of_the_server(
    server: FileServer, tmp_path: Path, status: int, attempts: int
) -> None:
    server.answers["/f"] = [Answer(b"sorry", status=status)]
    with pytest.raises(DownloadError, match=f"the server answers {status} "):
        download(f"{server.url}/f", tmp_path / "f")
    assert len(server.requests) == attempts
    assert not (tmp_path / "f").exists()


def test_download__no_connection(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/f"
        with pytest.raises(DownloadError, match=r"no connection \(Connection refused\)"):
            download(url, tmp_path / "f")


def test_download__checksum_that_is_known(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [Answer(FILE, headers=ETAG)]
    download(f"{server.url}/f", tmp_path / "f", md5=hashlib.md5(FILE).hexdigest())
    with pytest.raises(DownloadError, match=r"MD5 checksum .* expected 0000"):
        download(f"{server.url}/f", tmp_path / "g", md5="0" * 32)
    assert leftovers(tmp_path) == {"f"}


def test_download__checksum_that_the_server_states(server: FileServer, tmp_path: Path) -> None:
    stated = base64.b64encode(hashlib.md5(b"another file").digest()).decode()
    server.answers["/f"] = [Answer(FILE, headers={"X-Goog-Hash": f"crc32c=AAAAAA==,md5={stated}"})]
    with pytest.raises(DownloadError, match=r"MD5 checksum"):
        download(f"{server.url}/f", tmp_path / "f")


def test_download__sends_credentials_to_the_first_server_only(
    server: FileServer, tmp_path: Path
) -> None:
    with serving() as other:
        server.answers["/f"] = [Answer(status=302, headers={"Location": f"{other.url}/g"})]
        other.answers["/g"] = [Answer(FILE)]
        download(f"{server.url}/f", tmp_path / "f", auth=("user", "key"))
        assert "Authorization" in server.requests[0][1]
        assert "Authorization" not in other.requests[0][1]


def test_download__threads_fetch_a_file_once(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [Answer(FILE)]
    target = tmp_path / "f"
    threads = [
        threading.Thread(target=download, args=(f"{server.url}/f", target)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == FILE
    assert len(server.requests) == 1


def test_download__processes_fetch_a_file_once(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [Answer(FILE)]
    target = tmp_path / "f"
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=download, args=(f"{server.url}/f", target)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert target.read_bytes() == FILE
    assert len(server.requests) == 1


def test_download__folder_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"cannot be written"):
        download(f"{server.url}/f", tmp_path / "file" / "f")
