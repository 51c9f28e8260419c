"""Read JSON with limits for size and depth."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import read_whole

MOST_BYTES = 32 << 20
MOST_LEVELS = 50


def read_json(path: Path, *, most_bytes: int = MOST_BYTES) -> Any:
    """Read a JSON file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not JSON, larger than ``most_bytes``, nested deeper than ``MOST_LEVELS``,
            or has a duplicate key or invalid Unicode.
    """
    return parse_json(read_whole(path, most_bytes=most_bytes))


def parse_json(content: bytes) -> Any:
    """Parse the content of a JSON file; see ``read_json``.

    Raises:
        ValueError: It is not JSON, or exceeds a limit; see ``read_json``.
    """
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _require_plain(found, MOST_LEVELS)
    return found


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"it has the key {twice!r} twice")
    return found


def _require_plain(value: Any, levels: int) -> None:
    if isinstance(value, str):
        _require_text(value)
    elif isinstance(value, dict | list):
        if not levels:
            raise ValueError(f"it is nested deeper than {MOST_LEVELS} levels")
        if isinstance(value, dict):
            for name in value:
                _require_text(name)
        for one in value.values() if isinstance(value, dict) else value:
            _require_plain(one, levels - 1)


def _require_text(value: str) -> None:
    """Refuse lone surrogates, except those by which os.fsdecode represents bytes of a path."""
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"{value!a} is not valid Unicode ({error.reason})") from error
