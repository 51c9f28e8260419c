"""What a class may be called whose renders are to be written into a folder of that name."""

import os
import re
from collections.abc import Sequence

from bricksight._support.text import shortened
from bricksight.errors import ConfigError

_MAX_BYTES = 200  # file systems take 255, and temporary names add to it
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_NOT_ON_WINDOWS = frozenset('<>:"|?*')


def require_folder_names(labels: Sequence[str]) -> None:
    """Checks that each class can be a folder of its own, inside the folder of all.

    Raises:
        ConfigError: a label leads elsewhere, cannot be a folder's name, or is another one's.
    """
    seen: dict[str, str] = {}
    for label in labels:
        if reason := _unfit(label):
            shown = shortened(label, limit=80) if isinstance(label, str) else label
            raise ConfigError(
                f"The part {shown!r} cannot be a class, as {reason}. Name parts such as 3001 or "
                "3001_brick_2x4."
            )
        # Some disks take two that differ by case for one.
        if (key := label.casefold()) in seen:
            raise ConfigError(
                f"The parts {seen[key]!r} and {label!r} would share a folder. Name one of them."
            )
        seen[key] = label


def _unfit(label: object) -> str | None:
    """Returns why a label cannot be a folder's name, ``None`` if it can."""
    if not isinstance(label, str):
        return "a class is named by text"
    if not label.strip() or label != label.strip() or label.endswith("."):
        return "it is empty, or begins or ends with a blank or ends with a dot"
    if "/" in label or "\\" in label:
        return "it holds a separator of folders"
    if any(ord(character) < 32 or ord(character) == 127 for character in label):
        return "it holds control characters"
    if len(label.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        return f"it is longer than {_MAX_BYTES} bytes"
    if label.startswith("."):
        return "folders that begin with a dot are hidden"
    if _RESERVED.fullmatch(label) or (os.name == "nt" and _NOT_ON_WINDOWS & set(label)):
        return "Windows has no such folder"
    return None
