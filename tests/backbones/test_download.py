"""Files over HTTP, against a real server on this machine."""

import base64
import gzip
import hashlib
import itertools
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bricksight.backbones.downloads import download as _download
from bricksight.backbones.downloads.download import DownloadError, download
from helpers.file_server import Answer, FileServer, serving

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


def test_download__checksum_of_a_file_on_disk(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"cut short")
    server.answers["/f"] = [Answer(b"again"), Answer(FILE)]

    def is_whole(path: Path) -> bool:
        return path.exists() and path.stat().st_size == len(FILE)

    with pytest.raises(DownloadError, match=r"incomplete or of another type"):
        download(f"{server.url}/f", tmp_path / "f", is_whole=is_whole)
    assert (tmp_path / "f").read_bytes() == b"cut short"
    download(f"{server.url}/f", tmp_path / "f", is_whole=is_whole)
    assert (tmp_path / "f").read_bytes() == FILE


LONG_NUMBER = b"HTTP/1.1 200 OK\r\nContent-Length: 1%s\r\n\r\nx" % (b"0" * 5000)
RANGE = {"Content-Range": "bytes 5-10/20"}
NO_FILE = {
    "part that was not asked for": (Answer(b"abcdef", status=206, headers=RANGE), "answers 206"),
    "part without a range": (Answer(b"abcdef", status=206), "answers 206 with the range ''"),
    "no content": (Answer(status=204), "answers 204"),
    "redirection to nowhere": (Answer(b"moved", status=302), "answers 302"),
    "empty file": (Answer(b""), "is empty"),
    "too large": (
        Answer(b"", claimed_length=1 << 40),
        "1,099,511,627,776 bytes; the limit is 4,294,967,296",
    ),
    "too large for a number": (
        Answer(raw=lambda: iter([LONG_NUMBER])),
        "incomplete or of another type",
    ),
    "loop": (Answer(status=302, headers={"Location": "/f"}), "redirects more than 10 times"),
    "to a file": (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "from http to"),
    "to a wrong address": (Answer(status=302, headers={"Location": "http://[::1"}), "Invalid"),
}


@pytest.mark.parametrize("case", NO_FILE)
def test_download__answer_that_is_no_file(server: FileServer, tmp_path: Path, case: str) -> None:
    answer, expected = NO_FILE[case]
    server.answers["/f"] = [answer]
    with pytest.raises(DownloadError) as caught:
        download(f"{server.url}/f", tmp_path / "f", is_whole=lambda path: False)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 500
    assert leftovers(tmp_path) <= {"f.part.etag"}


@pytest.mark.parametrize("stated", ["bytes 0-9/1024000", "bytes 300001-1023999/1024000", "junk"])
def test_download__wrong_rest_is_not_appended(
    server: FileServer, tmp_path: Path, stated: str
) -> None:
    server.answers["/f"] = [
        Answer(FILE, headers=ETAG, cut_after=300_000),
        Answer(b"x" * 10, status=206, headers={"Content-Range": stated}),
        Answer(FILE, headers=ETAG),
    ]
    with pytest.raises(DownloadError, match=r"expected the bytes from 300,000 on"):
        download(f"{server.url}/f", tmp_path / "f")
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE


def chunked(piece: bytes, pause: float = 0.0) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
        time.sleep(pause)


def headers_without_end() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    while True:
        yield b"x"
        time.sleep(0.05)


def redirection_without_end() -> Iterator[bytes]:
    yield b"HTTP/1.1 302 Found\r\nLocation: /g\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield from itertools.islice(chunked(b"x" * 65536), 1, None)


def test_download__body_without_end(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_MAX_UNANNOUNCED_BYTES", 1 << 20)
    server.answers["/f"] = [Answer(raw=lambda: chunked(b"x" * 65536))]
    with pytest.raises(DownloadError, match=r"sends more than 1,048,576 bytes"):
        download(f"{server.url}/f", tmp_path / "f")
    assert leftovers(tmp_path) == set(), "the disk gets its bytes back"


def test_download__redirection_whose_body_has_no_end(server: FileServer, tmp_path: Path) -> None:
    server.answers["/f"] = [Answer(raw=redirection_without_end)]
    server.answers["/g"] = [Answer(FILE)]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE


def test_download__a_few_bytes_a_second(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_WINDOW_SECONDS", 0.3)
    server.answers["/f"] = [Answer(raw=lambda: chunked(b"x", 0.02))]
    with pytest.raises(DownloadError, match=r"less than 4,096 per second"):
        download(f"{server.url}/f", tmp_path / "f")


def test_download__headers_without_end(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_ANSWER_SECONDS", 0.3)
    server.answers["/f"] = [Answer(raw=headers_without_end)]
    with pytest.raises(DownloadError, match=r"has not answered within 0\.3 seconds"):
        download(f"{server.url}/f", tmp_path / "f")


def test_download__connection_that_breaks_after_each_byte(
    server: FileServer, tmp_path: Path
) -> None:
    server.answers["/f"] = [Answer(FILE, headers=ETAG, cut_after=1)]
    with pytest.raises(DownloadError, match=r"after 4 attempts"):
        download(f"{server.url}/f", tmp_path / "f")
    assert len(server.requests) == 4


def test_download__takes_too_long(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_LONGEST_SECONDS", 0)
    server.answers["/f"] = [Answer(FILE, headers=ETAG)]
    with pytest.raises(DownloadError, match=r"run the command again to resume"):
        download(f"{server.url}/f", tmp_path / "f")
    monkeypatch.undo()
    download(f"{server.url}/f", tmp_path / "f")
    assert server.requests[1][1]["Range"].startswith("bytes=")
    assert (tmp_path / "f").read_bytes() == FILE


def test_download__no_room(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_MAX_BYTES", 1 << 62)
    server.answers["/f"] = [Answer(b"", claimed_length=1 << 48)]
    with pytest.raises(DownloadError, match=r"has only [0-9,]+ free$"):
        download(f"{server.url}/f", tmp_path / "f")


def test_download__encoding_that_was_not_asked_for_is_not_decoded(
    server: FileServer, tmp_path: Path
) -> None:
    packed = gzip.compress(bytes(10_000_000))
    server.answers["/f"] = [Answer(packed, headers={"Content-Encoding": "gzip"})]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == packed


@pytest.mark.parametrize("validator", [b"\xff\xfe", b"one\r\nX-Evil: 1", b""])
def test_download__beginning_of_who_knows_what(
    server: FileServer, tmp_path: Path, validator: bytes
) -> None:
    (tmp_path / "f.part").write_bytes(b"who knows")
    (tmp_path / "f.part.etag").write_bytes(validator)
    server.answers["/f"] = [Answer(FILE)]
    download(f"{server.url}/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == FILE
    assert "Range" not in server.requests[0][1]


def test_download__addresses_are_shown_without_secrets(server: FileServer, tmp_path: Path) -> None:
    location = "ftp://me:secret@elsewhere/f?signature=secret"
    server.answers["/f"] = [Answer(status=302, headers={"Location": location})]
    with pytest.raises(DownloadError, match=r"from http to ftp://elsewhere/f, which") as caught:
        download(f"{server.url}/f", tmp_path / "f")
    assert "secret" not in str(caught.value)


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
