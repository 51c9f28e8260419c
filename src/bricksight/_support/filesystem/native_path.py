"""Temporary alias paths for native code that cannot open the original path."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# TensorFlow's reader of variables treats "[1]" as a pattern. Native code does not accept bytes that
# are not UTF-8, which Python represents as surrogates.
_UNSUPPORTED = re.compile("[*?\\[\\]\\\\\ud800-\udfff]")


@contextlib.contextmanager
def native_path(path: Path) -> Iterator[Path]:
    """Yield the path itself, or an alias in a temporary folder if native code cannot open it.

    Files with the same name and another suffix are aliased too, such as the weights beside an
    ``.xml`` file. Files that the block creates are moved to the original folder.
    """
    if not _UNSUPPORTED.search(str(path)):
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
    except OSError:  # on Windows, links need a privilege
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, alias)
