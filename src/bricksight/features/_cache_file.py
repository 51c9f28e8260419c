"""Tell feature caches from other SQLite files, which are not changed by a single byte.

SQLite changes a file before a row is written: its journal mode, missing tables, the files -wal and
-shm beside it. So a file is first opened in a way that takes no lock and makes no file
(https://sqlite.org/uri.html: immutable).
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bricksight._support.text import some
from bricksight.errors import CacheError

_TIMEOUT_SECONDS = 60


@contextlib.contextmanager
def reading(path: Path, schema: str) -> Iterator[sqlite3.Connection | None]:
    """Yield a read-only connection, ``None`` where there is nothing to read.

    Raises:
        CacheError: the file is not a feature cache, is damaged, or cannot be read.
    """
    try:
        if not path.exists() or (path.is_file() and not path.stat().st_size and not _has_log(path)):
            yield None
            return
        refuse_foreign(path, schema)
        with contextlib.closing(_read_only(path, immutable=not _has_log(path))) as connection:
            yield connection if _objects(connection) else None
    except sqlite3.OperationalError as error:
        raise CacheError(f"The feature cache {path} cannot be used now ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise CacheError(
            f"{path} is not a feature cache, or is damaged ({error}). If it is bricksight's own, "
            "delete it; the next run makes a new one."
        ) from error
    except OSError as error:
        raise CacheError(
            f"The feature cache {path} cannot be read ({error.strerror or error})."
        ) from error


def refuse_foreign(path: Path, schema: str) -> None:
    """Refuse a database of another program; a new and empty one passes.

    Args:
        path: the file; it may not exist.
        schema: the statements that create the tables.

    Raises:
        CacheError: the file is a database of another program, or not a file.
        sqlite3.DatabaseError: it is not a database, or is damaged.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise CacheError(f"{path} is not a regular file, so it is not a feature cache.")
    with contextlib.closing(_read_only(path, immutable=True)) as connection:
        found = _objects(connection)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        own = _objects(connection)
    if strange := sorted({name for name, _ in found - own}):
        raise CacheError(
            f"{path} is not a feature cache of this version of bricksight: it is a database with "
            f"{some(strange)}. It is unchanged; use another file."
        )


def _objects(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return name and SQL of all tables, views and triggers."""
    return set(connection.execute("SELECT name, COALESCE(sql, '') FROM sqlite_master"))


def _read_only(path: Path, *, immutable: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    return sqlite3.connect(uri, uri=True, timeout=_TIMEOUT_SECONDS)


def _has_log(path: Path) -> bool:
    """Tell whether there is a write-ahead log that is not empty."""
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0
