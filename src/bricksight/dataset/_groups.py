"""Which photos must stay on one side of a split."""

import re
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bricksight._optional import require
from bricksight._text import counted
from bricksight.dataset._records import Record
from bricksight.errors import DataError

_NO_HASH = "_nohash_"

_SUGGESTIONS = (
    r"^(.+)\.rf\.[0-9a-f]+\.",  # renditions of one photo in a Roboflow export
    r"^(.+)_[^_/]*$",  # TIMESTAMP_front.jpg, clip3_0042.jpg
    r"^(.+)-[^-/]*$",  # photo12-3.png
)
# Of the processor's time. An expression may take exponential time; real ones take microseconds.
_SECONDS, _SECONDS_A_PATH = 3.0, 1e-3
_LITERAL_BRACE = re.compile(r"(\\.)|\{(?!\d+,?\d*\}|,\d*\})", re.DOTALL)

_MIN_PHOTOS_PER_GROUP = 1.5
_MIN_GROUPS_PER_CLASS = 3
_DATE_AT_END = re.compile(r"(19|20)\d{6}$")


def group_keys(paths: Sequence[str], *, group_by: str | None) -> tuple[list[str], list[str]]:
    """Returns the key of every photo, and the paths in which ``group_by`` finds nothing.

    Without ``group_by`` the key is the path up to ``_nohash_``, retrain.py's way to mark photos
    that belong together; so it is where the expression finds nothing. Keys are in Unicode form NFC,
    because the same name may be stored composed on one system and decomposed on another, and the
    split must not differ for it.

    Args:
        paths: one a photo, with "/" between folders on every system.
        group_by: regular expression; photos of the same first capture group, or of the same match
            if it captures nothing, have the same key.

    Raises:
        DataError: ``group_by`` finds nothing in any path, or takes too long.
    """
    composed = [unicodedata.normalize("NFC", path) for path in paths]
    own = [path.partition(_NO_HASH)[0] for path in composed]
    if group_by is None:
        return own, []
    found = list(_searched(group_by, composed))
    unmatched = [path for path, key in zip(paths, found, strict=True) if not key]
    if paths and len(unmatched) == len(paths):
        raise DataError(
            f"--group_by {group_by!r} finds nothing in any of {len(paths):,} paths. "
            f"It is searched in paths such as {unmatched[0]!r}."
        )
    return [key or other for key, other in zip(found, own, strict=True)], unmatched


def join_identical(keys: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Returns the keys with groups joined wherever photos of the same content link them.

    A joined group takes the shortest of its keys, the alphabetically first of several: a copy's
    name is mostly longer than the original's, which then stays where it was.

    Args:
        keys: the group of each photo.
        contents: the SHA-256 of each photo, in the same order.
    """
    parents = {key: key for key in keys}

    def root(key: str) -> str:
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    first_with: dict[str, str] = {}
    for key, content in zip(keys, contents, strict=True):
        pair = sorted({root(key), root(first_with.setdefault(content, key))}, key=_seniority)
        parents[pair[-1]] = pair[0]
    return [root(key) for key in keys]


def suggest_group_by(records: Sequence[Record]) -> str | None:
    """Returns an expression for ``--group_by`` if the names look like several photos an object.

    Camera tools write ``TIMESTAMP_front.jpg`` or ``photo12-3.png``: without its last part the name
    stands for the object. Only names of which most classes have several are taken, so that
    ``IMG_0001.jpg`` is not one object called ``IMG``, nor ``IMG_20240131_101500.jpg`` one day.
    """
    return next((pattern for pattern in _SUGGESTIONS if _groups_well(pattern, records)), None)


def _groups_well(pattern: str, records: Sequence[Record]) -> bool:
    compiled = re.compile(pattern)
    prefixes: dict[str, set[str]] = defaultdict(set)
    for record in records:
        prefix = _key(compiled.search(record.relative_path)) or record.relative_path
        prefixes[record.label].add(record.relative_path if _DATE_AT_END.search(prefix) else prefix)
    num_prefixes = sum(map(len, prefixes.values()))
    num_varied = sum(len(found) >= _MIN_GROUPS_PER_CLASS for found in prefixes.values())
    return len(records) >= _MIN_PHOTOS_PER_GROUP * num_prefixes and 2 * num_varied > len(prefixes)


def _seniority(key: str) -> tuple[int, str]:
    return len(key), key


def _searched(group_by: str, paths: Sequence[str]) -> Iterator[str]:
    """Yields what the user's expression finds in each path, within bounded time.

    The package regex understands what ``re`` does, and unlike it ends when time is up. Its fuzzy
    matching is written in braces, which are literal in ``re`` and are so here.
    """
    regex = require("regex", extra=None, feature="--group_by")
    try:
        pattern = regex.compile(_LITERAL_BRACE.sub(lambda found: found[1] or r"\{", group_by))
    except (regex.error, RecursionError, OverflowError) as error:
        raise DataError(
            f"--group_by {group_by!r} is not a regular expression ({error})."
        ) from error
    seconds = _SECONDS + _SECONDS_A_PATH * len(paths)
    end = time.process_time() + seconds
    for path in paths:
        try:
            left = end - time.process_time()
            if left <= 0:
                raise TimeoutError
            match = pattern.search(path, timeout=left)
        except (TimeoutError, MemoryError) as error:
            raise DataError(
                f"--group_by {group_by!r} takes too long: {counted(len(paths), 'path')} cannot be "
                f"searched in {seconds:.0f} seconds; it is stuck at {path!r}. A repetition in a "
                "repetition, such as (a+)+, may take forever; write it without."
            ) from error
        yield _key(match)


def _key(match: "re.Match[str] | None") -> str:
    if match is None:
        return ""
    return (match[1] if match.re.groups else None) or match[0]
