"""Tar archives from the network, unpacked so that nothing lands outside the folder."""

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from bricksight._files import replacing
from bricksight.modules._download import DownloadError, download
from bricksight.modules._lock import locked
from bricksight.modules._module import Progress

_MAX_BYTES = 8 << 30
_MAX_MEMBERS = 10_000


def download_and_unpack(
    url: str,
    folder: Path,
    *,
    auth: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Makes ``folder`` from the tar archive at ``url``; the folder is whole or absent.

    Raises:
        DownloadError: the archive could not be had, is damaged, or is not to be trusted.
    """
    try:
        # Not NAME.lock: tensorflow_hub would wait ten minutes for it to disappear.
        with locked(folder.with_name(f".{folder.name}.lock")):
            if not folder.exists():
                _make(folder, url, auth, progress)
    except OSError as error:
        raise DownloadError(f"{folder} cannot be written ({error.strerror or error})") from error


def _make(folder: Path, url: str, auth: tuple[str, str] | None, progress: Progress | None) -> None:
    archive = folder.with_name(f"{folder.name}.tar")
    download(url, archive, auth=auth, progress=progress)
    try:
        with replacing(folder) as part:
            unpack(archive, part)
    finally:
        # Kept, a damaged archive would be found again by the next run.
        archive.unlink(missing_ok=True)


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks regular files and folders below ``folder``; any other member refuses the archive.

    Raises:
        DownloadError: the archive is damaged, too large, or has a member that is neither, or one
            whose name leads out of the folder. Nothing is unpacked in the last two cases.
    """
    folder.mkdir(parents=True)
    try:
        with archive.open("rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
        with tarfile.open(archive, "r:gz" if is_gzip else "r:") as tar:
            members = [_checked(member) for member in _listed(tar)]
            for member in members:
                _extract(tar, member, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"what came is no whole tar archive ({error})") from error
    except OSError as error:
        raise DownloadError(f"the archive cannot be unpacked ({error})") from error


def _listed(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Returns the members, refusing an archive that would fill the disk."""
    members: list[tarfile.TarInfo] = []
    num_bytes = 0
    for member in tar:
        members.append(member)
        num_bytes += member.size
        if num_bytes > _MAX_BYTES or len(members) > _MAX_MEMBERS:
            raise DownloadError(
                f"the archive holds more than {_MAX_BYTES >> 30} GiB or {_MAX_MEMBERS} files"
            )
    return members


def _checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
    path = PurePosixPath(member.name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name
    if unsafe or not (member.isfile() or member.isdir()):
        raise DownloadError(
            f"the archive has the member {member.name!r}, which is a link, a device, "
            "or would lie outside the folder; it was not unpacked"
        )
    return member


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Writes one checked member; owner, mode and times of the archive are left out."""
    path = folder / member.name
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise DownloadError(f"the archive has the member {member.name!r} without its bytes")
    with source, path.open("xb") as file:
        while chunk := source.read(1 << 20):
            file.write(chunk)
