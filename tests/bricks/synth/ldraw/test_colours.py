"""LDConfig.ldr: colours, finishes, and lines that are wrong."""

from pathlib import Path

import pytest

from bricksight.bricks.synth.ldraw import Grains, LDrawColour, find_library
from bricksight.bricks.synth.ldraw.colours import direct_colour, parse_colours
from bricksight.bricks.synth.ldraw.errors import LDrawError
from helpers.ldraw_files import write_library

START = "0 !COLOUR Some_Colour CODE 70 VALUE #112233 EDGE #445566"


@pytest.mark.parametrize(
    ("rest", "alpha", "luminance", "finish"),
    [
        ("", 1, 0, "solid"),
        ("ALPHA 128", 128 / 255, 0, "transparent"),
        ("alpha 240 luminance 15", 240 / 255, 15 / 255, "transparent"),
        ("CHROME", 1, 0, "chrome"),
        ("PEARLESCENT", 1, 0, "pearlescent"),
        ("ALPHA 128 RUBBER", 128 / 255, 0, "rubber"),
        ("MATTE_METALLIC", 1, 0, "matte_metallic"),
        ("METAL", 1, 0, "metal"),
        ("MATERIAL FABRIC VELVET", 1, 0, "fabric"),
    ],
)
def test_parse_colours__reads_finishes(
    rest: str, alpha: float, luminance: float, finish: str
) -> None:
    colours = parse_colours(f"0 // comment\n{START} {rest}\n", "x")

    assert colours == {
        70: LDrawColour(
            code=70,
            name="Some_Colour",
            rgb=(0x11, 0x22, 0x33),
            edge=(0x44, 0x55, 0x66),
            alpha=alpha,
            luminance=luminance,
            finish=finish,
        )
    }


def test_parse_colours__reads_glitter_and_speckle() -> None:
    text = (
        f"{START} ALPHA 128 MATERIAL GLITTER VALUE 0xFFFFFF FRACTION 0.17 VFRACTION 0.2 SIZE 1\n"
        f"{START.replace('70', '71')} MATERIAL SPECKLE VALUE #0000FF ALPHA 51 FRACTION 0.4 "
        "MINSIZE 1 MAXSIZE 3"
    )

    colours = parse_colours(text, "x")

    assert (colours[70].finish, colours[70].alpha) == ("glitter", 128 / 255)
    assert colours[70].grains == Grains((255, 255, 255), 1.0, 0.17, 0.2, 1.0, 1.0)
    assert colours[71].finish == "speckle"
    assert colours[71].grains == Grains((0, 0, 255), 0.2, 0.4, 0.0, 1.0, 3.0)


def test_parse_colours__edge_may_be_the_code_of_a_later_colour() -> None:
    text = "0 !COLOUR A CODE 1 VALUE #000000 EDGE 2\n0 !COLOUR B CODE 2 VALUE #010203 EDGE #000000"

    assert parse_colours(text, "x")[1].edge == (1, 2, 3)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0 !COLOUR", "the colour has no name"),
        ("0 !COLOUR A VALUE #112233 EDGE #112233", "CODE is missing"),
        ("0 !COLOUR A CODE 1 EDGE #112233", "VALUE is missing"),
        ("0 !COLOUR A CODE 1 VALUE #112233", "EDGE is missing"),
        ("0 !COLOUR A CODE one VALUE #112233 EDGE #112233", "CODE is 'one', which is not a whole"),
        (
            "0 !COLOUR A CODE 1 VALUE 112233 EDGE #112233",
            "VALUE is '112233', which is not of the f",
        ),
        ("0 !COLOUR A CODE 1 VALUE #11223 EDGE #112233", "VALUE is '#11223'"),
        ("0 !COLOUR A CODE 1 VALUE #112233 EDGE #11223G", "EDGE is '#11223G'"),
        (
            "0 !COLOUR A CODE 1 VALUE #112233 EDGE 9",
            "EDGE names the colour 9, which is not defined",
        ),
        (f"{START} ALPHA 256", "ALPHA is 256, more than 255"),
        (f"{START} ALPHA", "nothing follows ALPHA"),
        (f"{START} SHINY", "'SHINY' is no tag of a colour"),
        (f"{START} MATERIAL", "no word follows MATERIAL"),
        (f"{START} MATERIAL GLITTER VALUE #112233", "FRACTION of the MATERIAL is missing"),
        (f"{START} MATERIAL SPECKLE VALUE #112233 FRACTION x", "FRACTION is 'x', which is not a n"),
    ],
)
def test_parse_colours__names_file_and_line_of_a_malformed_colour(line: str, found: str) -> None:
    with pytest.raises(LDrawError, match=rf"^dir/LDConfig\.ldr, line 3: {found}.*Expected '0 !C"):
        parse_colours(f"0 LDraw.org Configuration File\n\n{line}\n", "dir/LDConfig.ldr")


def test_direct_colour__is_spelt_by_its_code() -> None:
    assert direct_colour(0x2FF8001) == LDrawColour(
        0x2FF8001, "0x2FF8001", rgb=(255, 128, 1), edge=(255, 128, 1)
    )
    see_through = direct_colour(0x30000FF)
    assert see_through is not None
    assert (see_through.alpha, see_through.finish) == (0.5, "transparent")
    assert direct_colour(512) is None
    assert direct_colour(0x4000000) is None


def test_library__colours_come_from_its_configuration(tmp_path: Path) -> None:
    root = write_library(tmp_path, {"parts/1.dat": "0 Part"})

    with pytest.raises(LDrawError, match=r"has no LDConfig\.ldr, .* Fetch it from https://library"):
        _ = find_library(root).colours
    (root / "LDConfig.ldr").write_text(START)
    library = find_library(root)

    assert list(library.colours) == [70]
    assert library.colour(70).name == "Some_Colour"
    assert library.colour(0x2000000).rgb == (0, 0, 0)
    with pytest.raises(LDrawError, match="The colour 71 is not defined in the library"):
        library.colour(71)


@pytest.mark.parametrize("tag", ["CODE", "VALUE", "ALPHA"])
def test_parse_colours__messages_are_cut(tag: str) -> None:
    tags = {"CODE": "4", "VALUE": "#B40000", "EDGE": "#333333"} | {tag: "9" * 100_000}
    line = "0 !COLOUR Red " + " ".join(f"{name} {value}" for name, value in tags.items())
    with pytest.raises(LDrawError) as caught:
        parse_colours(line, "LDConfig.ldr")
    assert len(str(caught.value)) < 500
