"""Group photos that must stay in one split, and suggest values for ``--group_by``."""

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
_SEQUENCES = (
    r"^(.+)\d[^\d/]*$",  # clip3_0042.jpg: ten numbers in a row
    r"^(.+)\d[^\d/]+\d+[^\d/]*$",  # photo121-0.png
)
_MIN_SHARE_OF_PAIRS = 0.2
# Limit of the processor time for matching: some expressions need exponential time, while ordinary
# ones need microseconds a path.
_SECONDS, _SECONDS_A_PATH = 3.0, 1e-3
_LITERAL_BRACE = re.compile(r"(\\.)|\{(?!\d+,?\d*\}|,\d*\})", re.DOTALL)

_MIN_PHOTOS_PER_GROUP = 1.5
_MIN_GROUPS_PER_CLASS = 3
_DATE_AT_END = re.compile(r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d$")


def group_keys(paths: Sequence[str], *, group_by: str | None) -> tuple[list[str], list[str]]:
    """Return the group key of every photo, and the paths that ``group_by`` does not match.

    Without ``group_by``, and for paths that it does not match, the key is the path up to
    ``_nohash_``, by which retrain.py marks photos that belong together. Keys are in Unicode form
    NFC. Some systems store the same name composed and others decomposed, and both must give the
    same split.

    Args:
        paths: Relative path of each photo, with "/" between folders on every system.
        group_by: Regular expression. The key is its first capture group, or the whole match if
            there is no capture group or it is empty.

    Raises:
        DataError: ``group_by`` matches no path, is invalid, or takes too long.
    """
    composed = [unicodedata.normalize("NFC", path) for path in paths]
    default_keys = [path.partition(_NO_HASH)[0] for path in composed]
    if group_by is None:
        return default_keys, []
    found = list(_search_all(group_by, composed))
    unmatched = [path for path, key in zip(paths, found, strict=True) if not key]
    if paths and len(unmatched) == len(paths):
        raise DataError(
            f"--group_by {group_by!r} matches none of {len(paths):,} paths. It is searched for in "
            f"paths such as {unmatched[0]!r}. Correct the expression."
        )
    return [key or other for key, other in zip(found, default_keys, strict=True)], unmatched


def join_identical(keys: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Return the group keys after merging groups that share an identical file (union-find).

    A merged group gets the shortest of its keys, and of several the alphabetically first. The name
    of a copy is mostly longer than that of the original, so the original keeps its group and split.

    Args:
        keys: Group key of each photo.
        contents: SHA-256 of each photo, in the same order.
    """
    parents = {key: key for key in keys}

    def root(key: str) -> str:
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    first_with: dict[str, str] = {}
    for key, content in zip(keys, contents, strict=True):
        pair = sorted({root(key), root(first_with.setdefault(content, key))}, key=_by_length)
        parents[pair[-1]] = pair[0]
    return [root(key) for key in keys]


def suggest_group_by(examples: Sequence[Example]) -> str | None:
    """Return an expression for ``--group_by`` if file names suggest several photos per object.

    Camera tools write names such as ``TIMESTAMP_front.jpg`` or ``photo12-3.png``, in which all but
    the last part names the object. An expression is suggested only if most classes get several
    groups from it. So ``IMG_0001.jpg`` is not taken for an object ``IMG``, and
    ``IMG_20240131_101500.jpg`` is not taken for a day.
    """
    return next((pattern for pattern in _SUGGESTIONS if _suits(pattern, examples)), None)


def group_by_for_pairs(
    pairs: Sequence[tuple[str, str]], examples: Sequence[Example]
) -> tuple[str, int] | None:
    """Return an expression for ``--group_by`` that keeps near-duplicates in one group.

    An example are the frames of a video: neighbouring frames look alike, and have similar names.

    Args:
        pairs: Relative paths of two photos that look nearly the same.
        examples: All photos. With the expression, most classes must have enough groups for a split.

    Returns:
        The expression and the number of pairs that it keeps together; ``None`` if no expression
        keeps at least a fifth of the pairs together.
    """
    kept = {
        pattern: sum(_group_key(pattern, one) == _group_key(pattern, other) for one, other in pairs)
        for pattern in (*_SUGGESTIONS, *_SEQUENCES)
        if _has_enough_groups(_prefixes(pattern, examples))
    }
    best = max(kept, key=lambda pattern: kept[pattern], default="")
    if not pairs or kept.get(best, 0) < _MIN_SHARE_OF_PAIRS * len(pairs):
        return None
    return best, kept[best]


def _suits(pattern: str, examples: Sequence[Example]) -> bool:
    prefixes = _prefixes(pattern, examples)
    num_prefixes = sum(map(len, prefixes.values()))
    return len(examples) >= _MIN_PHOTOS_PER_GROUP * num_prefixes and _has_enough_groups(prefixes)


def _prefixes(pattern: str, examples: Sequence[Example]) -> Mapping[str, set[str]]:
    """Return label → group keys that the pattern gives to its photos."""
    prefixes: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        prefixes[example.label].add(_group_key(pattern, example.relative_path))
    return prefixes


def _group_key(pattern: str, path: str) -> str:
    """Return the part of the path that names the object, or the whole path if it is a date."""
    key = _matched_text(re.search(pattern, path)) or path
    return path if _DATE_AT_END.search(key) else key


def _has_enough_groups(prefixes: Mapping[str, set[str]]) -> bool:
    """Return whether most classes have enough groups for all three splits."""
    num_sufficient = sum(len(found) >= _MIN_GROUPS_PER_CLASS for found in prefixes.values())
    return 2 * num_sufficient > len(prefixes)


def _by_length(key: str) -> tuple[int, str]:
    return len(key), key


def _search_all(group_by: str, paths: Sequence[str]) -> Iterator[str]:
    """Yield the text that the user's expression matches in each path, within a time limit.

    The package ``regex`` accepts the same expressions as ``re``, and has a timeout. It uses braces
    for fuzzy matching; they are escaped here, because they are literal in ``re``.
    """
    regex = require("regex", extra=None, feature="--group_by")
    try:
        pattern = regex.compile(_LITERAL_BRACE.sub(lambda found: found[1] or r"\{", group_by))
    except (regex.error, RecursionError, OverflowError) as error:
        raise DataError(
            f"--group_by {group_by!r} is not a regular expression ({error}). Correct it."
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
                f"--group_by {group_by!r} takes too long: it cannot search "
                f"{pluralize(len(paths), 'path')} in {seconds:.0f} seconds and stopped at "
                f"{path!r}. Remove nested repetitions such as (a+)+ from the expression."
            ) from error
        yield _matched_text(match)


def _matched_text(match: "re.Match[str] | None") -> str:
    """Return the first capture group of a match, or the whole match if that is empty."""
    if match is None:
        return ""
    return (match[1] if match.re.groups else None) or match[0]
