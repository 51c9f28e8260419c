"""Tar archives from the network, unpacked so that nothing lands outside the folder."""

import contextlib
import gzip
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from bricksight._support.filesystem.files import atomic_write
from bricksight._support.text import shortened
from bricksight.backbones.backbone import Progress
from bricksight.backbones.downloads.download import DownloadError, download
from bricksight.backbones.downloads.lock import locked
from bricksight.backbones.downloads.tar import Member, Readable, TarError, read_members

_MAX_BYTES = 8 << 30
_MAX_RATIO = 50  # weights hardly shrink; what becomes so much larger fills a disk and is no network
_FREE_BYTES = 64 << 20  # unpacked whatever the ratio is
_MAX_MEMBERS = 10_000
_MAX_PARTS = 32
_GZIP = b"\x1f\x8b"


def download_and_unpack(
    url: str,
    folder: Path,
    *,
    missing_in: Callable[[Path], str | None],
    auth: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Make ``folder`` from the tar archive at ``url``; the folder is whole or absent.

    Args:
        url: of the archive.
        folder: where to; one that is there and whole is left alone, one that is not is replaced.
        missing_in: says what a folder lacks, ``None`` if it is whole. What comes has to be, too.
        auth: as of ``download``.
        progress: as of ``download``.

    Raises:
        DownloadError: the archive could not be had, is damaged, or is not to be trusted.
    """
    try:
        # Not NAME.lock: tensorflow_hub would wait ten minutes for it to disappear.
        with locked(folder.with_name(f".{folder.name}.lock")):
            if missing_in(folder) is None:
                return
            archive = folder.with_name(f"{folder.name}.tar")
            download(url, archive, auth=auth, progress=progress)
            try:
                _replace(folder, archive, missing_in)
            finally:
                # Kept, a damaged archive would be found again by the next run.
                archive.unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder} cannot be written ({error.strerror or error})") from error


def _replace(folder: Path, archive: Path, missing_in: Callable[[Path], str | None]) -> None:
    with atomic_write(folder) as part:
        unpack(archive, part)
        if lacks := missing_in(part):
            raise DownloadError(f"what came is no module: {lacks}")
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack regular files and folders below ``folder``; any other member refuses the archive.

    Raises:
        DownloadError: the archive is damaged, too large, or has a member that is neither, or one
            whose name leads out of the folder. Nothing is unpacked in the last two cases.
    """
    with _readable(archive) as stream:
        _check(read_members(stream))
    folder.mkdir(parents=True)
    with _readable(archive) as stream:
        for member, content in read_members(stream):
            _extract(member, content, folder)


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[Readable]:
    """Yield the archive, decompressed; what is wrong with it becomes a ``DownloadError``."""
    try:
        with archive.open("rb") as file:
            is_gzip = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if is_gzip else file as stream:
                yield _Limited(stream, archive.stat().st_size)
    except (TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"what came is no whole tar archive ({error})") from error
    except OSError as error:
        raise DownloadError(f"the archive cannot be unpacked ({error})") from error


class _Limited:
    """Read a stream up to the most that an archive of its size may hold."""

    def __init__(self, stream: Readable, archive_bytes: int) -> None:
        self._stream = stream
        self._archive_bytes = archive_bytes
        self._most = min(_MAX_BYTES, _FREE_BYTES + _MAX_RATIO * archive_bytes)
        self._num_bytes = 0

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        piece = self._stream.read(size)
        self._num_bytes += len(piece)
        if self._num_bytes > self._most:
            raise DownloadError(
                f"the archive of {self._archive_bytes:,} bytes holds more than {self._most:,} bytes"
            )
        return piece


def _check(members: Iterable[tuple[Member, Iterator[bytes]]]) -> None:
    """Refuses an archive that could write beside its folder, or one file over another."""
    files: set[str] = set()
    for count, (member, _content) in enumerate(members, start=1):
        if count > _MAX_MEMBERS:
            raise DownloadError(f"the archive holds more than {_MAX_MEMBERS:,} files")
        path = _path_of(member)
        if member.is_file:
            # In any case of letters: on some disks they are one file.
            if (name := path.as_posix().casefold()) in files:
                raise DownloadError(f"the archive has two members {member.name!r}")
            files.add(name)


def _path_of(member: Member) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if reason := _unfit(member, path):
        raise DownloadError(
            f"the archive has the member {shortened(member.name)!r}, which {reason}; "
            "it was not unpacked"
        )
    return path


def _unfit(member: Member, path: PurePosixPath) -> str | None:
    """Return why a member is not to be unpacked, ``None`` if it may be."""
    if not (member.is_file or member.is_folder):
        return "is no regular file or folder"
    if path.is_absolute() or ".." in path.parts or any(sign in member.name for sign in "\\:\0"):
        return "would lie outside the folder"
    if member.is_file and not path.parts:
        return "has no name"
    if len(path.parts) > _MAX_PARTS:
        return f"lies more than {_MAX_PARTS} folders deep"
    return None


def _extract(member: Member, content: Iterator[bytes], folder: Path) -> None:
    """Write one checked member; owner, mode and times of the archive are left out."""
    path = folder / member.name
    if member.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.writelines(content)
