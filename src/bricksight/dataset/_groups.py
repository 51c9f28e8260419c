"""Which photos must stay on one side of a split."""

import re
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from bricksight._support.optional import require
from bricksight._support.text import pluralize
from bricksight.dataset._examples import Example
from bricksight.errors import DataError

_NO_HASH = "_nohash_"

_SUGGESTIONS = (
    r"^(.+)\.rf\.[0-9a-f]+\.",  # renditions of one photo in a Roboflow export
    r"^(.+)_[^_/]*$",  # TIMESTAMP_front.jpg, clip3_0042.jpg
    r"^(.+)-[^-/]*$",  # photo12-3.png
)
_TENS = (
    r"^(.+)\d[^\d/]*$",  # clip3_0042.jpg: ten numbers in a row
    r"^(.+)\d[^\d/]+\d+[^\d/]*$",  # photo121-0.png
)
_MIN_SHARE_OF_PAIRS = 0.2
# Of the processor's time. An expression may take exponential time; real ones take microseconds.
_SECONDS, _SECONDS_A_PATH = 3.0, 1e-3
_LITERAL_BRACE = re.compile(r"(\\.)|\{(?!\d+,?\d*\}|,\d*\})", re.DOTALL)

_MIN_PHOTOS_PER_GROUP = 1.5
_MIN_GROUPS_PER_CLASS = 3
_DATE_AT_END = re.compile(r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d$")


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


def suggest_group_by(examples: Sequence[Example]) -> str | None:
    """Returns an expression for ``--group_by`` if the names look like several photos an object.

    Camera tools write ``TIMESTAMP_front.jpg`` or ``photo12-3.png``: without its last part the name
    stands for the object. Only names of which most classes have several are taken, so that
    ``IMG_0001.jpg`` is not one object called ``IMG``, nor ``IMG_20240131_101500.jpg`` one day.
    """
    return next((pattern for pattern in _SUGGESTIONS if _groups_well(pattern, examples)), None)


def group_by_for_pairs(
    pairs: Sequence[tuple[str, str]], examples: Sequence[Example]
) -> tuple[str, int] | None:
    """Returns an expression for ``--group_by`` that keeps photos together which look alike.

    Frames of a video look like the next ones, and their names say which these are.

    Args:
        pairs: paths of photos that look nearly the same.
        examples: all photos; most classes are to keep groups enough for a split.

    Returns:
        The expression and how many of the pairs it keeps together; ``None`` where none does much.
    """
    kept = {
        pattern: sum(_key(pattern, one) == _key(pattern, other) for one, other in pairs)
        for pattern in (*_SUGGESTIONS, *_TENS)
        if _is_varied(_prefixes(pattern, examples))
    }
    best = max(kept, key=lambda pattern: kept[pattern], default="")
    if not pairs or kept.get(best, 0) < _MIN_SHARE_OF_PAIRS * len(pairs):
        return None
    return best, kept[best]


def _groups_well(pattern: str, examples: Sequence[Example]) -> bool:
    prefixes = _prefixes(pattern, examples)
    num_prefixes = sum(map(len, prefixes.values()))
    return len(examples) >= _MIN_PHOTOS_PER_GROUP * num_prefixes and _is_varied(prefixes)


def _prefixes(pattern: str, examples: Sequence[Example]) -> Mapping[str, set[str]]:
    """Returns label → the keys that the pattern gives its photos."""
    prefixes: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        prefixes[example.label].add(_key(pattern, example.relative_path))
    return prefixes


def _key(pattern: str, path: str) -> str:
    """Returns the part of the name that stands for the object; a date alone stands for none."""
    key = _part_of(re.search(pattern, path)) or path
    return path if _DATE_AT_END.search(key) else key


def _is_varied(prefixes: Mapping[str, set[str]]) -> bool:
    """Returns whether most classes have groups for every side of a split."""
    num_varied = sum(len(found) >= _MIN_GROUPS_PER_CLASS for found in prefixes.values())
    return 2 * num_varied > len(prefixes)


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
                f"--group_by {group_by!r} takes too long: {pluralize(len(paths), 'path')} cannot "
                f"be searched in {seconds:.0f} seconds; it is stuck at {path!r}. A repetition in a "
                "repetition, such as (a+)+, may take forever; write it without."
            ) from error
        yield _part_of(match)


def _part_of(match: "re.Match[str] | None") -> str:
    """Returns the first capture group of a match, or all of it."""
    if match is None:
        return ""
    return (match[1] if match.re.groups else None) or match[0]
