"""Photos on the command line: files, folders, patterns, and lists of them."""

import codecs
import fnmatch
import glob
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from bricksight._support.filesystem.walk import Found, Walker, is_photo_name, photos_below
from bricksight._support.text import some
from bricksight.cli._values import STDIN
from bricksight.errors import ConfigError, DataError

Complain = Callable[[object, object], None]
"""Called with a path and the reason why it is skipped."""

_CHUNK_BYTES = 1 << 16
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LONGEST_BOM = 3
_ADDRESS = re.compile(r"[a-z]{3,}:/", re.IGNORECASE)  # a Path has one slash there


def named_photos(paths: Sequence[Path], complain: Complain) -> Iterator[list[Path]]:
    """Yield the photos at these paths in batches; photos of a list as they arrive.

    A path is a file, a folder, or a pattern if no such file exists. "-" is a list of paths on
    standard input.

    Args:
        paths: as the user typed them.
        complain: called for paths without photos.

    Raises:
        ConfigError: "-" is given twice.
        DataError: standard input cannot be read.
    """
    lists = [index for index, path in enumerate(paths) if str(path) == STDIN]
    if len(lists) > 1:
        raise ConfigError("- is given twice, but standard input can only be read once.")
    if not lists:
        yield _all_named(paths, complain)
        return
    before, after = paths[: lists[0]], paths[lists[0] + 1 :]
    if before:
        yield _all_named(before, complain)
    num_named = 0
    for names in _lists_of_stdin():
        num_named += len(names)
        yield _all_named([_path_of_line(name) for name in names], complain)
    if not num_named:
        complain("-", "standard input lists no photos")
    if after:
        yield _all_named(after, complain)


def _all_named(paths: Iterable[Path], complain: Complain) -> list[Path]:
    return [photo for path in paths for photo in _photos_of(path, complain)]


def _photos_of(path: Path, complain: Complain) -> list[Path]:
    if os.path.isdir(path):  # noqa: PTH112  (never raises)
        return _photos_in(path, complain)
    if glob.has_magic(str(path)) and not os.path.lexists(path):
        return _matching(path, complain)
    if _ADDRESS.match(str(path)) and not os.path.lexists(path):
        complain(path, "addresses are not supported; download the photo first")
        return []
    return [path]  # with any suffix, as the user named it explicitly


def _photos_in(folder: Path, complain: Complain) -> list[Path]:
    photos, found = photos_below(folder)
    _tell_unreadable(folder, found, complain)
    if not photos and not found.unreadable:
        beside = f"; its files have other endings: {some(found.other_files, limit=3)}"
        complain(folder, f"the folder holds no photos{beside if found.other_files else ''}")
    return photos


def _tell_unreadable(folder: Path, found: Found, complain: Complain) -> None:
    for path, reason in found.unreadable.items():
        complain(folder / path, f"cannot be read: {reason}")
    for path in filter(is_photo_name, found.special_files):
        complain(folder / path, "not a file: it is a pipe, a socket or a device")


def _matching(pattern: Path, complain: Complain) -> list[Path]:
    """Return photos that match a pattern, and photos in folders that match.

    Folders that exist literally are not patterns, such as those with brackets in their names.
    """
    base = Path(pattern.anchor)
    parts = list(pattern.parts[1:] if pattern.anchor else pattern.parts)
    while len(parts) > 1 and (not glob.has_magic(parts[0]) or os.path.lexists(base / parts[0])):
        base /= parts.pop(0)
    photos = _matches(base, parts, complain)
    if not photos:
        complain(pattern, "no photo matches this pattern, and no file has this name")
    return photos


def _matches(base: Path, parts: Sequence[str], complain: Complain) -> list[Path]:
    """Return photos below a folder that match the parts of a pattern."""
    if not os.path.isdir(base):  # noqa: PTH112  (never raises)
        return []
    first, rest = parts[0], parts[1:]
    if first == "**":
        photos, found = photos_below(base)
        _tell_unreadable(base, found, complain)
        return [one for one in photos if _fits(one.relative_to(base).parts, parts)]
    if not glob.has_magic(first) or os.path.lexists(base / first):
        names = [first] if os.path.lexists(base / first) else []
    else:
        walker = Walker(base)
        here, folders = walker.top()
        _tell_unreadable(base, walker.found, complain)
        names = fnmatch.filter(sorted([*here, *(one.name for one in folders)]), first)
    inside = _matches if rest else lambda path, _, tell: _photos_of(path, tell)
    return [photo for name in names for photo in inside(base / name, rest, complain)]


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a path matches a pattern, or is in a folder that does."""
    if not pattern or not path:
        return not pattern
    if pattern[0] == "**":
        rest = pattern[1:]
        return not rest or any(_fits(path[start:], rest) for start in range(len(path)))
    return fnmatch.fnmatch(path[0], pattern[0]) and _fits(path[1:], pattern[1:])


def _path_of_line(line: str) -> Path:
    """Return the path on a line of a list.

    If there is no such file, the line is tried without a carriage return, blanks and quotes, which
    programs put around names, and with ``~`` expanded.
    """
    bare = line.strip()
    inside = bare[1:-1] if len(bare) > 2 and bare[0] == bare[-1] in "\"'" else bare
    # Path.expanduser would raise for unknown users.
    spellings = [line, line.rstrip("\r"), bare, inside, os.path.expanduser(inside)]  # noqa: PTH111
    there = (one for one in spellings if one and os.path.lexists(one))
    return Path(next(there, line.rstrip("\r")))


def _lists_of_stdin() -> Iterator[list[str]]:
    """Yield the names on standard input as they arrive.

    Raises:
        DataError: standard input is closed or cannot be read.
    """
    if sys.stdin is None:
        raise DataError("Standard input is closed, but - reads a list of paths from it.")
    try:
        for names in names_in(cast(io.BufferedIOBase, sys.stdin.buffer)):
            if shown := [name for name in names if name.strip()]:
                yield shown
    except OSError as error:
        raise DataError(f"Standard input cannot be read ({error.strerror or error}).") from error


def names_in(stream: io.BufferedIOBase) -> Iterator[list[str]]:
    """Yield the names of a list, separated by NUL characters if it has any, else by line feeds.

    Names may contain all other separators. The list is UTF-8, or UTF-16 with a byte order mark as
    PowerShell writes it.

    Args:
        stream: read as data arrives.
    """
    head = b""
    while len(head) < _LONGEST_BOM and (more := stream.read1(_CHUNK_BYTES)):
        head += more
    encoding = next((name for bom, name in _BOMS.items() if head.startswith(bom)), "utf-8")
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    text, separator, chunk = "", "\n", head
    while chunk:
        text += decoder.decode(chunk)
        separator = "\0" if "\0" in text else separator
        *names, text = text.split(separator)
        yield names
        chunk = stream.read1(_CHUNK_BYTES)
    yield [text + decoder.decode(b"", final=True)]
