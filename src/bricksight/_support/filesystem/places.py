"""Output paths: reserved and tested for writing before any work, filled at its end."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bricksight._support.filesystem.disk import write_probe
from bricksight._support.filesystem.files import (
    folder_made,
    nearest_folder,
    require_replaceable,
    under_its_own_name,
    writing,
)
from bricksight._support.filesystem.locks import (
    TakenError,
    claimed_folder,
    is_temporary,
    temporary_folder,
)
from bricksight.errors import OutputError

_LONGEST_WAIT_SECONDS = 60
_PAUSE_SECONDS = 0.05
_INNER_NAME = "x" * 120
"""File name for write tests, as long as the longest name that bricksight writes."""
_OF_A_NEW_DISK = "lost+found"


class TakenPlaceError(OutputError):
    """Another process is writing to the path."""


@contextlib.contextmanager
def new_folder(path: Path, *, last: str = "") -> Iterator[Path]:
    """Yield an empty temporary folder that becomes ``path`` when the block succeeds.

    ``path`` is tested for writing and reserved for this process until the block ends. An existing
    folder must be empty; it may be a mount point.

    Args:
        path: The folder.
        last: Name of the file that is moved last if the folder exists already.

    Raises:
        OutputError: Another process writes ``path``, it is not empty, or it cannot be written.
    """
    with writing(path):
        require_free(path)
        is_there = path.is_dir()
    above = path if is_there else path.parent
    with folder_made(above, named=path) as parent, _claimed(path, parent) as part:
        with under_its_own_name(path, part.parent):
            yield part
        with writing(path):
            if not is_there:
                part.replace(path)
                return
            inside = sorted(part.iterdir(), key=lambda one: (one.name == last, one.name))
            with moved([(one, path / one.name) for one in inside], aside=part.parent):
                pass


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[Path]:
    """Reserve ``path`` for this process while the block runs, and test it for writing.

    Yields:
        An empty temporary folder on the same disk.

    Raises:
        OutputError: Another process writes ``path``, or it cannot be written.
    """
    with folder_made(path.parent, named=path) as parent, _claimed(path, parent) as part:
        yield part


@contextlib.contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """Reserve ``path`` like ``claimed``, but wait if another process has reserved it.

    Raises:
        OutputError: The path cannot be written, or another process still has it after a minute.
    """
    give_up = time.monotonic() + _LONGEST_WAIT_SECONDS
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(claimed(path))
                break
            except TakenPlaceError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(_PAUSE_SECONDS)
        yield


@contextlib.contextmanager
def _claimed(path: Path, parent: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as held:
        with writing(path):
            try:
                holder = held.enter_context(claimed_folder(parent, path.absolute().name))
            except TakenError as taken:
                raise TakenPlaceError(
                    f"{path} is being written by another run (its files are in {taken}). Wait "
                    "until it ends, or name another path."
                ) from None
            part = holder / (path.absolute().name or "folder")
            part.mkdir()
            write_probe(part / _INNER_NAME)
        yield part


def require_free(path: Path) -> None:
    """Raise an error unless ``path`` does not exist or is an empty folder.

    Raises:
        OutputError: Something else exists there.
    """
    if path.is_symlink() and not path.exists():
        raise OutputError(
            f"{path} is a link to {path.readlink()}, which does not exist. Name another path."
        )
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"{path} is a file; expected a folder to write into. Name another.")
    if not is_empty(path):
        raise OutputError(f"{path} exists already. Name another folder, or remove it first.")


def is_empty(folder: Path) -> bool:
    """Return whether a folder is empty but for files of the system or of a killed run."""
    return all(one.name == _OF_A_NEW_DISK or is_temporary(one) for one in folder.iterdir())


@contextlib.contextmanager
def moved(moves: Sequence[tuple[Path | None, Path]], *, aside: Path) -> Iterator[None]:
    """Move files and folders; if the block or a move fails, all are moved back.

    Args:
        moves: (source, destination) pairs; with a source of ``None``, the destination is removed.
        aside: An existing folder on the same disk for the files that are replaced.
    """
    done: list[tuple[Path, Path]] = []
    with contextlib.ExitStack() as made:
        try:
            for number, (source, place) in enumerate(moves):
                if os.path.lexists(place):
                    kept = aside / f"aside-{number}"
                    place.replace(kept)
                    done.append((kept, place))
                if source is not None:
                    made.enter_context(folder_made(place.parent))
                    source.replace(place)
                    done.append((place, source))
            yield
        except BaseException:
            for now, before in reversed(done):
                with contextlib.suppress(OSError):
                    now.replace(before)
            raise


def try_file(path: Path) -> None:
    """Check, before any work, that the file ``path`` can be written.

    Raises:
        OutputError: It cannot be written.
    """
    with writing(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; expected the path of a file. Name another.")
        require_replaceable(path)
        _try(path)


def try_folder(path: Path) -> None:
    """Check, before any work, that files can be written into the folder ``path``.

    Raises:
        OutputError: They cannot be written.
    """
    with writing(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file; expected a folder to write into. Name another.")
        _try(path / _INNER_NAME, named=path)


def _try(path: Path, *, named: Path | None = None) -> None:
    """Write and remove a file of the same name and depth in the nearest existing folder."""
    whole = path.absolute()
    above = nearest_folder(whole.parent, named=named or path)
    with temporary_folder(above, "bricksight") as holder:
        folder = holder / whole.parent.relative_to(above)
        folder.mkdir(parents=True, exist_ok=True)
        write_probe(folder / whole.name)
