"""Files that are either whole or absent, and the folder of cached ones."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from bricksight.errors import CacheError, OutputError

_CHUNK_BYTES = 1 << 20


def cache_dir(*parts: str) -> Path:
    """Returns the folder for cached files, made if need be.

    ``BRICKSIGHT_CACHE_DIR`` names another place than the user's own cache folder.

    Raises:
        CacheError: the folder cannot be made.
    """
    root = os.environ.get("BRICKSIGHT_CACHE_DIR") or platformdirs.user_cache_dir("bricksight")
    folder = Path(os.path.expanduser(root)).joinpath(*parts)  # noqa: PTH111  (leaves an unknown ~user)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"The cache folder {folder} cannot be made ({error.strerror or error}). "
            "Set BRICKSIGHT_CACHE_DIR to a folder that can be written to."
        ) from error
    return folder


@contextlib.contextmanager
def writing(place: Path | str) -> Iterator[None]:
    """Names the place and the reason where the system refuses to write.

    Args:
        place: what the block writes, as the user named it.

    Raises:
        OutputError: the block has met an ``OSError``: no permission, a full disk, a name too long.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{place} cannot be written ({error.strerror or error}).") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside ``path`` that becomes ``path`` when the block ends well.

    The name may be used for a file or for a folder. A block that fails leaves nothing behind, and
    a reader sees the old file or the new one, never half of either. A folder that exists and is not
    empty is not replaced: the system refuses it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        part = holder / path.name
        yield part
        part.replace(path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
