"""Numbers and lists of names in the words of a message."""

import unicodedata
from collections.abc import Sequence

# Control, format (bidirectional marks among them), surrogate and private characters, and the
# separators that some programs take for the end of a line.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d\ufe0f")  # emoji and some scripts are not written without them


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun, such as ``"1 photo"`` or ``"1,200 photos"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Returns a share of 1 in percent, such as ``"86.6 %"``."""
    return f"{100 * share:.1f} %"


def some(names: Sequence[str], *, limit: int = 5) -> str:
    """Returns the first names, quoted, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def printable(text: str) -> str:
    """Returns a name or a message from outside as one line that is safe to show in a terminal.

    Characters that are not drawn are shown as escapes: ``\\x1b``, ``\\n``, ``\\u202e``. Bytes of a
    file name that are no text, which Python keeps as surrogates, are shown as ``\\xe9``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _NOT_SHOWN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, *, limit: int = 200) -> str:
    """Returns a text from outside cut to ``limit`` characters, with what it had before if more."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
