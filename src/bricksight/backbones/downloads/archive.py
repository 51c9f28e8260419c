"""Download tar archives, and unpack them without writing outside the folder."""

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
_MAX_RATIO = 50  # weights compress little; a larger ratio is a decompression bomb
_FREE_BYTES = 64 << 20  # always unpacked, whatever the ratio is
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
    """Download a tar archive and unpack it to ``folder``, atomically.

    Args:
        url: Address of the archive.
        folder: Folder to create. A complete folder is kept, an incomplete one is replaced.
        missing_in: Returns what a folder lacks, ``None`` if it is complete. It is also called on
            the unpacked archive.
        auth: As in ``download``.
        progress: As in ``download``.

    Raises:
        DownloadError: The archive cannot be downloaded, is damaged, incomplete or unsafe.
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
                # Otherwise the next run would use a damaged archive again.
                archive.unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder} cannot be written ({error.strerror or error})") from error


def _replace(folder: Path, archive: Path, missing_in: Callable[[Path], str | None]) -> None:
    with atomic_write(folder) as part:
        unpack(archive, part)
        if missing := missing_in(part):
            raise DownloadError(f"the downloaded archive is incomplete: {missing}")
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive that holds only regular files and folders below ``folder``.

    Raises:
        DownloadError: The archive is damaged or too large, has a member of another type, or a
            member whose path is outside of the folder. In the last two cases nothing is unpacked.
    """
    with _readable(archive) as stream:
        _check_members(read_members(stream))
    folder.mkdir(parents=True)
    with _readable(archive) as stream:
        for member, content in read_members(stream):
            _extract(member, content, folder)


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[Readable]:
    """Open an archive, decompressed if gzipped; errors in the block become ``DownloadError``s."""
    try:
        with archive.open("rb") as file:
            is_gzip = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if is_gzip else file as stream:
                yield _LimitedStream(stream, archive.stat().st_size)
    except (TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"the file is not a complete tar archive ({error})") from error
    except OSError as error:
        raise DownloadError(f"the archive cannot be unpacked ({error})") from error


class _LimitedStream:
    """A stream that raises an error beyond the size limit of its archive."""

    def __init__(self, stream: Readable, archive_bytes: int) -> None:
        self._stream = stream
        self._archive_bytes = archive_bytes
        self._most = min(_MAX_BYTES, _FREE_BYTES + _MAX_RATIO * archive_bytes)
        self._num_bytes = 0

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes; none at the end."""
        piece = self._stream.read(size)
        self._num_bytes += len(piece)
        if self._num_bytes > self._most:
            raise DownloadError(
                f"the archive of {self._archive_bytes:,} bytes holds more than {self._most:,} bytes"
            )
        return piece


def _check_members(members: Iterable[tuple[Member, Iterator[bytes]]]) -> None:
    """Raise an error if a member would be outside of the folder, or overwrite another one."""
    files: set[str] = set()
    for count, (member, _content) in enumerate(members, start=1):
        if count > _MAX_MEMBERS:
            raise DownloadError(f"the archive holds more than {_MAX_MEMBERS:,} files")
        path = _path_of(member)
        if member.is_file:
            # Compared without case, because some file systems do not distinguish it.
            if (name := path.as_posix().casefold()) in files:
                raise DownloadError(f"the archive has two files named {member.name!r}")
            files.add(name)


def _path_of(member: Member) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if reason := _reason_to_refuse(member, path):
        raise DownloadError(
            f"the archive has the member {shortened(member.name)!r}, which {reason}; "
            "it was not unpacked"
        )
    return path


def _reason_to_refuse(member: Member, path: PurePosixPath) -> str | None:
    """Return why a member must not be unpacked, ``None`` if it may be."""
    if not (member.is_file or member.is_folder):
        return "is not a regular file or folder"
    if path.is_absolute() or ".." in path.parts or any(sign in member.name for sign in "\\:\0"):
        return "would lie outside the folder"
    if member.is_file and not path.parts:
        return "has no name"
    if len(path.parts) > _MAX_PARTS:
        return f"is more than {_MAX_PARTS} folders deep"
    return None


def _extract(member: Member, content: Iterator[bytes], folder: Path) -> None:
    """Write a checked member; its owner, mode and times are ignored."""
    path = folder / member.name
    if member.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.writelines(content)
