"""Text for messages and files: numbers, lists of names, escaping of untrusted names."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# Unicode categories that are escaped: control, format (such as bidirectional marks), surrogate,
# private use and unassigned characters, line and paragraph separators.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d\ufe0f")  # emoji and some scripts are not written without them

_LAID_OUT = re.compile(r"\n(?=  )")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PERHAPS_UNSAFE_IN_JSON = re.compile(r"[^\n\x20-\x7e]")


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number with its noun, such as ``"1 photo"`` or ``"1,200 photos"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Format a fraction as percentage, such as ``"86.6 %"``."""
    return f"{100 * share:.1f} %"


def about(seconds: float) -> str:
    """Format an approximate duration: "40 s", "12 min" or "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def some(names: Sequence[str], *, limit: int = 5) -> str:
    """Format the first names of a list, quoted, with the number of the others."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def printable(text: str) -> str:
    r"""Escape untrusted text to one line that is safe to print to a terminal.

    Invisible characters become escapes: ``\x1b``, ``\n``, ``\u202e``. Bytes of a file name that are
    not UTF-8, which Python represents as surrogates, become ``\xe9``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(escaped(one) if _is_hidden(one) else one for one in text)


def encodable(text: str) -> str:
    r"""Escape bytes of a file name that are not UTF-8 as ``\xe9``, so that it can be encoded."""
    return _SURROGATE.sub(lambda found: escaped(found[0]), text)


def message_lines(text: str) -> list[str]:
    r"""Split a message of bricksight into lines that are safe to print to a terminal.

    Only a line break before two spaces starts a new line. Any other line break is part of a name or
    of another program's message and is escaped as ``\n``, so that an untrusted name cannot forge a
    line of the message.
    """
    return [printable(line) for line in _LAID_OUT.split(text)]


def escaped(character: str) -> str:
    r"""Return the escape of a character, such as ``\xe9``, ``\u202e`` or ``\U0001f9f1``."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character.isascii() and character.isprintable():
        return f"\\x{code:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, *, limit: int = 200) -> str:
    """Cut a text to ``limit`` characters and append its original length."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def json_text(content: Any, *, indent: int | None = None, encoding: str = "utf-8") -> str:
    r"""Serialize to JSON that is safe to print to a terminal and can be written in ``encoding``.

    Invisible characters and those that the encoding lacks become ``\uXXXX`` escapes, which JSON
    readers restore. So do bytes of a file name that are not UTF-8: ``os.fsencode`` restores them
    from the result of ``json.loads``.
    """
    import json  # noqa: PLC0415  (not for --help)

    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return _PERHAPS_UNSAFE_IN_JSON.sub(lambda found: _in_json(found[0], encoding), text)


def _in_json(character: str, encoding: str) -> str:
    if _is_hidden(character) or not can_encode(character, encoding):
        import json  # noqa: PLC0415

        return json.dumps(character)[1:-1]
    return character


def can_encode(text: str, encoding: str) -> bool:
    """Return whether a text can be encoded."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def is_joiner(character: str) -> bool:
    """Return whether a character is invisible but changes how its neighbours are drawn."""
    return character in _JOINERS


def _is_hidden(character: str) -> bool:
    return not is_joiner(character) and unicodedata.category(character) in _NOT_SHOWN
