"""Turn errors of the runtimes' libraries into ours while a model loads."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.library_errors import library_errors_as
from bricksight.errors import BundleError


@contextlib.contextmanager
def loading(path: Path, what: str) -> Iterator[Path]:
    """Yield the path in a form that native code can open; a library's error is a ``BundleError``.

    Args:
        path: The model file.
        what: What the file should be, for messages: "a model that LiteRT can run".

    Raises:
        BundleError: A library cannot load the file.
    """
    with library_errors_as(BundleError, path, f"is not {what}"), native_path(path) as readable:
        yield readable
