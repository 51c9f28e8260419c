"""Paths that native code can open, for files whose own path only Python can open."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# TensorFlow's reader of variables takes "[1]" for a pattern, and finds nothing; no native code
# takes bytes that are not UTF-8, which Python keeps as surrogates.
_NOT_TAKEN = re.compile("[*?\\[\\]\\\\\ud800-\udfff]")


@contextlib.contextmanager
def native_path(path: Path) -> Iterator[Path]:
    """Yield the path, or one of the same content in a temporary folder where that is not taken.

    A file is accompanied by those that have its name and another suffix, such as the weights beside
    an ``.xml`` file. What the block writes where nothing was is moved to where it belongs.
    """
    if not _NOT_TAKEN.search(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="bricksight-") as folder:
        alias = Path(folder) / f"model{path.suffix}"
        for one in _belonging(path):
            _link(one, alias.with_suffix(one.suffix))
        there = set(Path(folder).iterdir())
        yield alias
        for made in set(Path(folder).iterdir()) - there:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, path.with_suffix(made.suffix))


def _belonging(path: Path) -> list[Path]:
    if not path.exists():
        return []
    return [one for one in path.parent.iterdir() if one == path or _is_beside(one, path)]


def _is_beside(one: Path, path: Path) -> bool:
    return path.is_file() and one.is_file() and one.stem == path.stem


def _link(path: Path, alias: Path) -> None:
    try:
        alias.symlink_to(path.absolute(), target_is_directory=path.is_dir())
    except OSError:  # Windows lets only some users make links
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, alias)
