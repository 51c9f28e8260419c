"""Read the members of a tar archive one after the other, in bounded memory.

``tarfile`` alone is not safe for untrusted archives: before a caller sees a member, it reads
headers of any length into memory, follows the maps of sparse files, and scans extended headers in
quadratic time. So this file reads the blocks, and ``tarfile`` only parses the headers of 512 bytes.
Formats: POSIX.1-2017, pax, and the long names of GNU tar
(https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_BLOCK = tarfile.BLOCKSIZE
_CHUNK_BYTES = 1 << 20
_MAX_HEADER_BYTES = 64 << 10  # of an extended header, which usually holds a path and times
_MAX_HEADERS_IN_A_ROW = 8
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes; none at the end."""


class TarError(Exception):
    """The archive is damaged or incomplete; the message is a phrase without a full stop."""


@dataclass(frozen=True)
class Member:
    """A member of an archive: a file, a folder, or neither (a link, a device, a sparse file).

    Attributes:
        name: Name in the archive, unchecked.
        size: Size in bytes, 0 or more.
        is_file: Whether it is a regular file.
        is_folder: Whether it is a folder.
    """

    name: str
    size: int
    is_file: bool
    is_folder: bool


@dataclass
class _Extended:
    """Values from extended headers, for the member that follows them."""

    name: str | None = None
    size: int | None = None
    is_sparse: bool = False
    num_headers: int = 0


def read_members(stream: Readable) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Yield each member with its content in pieces; unread content is skipped.

    Args:
        stream: The uncompressed archive.

    Raises:
        TarError: The archive is incomplete or damaged, or has a negative size or very long headers.
    """
    extended = _Extended()
    while (block := _read(stream, _BLOCK)).strip(b"\0"):
        header = _header(block)
        if header.type in _PAX or header.type in _LONG_NAMES:
            _extend(extended, header, stream)
            continue
        member = _member(header, extended)
        extended = _Extended()
        content = _pieces(stream, member.size)
        yield member, content
        for _ in content:
            pass
        _read(stream, -member.size % _BLOCK)
    # The rest is padding. It is read because a compressed stream verifies its checksum at the end.
    while stream.read(_CHUNK_BYTES):
        pass


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise TarError(f"a header is damaged: {error}") from error
    if header.size < 0:
        raise TarError(f"the member {header.name!r} has the size {header.size}")
    return header


def _member(header: tarfile.TarInfo, extended: _Extended) -> Member:
    return Member(
        name=header.name if extended.name is None else extended.name,
        size=header.size if extended.size is None else extended.size,
        is_file=header.type in _FILES and not extended.is_sparse,
        is_folder=header.type == tarfile.DIRTYPE,
    )


def _extend(extended: _Extended, header: tarfile.TarInfo, stream: Readable) -> None:
    extended.num_headers += 1
    if header.size > _MAX_HEADER_BYTES or extended.num_headers > _MAX_HEADERS_IN_A_ROW:
        raise TarError(
            f"extended header {extended.num_headers} of a member has {header.size:,} bytes; the "
            f"limits are {_MAX_HEADERS_IN_A_ROW} headers of {_MAX_HEADER_BYTES:,} bytes"
        )
    content = _read(stream, header.size)
    _read(stream, -header.size % _BLOCK)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        extended.name = _text(content.rstrip(b"\0"))
    elif header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
        _apply(extended, _records(content))


def _apply(extended: _Extended, records: dict[bytes, bytes]) -> None:
    extended.is_sparse |= any(key.startswith(b"GNU.sparse.") for key in records)
    if (name := records.get(b"path")) is not None:
        extended.name = _text(name)
    if (size := records.get(b"size")) is not None:
        if not size.isdigit() or len(size) > 15:
            raise TarError(f"a member has the size {_text(size[:30])!r}")
        extended.size = int(size)


def _records(content: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header, each of the form "LENGTH KEY=VALUE" and a newline."""
    content = content.rstrip(b"\0")
    records = {}
    start = 0
    while start < len(content):
        digits, _, _ = content[start : start + 20].partition(b" ")
        end = start + (int(digits) if digits.isdigit() else 0)
        key, equals, value = content[start + len(digits) + 1 : end].partition(b"=")
        if end > len(content) or not equals or not value.endswith(b"\n"):
            raise TarError("an extended header is damaged")
        records[key] = value[:-1]
        start = end
    return records


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _pieces(stream: Readable, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = stream.read(min(size, _CHUNK_BYTES))
        if not piece:
            raise TarError("it is incomplete")
        size -= len(piece)
        yield piece


def _read(stream: Readable, size: int) -> bytes:
    return b"".join(_pieces(stream, size))
