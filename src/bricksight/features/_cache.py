"""The feature cache: features on disk, by the content of the photo and not by its name.

It is one SQLite file in WAL mode (https://www.sqlite.org/wal.html): readers never wait, two runs
may write at the same time, and a process that is killed leaves the last committed state. Each row
has a checksum, so that damage is noticed instead of trained on.
"""

import contextlib
import functools
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bricksight._support.filesystem.files import cache_dir, cache_root, give_up_cache
from bricksight._support.text import encodable
from bricksight.config import AnyPath, input_path
from bricksight.errors import CacheError
from bricksight.features._cache_file import reading, refuse_foreign

_LOGGER = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS modules (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    input TEXT NOT NULL,
    reference TEXT NOT NULL,
    num_features INTEGER NOT NULL,
    last_used REAL NOT NULL,
    UNIQUE (fingerprint, input)
);
CREATE TABLE IF NOT EXISTS features (
    module_id INTEGER NOT NULL REFERENCES modules (id) ON DELETE CASCADE,
    photo BLOB NOT NULL,
    view TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (module_id, photo, view)
);
"""
_ROWS_PER_COMMIT = 256
_LOCK_TIMEOUT_SECONDS = 60
_LOCK_PAUSE_SECONDS = 0.02

CACHE_FILE = "features.sqlite"


def default_cache_path() -> Path:
    """Return the file of the feature cache, or a temporary file where that cannot be written.

    Raises:
        CacheError: no temporary file can be written either.
    """
    return cache_dir() / CACHE_FILE


def kept_cache_path() -> Path:
    """Return the file of the feature cache, whether it exists or not."""
    return cache_root() / CACHE_FILE


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """The cached features of one backbone and one preprocessing."""

    id: int
    reference: str
    fingerprint: str
    input: str
    num_views: int
    size_bytes: int
    last_used: float
    """Seconds since 1970."""


class FeatureCache:
    """Features of one backbone and one preprocessing, in the file that all runs share.

    A damaged cache is moved aside, and a new one is made. Where the cache cannot be written, as on
    a full disk or in a read-only folder, the run goes on without it. Both give one warning.

    It is not thread-safe: one thread looks up and stores what others compute.
    """

    def __init__(
        self, path: Path, *, fingerprint: str, input_key: str, reference: str, num_features: int
    ) -> None:
        self._path = path
        self._num_features = num_features
        self._pending = 0
        self._writable = True
        self._row = (fingerprint, input_key, encodable(reference), num_features)
        self._connection = self._open_or_rebuild()

    def _open_or_rebuild(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.OperationalError as error:
            raise self._not_opened(error) from error
        except sqlite3.DatabaseError as error:
            return self._rebuilt(error)

    def _rebuilt(self, error: Exception) -> sqlite3.Connection:
        self._set_aside(error)
        try:
            return self._open()
        except sqlite3.OperationalError as still:
            raise self._not_opened(still) from still

    def _not_opened(self, error: Exception) -> CacheError:
        return CacheError(
            f"The feature cache {self._path} cannot be opened ({error}). Set "
            "BRICKSIGHT_CACHE_DIR to a folder that can be written to."
        )

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self._path)
        try:
            self._module_id = self._register(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _register(self, connection: sqlite3.Connection) -> int:
        with connection:
            connection.execute(
                "INSERT INTO modules (fingerprint, input, reference, num_features, last_used) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (fingerprint, input) "
                "DO UPDATE SET last_used = excluded.last_used",
                (*self._row, time.time()),
            )
        (module_id,) = connection.execute(
            "SELECT id FROM modules WHERE fingerprint = ? AND input = ?", self._row[:2]
        ).fetchone()
        return int(module_id)

    def _set_aside(self, error: Exception) -> None:
        aside = self._path.with_suffix(f".damaged-{time.time_ns()}")
        try:
            for suffix in ("-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            self._path.replace(aside)
        except OSError as rejected:
            raise self._not_opened(rejected) from error
        _LOGGER.warning(
            "The feature cache %s is damaged (%s). It was moved to %s; the features "
            "are computed again.",
            self._path,
            error,
            aside.name,
        )

    def get(self, photo: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the cached features by key, float32 (num_features,) each.

        Args:
            photo: SHA-256 of the file, hexadecimal.
            keys: keys of copies; see ``AugmentedCopies``. Those without features are left out.
        """
        try:
            rows = self._connection.execute(
                "SELECT view, checksum, data FROM features WHERE module_id = ? AND photo = ?",
                (self._module_id, bytes.fromhex(photo)),
            ).fetchall()
        except sqlite3.OperationalError as error:  # such as a disk that has failed
            self._give_up(error)
            return {}
        except sqlite3.DatabaseError as error:
            self._connection.close()
            self._connection = self._rebuilt(error)
            return {}
        wanted = set(keys)
        return {
            key: np.frombuffer(data, np.float32)
            for key, checksum, data in rows
            if key in wanted
            and len(data) == 4 * self._num_features
            and zlib.crc32(data) == checksum
        }

    def put(self, photo: str, features: Mapping[str, np.ndarray]) -> None:
        """Store the features of one photo by key, float32 (num_features,) each."""
        if not self._writable:
            return
        rows = []
        for key, values in features.items():
            data = np.ascontiguousarray(values, np.float32).tobytes()
            rows.append((self._module_id, bytes.fromhex(photo), key, zlib.crc32(data), data))
        with self._giving_up_when_full():
            self._connection.executemany(
                "INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?, ?)", rows
            )
            self._pending += len(rows)
            if self._pending >= _ROWS_PER_COMMIT:
                self._commit()

    @contextlib.contextmanager
    def _giving_up_when_full(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._writable = False
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()
        do_without(self._path, error)

    def _commit(self) -> None:
        self._connection.commit()
        self._pending = 0

    def close(self) -> None:
        """Commit pending rows and close the file."""
        if self._writable:
            with self._giving_up_when_full():
                self._commit()
        self._connection.close()

    def __enter__(self) -> "FeatureCache":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def do_without(path: Path, error: Exception) -> None:
    """Warn, once per process and file, that a run goes on without its feature cache."""
    if path.parent in (cache_root(), cache_dir()):
        give_up_cache(error)
    else:
        _warn(path, str(error))


@functools.lru_cache(maxsize=64)  # the same warning once
def _warn(path: Path, reason: str) -> None:
    _LOGGER.warning(
        "The feature cache %s cannot be written (%s). This run goes on without it. Free disk "
        "space, or use another folder.",
        path,
        reason,
    )


_ENTRIES = """
SELECT m.id, m.reference, m.fingerprint, m.input, COUNT(f.view),
    COALESCE(SUM(LENGTH(f.data)), 0), m.last_used
FROM modules m LEFT JOIN features f ON f.module_id = m.id
GROUP BY m.id ORDER BY m.last_used DESC
"""
_LAST_YEAR_SECONDS = 253_370_764_800  # 9999, beyond which there are no dates


def _is_entry(row: tuple[object, ...]) -> bool:
    *words, _num_views, _size_bytes, last_used = row[1:]
    is_time = isinstance(last_used, float) and 0 <= last_used < _LAST_YEAR_SECONDS
    return is_time and all(isinstance(word, str) for word in words)


def list_entries(path: AnyPath) -> list[CacheEntry]:
    """Return the entries of a cache file, the most recently used first; none if it does not exist.

    Nothing is written, not even SQLite's own auxiliary files.

    Raises:
        CacheError: the file is not a feature cache, or is damaged.
    """
    file = input_path(path, "--path")
    with reading(file, _SCHEMA) as connection:
        rows = [] if connection is None else connection.execute(_ENTRIES).fetchall()
    if not all(map(_is_entry, rows)):
        raise CacheError(
            f"The feature cache {file} is damaged (it has values of another type). Delete it; the "
            "next run makes a new one."
        )
    names = ("id", "reference", "fingerprint", "input", "num_views", "size_bytes", "last_used")
    return [CacheEntry(**dict(zip(names, row, strict=True))) for row in rows]


def prune_entries(path: Path, entries: Sequence[CacheEntry]) -> int:
    """Delete ``entries`` from the cache file, and return the number of bytes that are freed.

    Raises:
        CacheError: the file is not a feature cache, is damaged, or is in use.
    """
    if not entries:
        return 0
    before = path.stat().st_size
    with _reading(path) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with connection:
            connection.executemany(
                "DELETE FROM modules WHERE id = ?", [(entry.id,) for entry in entries]
            )
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before - path.stat().st_size


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(_connect(path)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        raise CacheError(f"The feature cache {path} cannot be used now ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise CacheError(
            f"The feature cache {path} is damaged ({error}). Delete it; the next run makes a "
            "new one."
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    refuse_foreign(path, _SCHEMA)
    connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_SECONDS)
    try:
        _write_ahead(connection)
        # Survives the end of the process; a power failure may lose the last commits only.
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(
                f"its layout is {version}, this version reads {_SCHEMA_VERSION}"
            )
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log, and wait for another process that does the same.

    SQLite needs exclusive access here and does not wait for it, whatever the timeout
    (https://sqlite.org/c3ref/busy_handler.html: the handler is not called in every case).
    """
    give_up = time.monotonic() + _LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return
