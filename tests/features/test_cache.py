"""The feature cache: right, durable, shared, and honest about damage."""

import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from bricksight.errors import CacheError
from bricksight.features import CacheEntry, FeatureCache, list_entries, prune_entries
from bricksight.features._cache import do_without

PHOTO = "ab" * 32
OTHER = "cd" * 32


def open_cache(path: Path, *, fingerprint: str = "f1", input_key: str = "32x32") -> FeatureCache:
    return FeatureCache(
        path, fingerprint=fingerprint, input_key=input_key, reference="test", num_features=4
    )


def row(value: float) -> np.ndarray:
    return np.full(4, value, np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "features.sqlite"


def test_get__returns_what_was_put_by_photo_and_view(path: Path) -> None:
    with open_cache(path) as cache:
        cache.put(PHOTO, {"plain": row(1), "a-0": row(2)})
        cache.put(OTHER, {"plain": row(3)})
    with open_cache(path) as cache:
        found = cache.get(PHOTO, ["plain", "a-0", "a-1"])
        assert sorted(found) == ["a-0", "plain"]
        np.testing.assert_array_equal(found["a-0"], row(2))
        np.testing.assert_array_equal(cache.get(OTHER, ["plain"])["plain"], row(3))


@pytest.mark.parametrize("other", [{"fingerprint": "f2"}, {"input_key": "64x64"}])
def test_get__keeps_networks_and_inputs_apart(path: Path, other: dict[str, str]) -> None:
    with open_cache(path) as cache:
        cache.put(PHOTO, {"plain": row(1)})
    with open_cache(path, **other) as cache:
        assert cache.get(PHOTO, ["plain"]) == {}


def test_get__ignores_a_row_whose_bytes_were_changed(path: Path) -> None:
    with open_cache(path) as cache:
        cache.put(PHOTO, {"plain": row(1)})
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE features SET data = ?", (row(9).tobytes(),))
    connection.close()
    with open_cache(path) as cache:
        assert cache.get(PHOTO, ["plain"]) == {}


def test_open__a_damaged_file_is_set_aside_and_begun_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with caplog.at_level(logging.WARNING), open_cache(path) as cache:
        cache.put(PHOTO, {"plain": row(1)})
    assert "is damaged" in caplog.text
    assert "It was moved to" in caplog.text
    assert len(list(path.parent.glob("features.damaged-*"))) == 1
    with open_cache(path) as cache:
        assert list(cache.get(PHOTO, ["plain"])) == ["plain"]


def test_get__a_page_damaged_later_is_noticed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_cache(path) as cache:
        for number in range(2000):
            cache.put(f"{number:064x}", {"plain": row(number)})
    content = bytearray(path.read_bytes())
    content[4096 * 4 :] = b"\xff" * (len(content) - 4096 * 4)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING), open_cache(path) as cache:
        found = [cache.get(f"{number:064x}", ["plain"]) for number in range(2000)]
        cache.put(PHOTO, {"plain": row(5)})
    for number, features in enumerate(found):
        for values in features.values():
            np.testing.assert_array_equal(values, row(number))
    assert "is damaged" in caplog.text
    with open_cache(path) as cache:
        assert list(cache.get(PHOTO, ["plain"])) == ["plain"]


def test_put__a_full_disk_is_said_once_and_the_run_goes_on(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), open_cache(path) as cache:
        # SQLite's own limit gives the error of a full disk: SQLITE_FULL.
        (pages,) = cache._connection.execute("PRAGMA page_count").fetchone()
        cache._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        for number in range(2000):
            cache.put(f"{number:064x}", {"plain": row(number)})
    assert caplog.text.count("cannot be written") == 1
    assert "full" in caplog.text


def test_open__a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"cannot be opened .* BRICKSIGHT_CACHE_DIR"):
        open_cache(tmp_path / "missing" / "features.sqlite")


def test_extract__a_cache_that_cannot_be_opened_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "missing" / "features.sqlite"
    for _ in range(2):
        do_without(path, sqlite3.OperationalError("unable to open database file"))
    (said,) = caplog.messages
    assert said.startswith(f"The feature cache {path} cannot be written (unable to open")


WRITER = textwrap.dedent("""
    import sys
    import numpy as np
    from pathlib import Path
    from bricksight.features import FeatureCache
    path, start, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    cache = FeatureCache(
        path, fingerprint="f1", input_key="32x32", reference="test", num_features=4
    )
    for number in range(start, stop):
        cache.put(f"{number:064x}", {"plain": np.full(4, number, np.float32)})
        if number % 100 == 0:
            print(number, flush=True)
    cache.close()
""")


