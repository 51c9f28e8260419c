"""Finished parts on disk, one ``.npz`` file each, so that a part is flattened once a library.

An entry names every file that it was made of, as it is looked up, and holds the SHA-256 over their
content: it counts only as long as the library still finds the same text under the same names.
"""

import hashlib
import io
import json
import logging
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bricksight._support.filesystem.files import atomic_write, cache_dir, give_up_cache
from bricksight.bricks.synth.geometry.mesh import Mesh
from bricksight.bricks.synth.ldraw.part import LDrawPart
from bricksight.errors import CacheError, OutputError

_LOGGER = logging.getLogger(__name__)

VERSION = 1
"""Goes up with every change to what a part is made into."""

_WORDS = ("name", "title", "category")
_LISTS = ("keywords", "moved_from")
_ARRAYS = {"vertices": np.float64, "normals": np.float64, "triangles": np.int64}


@dataclass(frozen=True)
class Entry:
    """What is kept of a part.

    Attributes:
        part: The part.
        names: Every file that it was made of.
        digest: From :func:`digest_of`.
    """

    part: LDrawPart
    names: tuple[str, ...]
    digest: str


def digest_of(contents: Iterable[bytes | None]) -> str:
    """Returns the SHA-256 over files in their order, ``None`` for one that is missing."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(b"missing" if content is None else hashlib.sha256(content).digest())
    return digest.hexdigest()


def entry_path(root: Path, number: str) -> Path:
    """Returns where a part of a library is kept.

    Raises:
        CacheError: the cache folder cannot be made.
    """
    named = f"{VERSION}\0{root.resolve()}\0{number}".encode(errors="surrogateescape")
    key = hashlib.sha256(named).hexdigest()
    return cache_dir("ldraw") / f"{key[:32]}.npz"


def read_entry(path: Path) -> Entry | None:
    """Returns an entry, or ``None`` if there is none or it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheError(
            f"{path} cannot be read ({error.strerror or error}). Remove it, or set "
            "BRICKSIGHT_CACHE_DIR to another folder."
        ) from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            mesh = Mesh(**{name: _checked(arrays[name], dtype) for name, dtype in _ARRAYS.items()})
            colour_codes = arrays["colour_codes"]
        if colour_codes.shape != (len(mesh.triangles),) or colour_codes.dtype != np.int32:
            raise ValueError(f"colour codes of shape {colour_codes.shape}")
        about |= {name: tuple(about[name]) for name in _LISTS}
        words = {name: about[name] for name in (*_WORDS, *_LISTS)}
        part = LDrawPart(**words, mesh=mesh, colour_codes=colour_codes)
        return Entry(part, tuple(about["names"]), about["digest"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        _LOGGER.warning("The cached part %s is damaged (%s); it is made anew.", path, error)
        return None


def write_entry(path: Path, entry: Entry) -> None:
    """Writes an entry, whole or not at all; the process goes on without a cache that is full."""
    part = entry.part
    about = {name: getattr(part, name) for name in (*_WORDS, *_LISTS)}
    about |= {"names": entry.names, "digest": entry.digest}
    arrays = {name: getattr(part.mesh, name) for name in _ARRAYS}
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
                colour_codes=part.colour_codes,
                **arrays,
            )
    except OutputError as error:
        give_up_cache(error)


def _checked(array: np.ndarray, dtype: type) -> np.ndarray:
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype != dtype:
        raise ValueError(f"an array of shape {array.shape} and type {array.dtype}")
    return array
