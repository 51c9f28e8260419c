"""The boundary between the runtimes and the libraries that they use."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.library_errors import library_errors_as
from bricksight.errors import BundleError


@contextlib.contextmanager
def loading(path: Path, what: str) -> Iterator[Path]:
    """Yields the path as native code takes it; what a library raises is a ``BundleError``.

    Args:
        path: the model file.
        what: what it should be, such as "a model that LiteRT can run".

    Raises:
        BundleError: a library cannot load the file.
    """
    with library_errors_as(BundleError, path, f"is not {what}"), native_path(path) as readable:
        yield readable
