"""Draw text on images and plots, in every script for which the system has a font."""

import functools
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import ImageDraw, ImageFont

from bricksight._support.optional import require
from bricksight._support.text import escaped, is_joiner, printable

Colour = tuple[int, int, int]

_SURELY_IN_DEJAVU = re.compile("[ -\u024f…]*")
_DEJAVU = str(Path(__file__).with_name("fonts") / "DejaVuSans.ttf")
_FONT_FILES = (".ttf", ".otf", ".ttc")
_NO_CHARACTER = "\uffff"  # Unicode keeps it free, so fonts draw it as missing
_TRIAL_SIZE = 20
_SPECIAL = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "condensed")
_DRAWS_BOXES = ("lastresort", "notdef", "blank")


def draw_text(
    canvas: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    size: float,
    colour: Colour,
    room: float | None = None,
    anchor: str = "la",
) -> None:
    r"""Draw one line of text.

    Args:
        canvas: Pillow's drawing context.
        place: Position of the anchor, (x, y) in pixels.
        text: Any text; characters without a font are drawn as escapes such as ``\u7a4d``.
        size: Font size in pixels.
        colour: Colour, in the channel order of the image.
        room: Largest width in pixels; the middle of a longer text is replaced by an ellipsis.
        anchor: Pillow's anchor: l, m or r (horizontal), then a or m (vertical).
    """
    pixels = round(size)
    text = _fitting(text, pixels, room)
    x, y = place
    x -= text_width(text, size) * {"l": 0, "m": 0.5, "r": 1}[anchor[0]]
    ascent, descent = _font(_DEJAVU, pixels).getmetrics()
    y += ascent if anchor[1] == "a" else (ascent - descent) / 2
    for piece, file in _pieces(text):
        letters = _font(file, pixels)
        canvas.text((x, y), piece, fill=colour, font=letters, anchor="ls")
        x += letters.getlength(piece)


@functools.lru_cache(4096)
def _fitting(text: str, size: int, room: float | None) -> str:
    return text if room is None else elided(text, lambda line: text_width(line, size) <= room)


def text_width(text: str, size: float) -> float:
    """Return the width of a text in pixels when drawn by ``draw_text``."""
    return sum(_font(file, round(size)).getlength(piece) for piece, file in _pieces(text))


def elided(text: str, fits: Callable[[str], bool]) -> str:
    """Shorten a text that does not fit by replacing its middle with an ellipsis.

    Args:
        text: One line of text.
        fits: Function that returns whether a line fits.
    """
    if fits(text):
        return text
    fitting, too_many = 0, len(text)
    while too_many - fitting > 1:
        kept = (fitting + too_many) // 2
        if fits(_without_middle(text, kept)):
            fitting = kept
        else:
            too_many = kept
    return _without_middle(text, fitting) if fitting else ""


def _without_middle(text: str, kept: int) -> str:
    end = kept // 2
    return f"{text[: kept - end]}…{text[len(text) - end :]}"


def drawable(text: str) -> str:
    """Replace characters without a font by escapes, as ``draw_text`` does."""
    return "".join(piece for piece, _ in _pieces(text))


def font_families(texts: Iterable[str]) -> list[str]:
    """Return the font families that matplotlib needs for ``drawable`` texts."""
    font_manager = require("matplotlib.font_manager", extra="check", feature="Drawing a plot")
    files = dict.fromkeys(file for text in texts for _, file in _pieces(text))
    files.pop(_DEJAVU, None)  # matplotlib has it too
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans"]
    for file in files:
        if file not in known:
            font_manager.fontManager.addfont(file)
        families.append(font_manager.FontProperties(fname=file).get_name())
    return list(dict.fromkeys(families))


@functools.lru_cache(4096)
def _pieces(text: str) -> tuple[tuple[str, str], ...]:
    """Split a text into pieces with one font each: (piece, font file)."""
    text = unicodedata.normalize("NFC", printable(text))
    if _SURELY_IN_DEJAVU.fullmatch(text):
        return ((text, _DEJAVU),)
    pieces: list[tuple[str, str]] = []
    for character in text:
        last = pieces[-1][1] if pieces else _DEJAVU
        shown, file = _placed(character, last)
        if file == last and pieces:
            shown = pieces.pop()[0] + shown
        pieces.append((shown, file))
    return tuple(pieces)


def _placed(character: str, last: str) -> tuple[str, str]:
    """Return the text and the font file for a character; ``last`` is the font before it."""
    belongs_to_it = unicodedata.combining(character) or is_joiner(character)
    for file in (last, _DEJAVU) if belongs_to_it else (_DEJAVU, last):
        if _has(file, character):
            return character, file
    if is_joiner(character):
        return "", last
    file = _system_font_with(character)
    return (character, file) if file else (escaped(character), _DEJAVU)


@functools.lru_cache(4096)
def _system_font_with(character: str) -> str:
    """Return the file of a system font that has a character, "" if there is none."""
    found = (file for file in _system_fonts() if _has(file, character))
    return next((file for file in found if _draws(file, character)), "")


@functools.cache
def _system_fonts() -> list[str]:
    """Return the font files of the system, regular styles first."""
    found = (path for folder in _font_folders() for path in folder.rglob("*"))
    files = [str(path) for path in found if path.suffix.lower() in _FONT_FILES]
    files = [one for one in files if not _is_named(one, _DRAWS_BOXES)]
    return sorted(files, key=lambda one: (_is_named(one, _SPECIAL), Path(one).name))


def _font_folders() -> list[Path]:
    """Return where the system keeps its fonts, and where the user does."""
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData" / "Local"))
        windows = os.environ.get("WINDIR", "C:/Windows")
        return [Path(windows) / "Fonts", Path(local) / "Microsoft" / "Windows" / "Fonts"]
    if sys.platform == "darwin":
        return [Path("/Library/Fonts"), Path("/System/Library/Fonts"), home / "Library" / "Fonts"]
    data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    user = os.environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    folders = [Path(one) / "fonts" for one in (*data.split(":"), user)]
    return [*folders, home / ".fonts"]


def _is_named(file: str, words: Iterable[str]) -> bool:
    return any(word in Path(file).stem.lower() for word in words)


@functools.lru_cache(16384)
def _has(file: str, character: str) -> bool:
    """Return whether a font has a character; a file that cannot be read has none."""
    try:
        return _glyph(file, character) != _glyph(file, _NO_CHARACTER)
    except OSError:
        return False


def _glyph(file: str, character: str) -> tuple[tuple[int, int], tuple[int, int], bytes]:
    """Return size, place and pixels of one character as the font alone draws it."""
    # The other layout engine hides what is not in the font, such as joiners.
    font = _font(file, _TRIAL_SIZE, ImageFont.Layout.BASIC)
    pixels, place = font.getmask2(character, mode="L")
    return pixels.size, place, bytes(pixels)


def _draws(file: str, character: str) -> bool:
    """Return whether a font draws a character visibly; colour emoji fonts may not."""
    try:
        return _font(file, _TRIAL_SIZE).getmask(character).getbbox() is not None
    except OSError:
        return False


@functools.lru_cache(256)
def _font(file: str, size: int, engine: ImageFont.Layout | None = None) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size, layout_engine=engine)
