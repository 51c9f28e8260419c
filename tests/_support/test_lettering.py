"""Names on pictures and plots: glyphs where a font has them, escapes where none has, no boxes."""

import sys
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from bricksight._support import lettering
from bricksight._support.lettering import draw_text, drawable, elided, text_width
from bricksight._support.plotting import new_figure

DEJAVU = Path(lettering.__file__).with_name("fonts") / "DejaVuSans.ttf"
BRICK = "\u7a4d"
EMPTY = "\u6728"  # a character for which the font has a glyph without outlines, as of emoji


@pytest.fixture(autouse=True)
def fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which the system keeps its fonts; there are none in it."""
    if sys.platform == "darwin":
        pytest.skip("the folders of fonts are fixed")
    for name in ("XDG_DATA_DIRS", "XDG_DATA_HOME", "HOME", "WINDIR", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    folder = tmp_path / "fonts"
    folder.mkdir()

    def forget() -> None:
        for one in vars(lettering).values():
            if hasattr(one, "cache_clear"):
                one.cache_clear()

    forget()
    yield folder
    forget()


@pytest.fixture
def brick_font(fonts: Path) -> Path:
    """A font on the system whose one glyph with outlines is a square."""
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "brick", "empty"])
    builder.setupCharacterMap({ord(BRICK): "brick", ord(EMPTY): "empty"})
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    nothing = TTGlyphPen(None).glyph()
    builder.setupGlyf({".notdef": nothing, "brick": pen.glyph(), "empty": nothing})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "brick", "empty"), (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Bricks", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = fonts / "bricks.ttf"
    builder.save(path)
    return path


def drawn(text: str, **settings: object) -> np.ndarray:
    picture = Image.new("RGB", (400, 30), "white")
    draw_text(ImageDraw.Draw(picture), (5, 5), text, size=16, colour=(0, 0, 0), **settings)  # type: ignore[arg-type]
    return np.asarray(picture)


@pytest.mark.parametrize("name", ["Łódź", "größe", "Ж", "αβγ", "مكعب", "לבנה", "100 %…"])
def test_drawable__dejavu_has_many_scripts(name: str) -> None:
    assert drawable(name) == name


def test_drawable__dejavu_has_the_characters_that_freetype_lists() -> None:
    listed = FT2Font(str(DEJAVU)).get_charmap()
    for character in map(
        chr, (*range(0x20, 0x3000), *range(0xFB00, 0xFE00), *range(0x1D400, 0x1F700))
    ):
        is_own = not unicodedata.combining(character) and unicodedata.is_normalized(
            "NFC", character
        )
        if character.isprintable() and is_own:
            assert (drawable(character) == character) == (ord(character) in listed), hex(
                ord(character)
            )


def test_drawable__what_no_font_has_is_an_escape() -> None:
    assert drawable(f"{BRICK} 2x4") == "\\u7a4d 2x4"
    assert drawable("🧱\x1b\u202e\udce9") == "\\U0001f9f1\\x1b\\u202e\\xe9"
    assert drawable("👩\u200d🔧") == "\\U0001f469\u200d\\U0001f527"


def test_drawable__letters_and_their_marks_are_one() -> None:
    assert drawable("e\u0301") == "é"


def test_draw_text__a_font_of_the_system_draws_what_dejavu_lacks(brick_font: Path) -> None:
    assert drawable(f"{BRICK} 2x4") == f"{BRICK} 2x4"
    square = (drawn(BRICK) == 0).all(axis=2)
    rows, columns = np.nonzero(square)
    assert square.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1) > 100
    letters = ImageFont.truetype(str(brick_font), 16)
    together = text_width("a", 16) + letters.getlength(BRICK)
    assert text_width(f"a{BRICK}", 16) == pytest.approx(together)


def test_draw_text__a_glyph_that_is_not_seen_is_no_glyph(brick_font: Path) -> None:
    assert drawable(EMPTY) == "\\u6728"


def test_draw_text__a_font_that_cannot_be_read_is_passed_over(
    brick_font: Path, fonts: Path
) -> None:
    (fonts / "a.ttf").write_text("no font")
    (fonts / "b.ttf").symlink_to("gone.ttf")
    assert drawable(BRICK) == BRICK


def test_draw_text__stays_in_its_room_and_at_its_anchor() -> None:
    for anchor, left, right in (("la", 5, 105), ("ma", 0, 56), ("ra", 0, 6)):
        columns = np.nonzero((drawn("x" * 200, room=100, anchor=anchor) < 200).any(axis=(0, 2)))[0]
        assert left <= columns.min()
        assert columns.max() <= right


def test_elided__keeps_what_look_alikes_differ_by() -> None:
    names = ["3001_brick_2x4", "3002_brick_2x3", "3003_brick_2x2"]
    lines = [elided(name, lambda line: len(line) <= 9) for name in names]
    assert lines == ["3001…_2x4", "3002…_2x3", "3003…_2x2"]
    assert elided("red", lambda line: len(line) <= 3) == "red"
    assert elided("red", lambda line: not line) == ""


@pytest.mark.parametrize("name", ["$5 to $10", r"a$\frac$b", "$x^$"])
def test_new_figure__names_are_drawn_as_they_are(name: str, tmp_path: Path) -> None:
    with new_figure(4, 1, names=[name]) as figure:
        text = figure.text(0, 0, name)
        figure.savefig(tmp_path / "plot.png")
        wide = text.get_window_extent().width
        text.set_text(name.replace("$", "S"))
        assert wide == pytest.approx(text.get_window_extent().width, rel=0.05)


def test_new_figure__finds_the_fonts_of_names(brick_font: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a glyph that it has not
        with new_figure(4, 1, names=[BRICK]) as figure:
            figure.text(0, 0, f"{BRICK} 2x4")
            figure.savefig(tmp_path / "plot.png")