def start_writer(path: Path, start: int, stop: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), str(start), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_put__two_processes_share_the_file(path: Path) -> None:
    writers = [start_writer(path, 0, 1500), start_writer(path, 1000, 2500)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    with open_cache(path) as cache:
        for number in range(2500):
            np.testing.assert_array_equal(
                cache.get(f"{number:064x}", ["plain"])["plain"], row(number)
            )


def test_open__waits_for_another_process_that_opens_a_new_file(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as other:
        # SQLite's own timeout does not cover the switch to WAL while another is about to write.
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, other.rollback).start()
        with open_cache(path) as cache:
            cache.put("a" * 64, {"plain": row(1)})
    with open_cache(path) as cache:
        np.testing.assert_array_equal(cache.get("a" * 64, ["plain"])["plain"], row(1))


def test_put__killed_at_any_moment_leaves_a_file_that_can_be_read(path: Path) -> None:
    writer = start_writer(path, 0, 10**9)
    assert writer.stdout is not None
    while int(writer.stdout.readline()) < 1000:
        pass
    writer.kill()
    writer.communicate(timeout=60)
    with open_cache(path) as cache:
        found = [cache.get(f"{number:064x}", ["plain"]) for number in range(700)]
    for number, features in enumerate(found):
        np.testing.assert_array_equal(features["plain"], row(number))
    assert not list(path.parent.glob("features.damaged-*"))


def test_prune_entries__deletes_one_network_and_shrinks_the_file(path: Path) -> None:
    for fingerprint in ("f1", "f2"):
        with open_cache(path, fingerprint=fingerprint) as cache:
            for number in range(3000):
                cache.put(f"{number:064x}", {"plain": row(number)})
    entries = list_entries(path)
    assert [(entry.num_views, entry.size_bytes) for entry in entries] == [(3000, 48_000)] * 2
    freed = prune_entries(path, [entry for entry in entries if entry.fingerprint == "f1"])
    assert freed > 100_000
    assert [entry.fingerprint for entry in list_entries(path)] == ["f2"]
    with open_cache(path, fingerprint="f2") as cache:
        assert list(cache.get(f"{7:064x}", ["plain"])) == ["plain"]


def test_list_entries__of_a_file_that_is_not_there_is_empty(path: Path) -> None:
    assert list_entries(path) == []


def test_list_entries__of_a_damaged_file_is_an_error(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CacheError, match=r"is not a feature cache, or is damaged"):
        list_entries(path)


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def foreign(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


FOREIGN = {
    "another program's": ("CREATE TABLE mine (x)", "INSERT INTO mine VALUES (1)"),
    "with a log": ("PRAGMA journal_mode = WAL", "CREATE TABLE mine (x)"),
    "with our version": ("PRAGMA user_version = 1", "CREATE TABLE mine (x)"),
    "with our names": ("CREATE TABLE modules (x)", "CREATE TABLE features (y)"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_database__is_left_as_it_is(path: Path, case: str) -> None:
    foreign(path, *FOREIGN[case])
    before = state(path.parent)
    entry = CacheEntry(
        id=1, reference="", fingerprint="", input="", num_views=0, size_bytes=0, last_used=0.0
    )
    for use in (list_entries, lambda path: prune_entries(path, [entry]), open_cache):
        with pytest.raises(CacheError, match=r"is not a feature cache of this version.*unchanged"):
            use(path)
    assert state(path.parent) == before


def test_foreign_database__in_use_is_left_as_it_is(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE mine (x)")
        connection.execute("PRAGMA wal_checkpoint")
        connection.execute("CREATE TABLE later (x)")
        before = state(path.parent)
        with pytest.raises(CacheError, match=r"'mine'"):
            list_entries(path)
        assert state(path.parent) == before


@pytest.mark.parametrize("content", [b"", b"root:x:0:0:root:/root:/bin/bash\n"])
def test_list_entries__changes_no_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(CacheError):
        list_entries(path)
    assert state(path.parent) == {path.name: content}


def test_list_entries__reads_our_own_without_writing(path: Path) -> None:
    with open_cache(path) as cache:
        cache.put(PHOTO, {"plain": row(1)})
        assert [entry.num_views for entry in list_entries(path)] == [0], "not committed yet"
    before = state(path.parent)
    assert [entry.num_views for entry in list_entries(path)] == [1]
    assert state(path.parent) == before


def test_list_entries__of_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(CacheError):
            list_entries(path)


@pytest.mark.parametrize(
    ("column", "value"), [("last_used", 1e300), ("last_used", b"x"), ("reference", b"x")]
)
def test_list_entries__values_of_another_kind(path: Path, column: str, value: object) -> None:
    open_cache(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE modules SET {column} = ?", (value,))
        connection.commit()
    with pytest.raises(CacheError, match="values of another type"):
        list_entries(path)
