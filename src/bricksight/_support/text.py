"""Text in messages and files: numbers, lists of names, and names from outside made safe."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# Control, format (bidirectional marks among them), surrogate and private characters, and the
# separators that some programs take for the end of a line.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d\ufe0f")  # emoji and some scripts are not written without them

_LAID_OUT = re.compile(r"\n(?=  )")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PERHAPS_UNSAFE_IN_JSON = re.compile(r"[^\n\x20-\x7e]")


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as ``"1 photo"`` or ``"1,200 photos"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Return a share of 1 in percent, such as ``"86.6 %"``."""
    return f"{100 * share:.1f} %"


def about(seconds: float) -> str:
    """Return a time that is no more than roughly known: "40 s", "12 min" or "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def some(names: Sequence[str], *, limit: int = 5) -> str:
    """Return the first names, quoted, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def printable(text: str) -> str:
    r"""Return a name or a message from outside as one line that is safe to show in a terminal.

    Characters that are not drawn are shown as escapes: ``\x1b``, ``\n``, ``\u202e``. Bytes of a
    file name that are no text, which Python keeps as surrogates, are shown as ``\xe9``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(escaped(one) if _is_hidden(one) else one for one in text)


def encodable(text: str) -> str:
    r"""Return a name with the bytes that are no text, which no encoding has, shown as ``\xe9``."""
    return _SURROGATE.sub(lambda found: escaped(found[0]), text)


def message_lines(text: str) -> list[str]:
    r"""Return the lines of a message of ours, each safe to show in a terminal.

    Further lines of our messages are indented by two spaces. A line break before anything else is
    part of a name or of another program's message, and is shown as ``\n``: no name from outside
    can pass for a line of ours.
    """
    return [printable(line) for line in _LAID_OUT.split(text)]


def escaped(character: str) -> str:
    r"""Return a character as ``\xe9``, ``\u202e`` or ``\U0001f9f1``."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character.isascii() and character.isprintable():
        return f"\\x{code:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, *, limit: int = 200) -> str:
    """Return a text from outside cut to ``limit`` characters, with what it had before if more."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def json_text(content: Any, *, indent: int | None = None, encoding: str = "utf-8") -> str:
    r"""Return JSON that is safe to show in a terminal and can be written in ``encoding``.

    Text stays readable. Characters that are not drawn, or that the encoding lacks, are ``\uXXXX``
    escapes, which a reader of JSON takes back. So are bytes of a file name that are no text:
    ``os.fsencode`` makes the name's bytes of what ``json.loads`` gives.
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
    """Return whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def is_joiner(character: str) -> bool:
    """Return whether a character is not drawn itself, but changes how its neighbours are."""
    return character in _JOINERS


def _is_hidden(character: str) -> bool:
    return not is_joiner(character) and unicodedata.category(character) in _NOT_SHOWN
