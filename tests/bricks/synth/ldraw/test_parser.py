"""Lines to arrays, and what is said about a line that is none."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricksight.bricks.synth.ldraw import parser
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.parser import parse, split_sections
from bricksight.bricks.synth.ldraw.surface.polygons import split_quads
from helpers.ldraw_files import CERTIFIED, IDENTITY, numbers

SQUARE = np.array([[0.0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]])


def area_vectors(triangles: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(triangles, 1, 0)
    vectors: np.ndarray = np.cross(b - a, c - a) / 2
    return vectors


def test_parse__reads_every_line_type() -> None:
    file = parse(
        "0 Brick  2 x  4\r\n"
        "0 Name: 3001.dat\r\n"
        "0 !LDRAW_ORG Part UPDATE 2004-03\r\n"
        "0 BFC CERTIFY CCW\r\n"
        "0 !CATEGORY Great Brick\r\n"
        "0 !KEYWORDS one, two words,\r\n"
        "\r\n"
        "  1 4 1 2 3 1 0 0 0 2 0 0 0 3 s\\a file.dat \r\n"
        "2\t24\t0 0 0 1 0 0\r\n"
        "3 0x2FF8000 0 0 0 1 0 0 0 1 0\r\n"
        f"4 16 {numbers(SQUARE)}\r\n"
        "5 24 0 0 0 0 1 0 1 0 0 -1 0 0",
        "3001.dat",
    )

    assert (file.title, file.kind, file.category) == ("Brick 2 x 4", "part", "Great Brick")
    assert file.keywords == ("one", "two words")
    (reference,) = file.references
    assert (reference.name, reference.colour, reference.line) == ("s\\a file.dat", 4, 8)
    assert reference.offset.tolist() == [1, 2, 3]
    assert reference.linear.tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 3]]
    assert file.triangles.shape == (3, 3, 3)
    assert file.colours.tolist() == [0x2FF8000, 16, 16]
    assert file.trusted.all()
    assert file.edges.tolist() == [[[0, 0, 0], [1, 0, 0]]]
    assert file.smooth_edges.tolist() == [[[0, 0, 0], [0, 1, 0]]]


def test_parse__category_is_the_first_word_of_the_title_without_its_mark() -> None:
    assert parse("0 ~Technic Pin", "x").category == "Technic"
    assert parse("", "x").category == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("6 16 0 0 0", "line 2: it starts with '6'; expected a line type from 0 to 5"),
        ("brick", "line 2: it starts with 'brick'"),
        (
            "1 16 0 0 0 1 0 0 0 1 0 0 0 1",
            "line 2: a line of type 1 with 14 words; expected '1 c",
        ),
        ("3 16 0 0 0 1 0 0 0 1", "a line of type 3 with 8 numbers after the colour; .* 9 numbers"),
        ("4 16 " + "0 " * 13, "a line of type 4 with 13 numbers after the colour; .* 12 numbers"),
        ("2 24 0 0 0 1 0 1,5", "'1,5' where a coordinate belongs; expected a number of LDU"),
        ("2 24 0 0 0 1 0 nan", "'nan' where a coordinate belongs"),
        ("2 24 0 0 0 1 0 -inf", "'-inf' where a coordinate belongs"),
        ("2 24 1e300 0 0 1 0 -1e300", "'1e300' where a coordinate belongs"),
        (
            "2 red 0 0 0 1 0 0",
            "the colour 'red'; expected a colour code such as 4, or 0x2RRGGBB",
        ),
        ("2 -1 0 0 0 1 0 0", "the colour '-1'"),
        ("2 0xFFFFFFFF 0 0 0 1 0 0", "the colour '0xFFFFFFFF'"),
    ],
)
def test_parse__names_file_and_line_of_a_malformed_line(line: str, message: str) -> None:
    with pytest.raises(LDrawError, match=rf"^parts/x\.dat, .*{message}.*fetch the file again"):
        parse(f"0 Title\n{line}\n", "parts/x.dat")


@given(st.text(alphabet="01 2345.-x\n\r\\BFCé\x0c\x85", max_size=200))
def test_parse__whatever_is_written_gives_a_file_or_an_ldraw_error(text: str) -> None:
    try:
        file = parse(text, "x")
    except LDrawError as error:
        line = int(str(error).split("line ")[1].split(":")[0])
        assert 1 <= line <= 1 + text.count("\n") + text.count("\r")
    else:
        assert len(file.triangles) == len(file.colours) == len(file.trusted)


@pytest.mark.parametrize(
    ("header", "trusted"),
    [
        ("0 BFC CERTIFY CCW", True),
        ("0 BFC CERTIFY", True),
        ("0 bfc ccw", True),
        ("0 BFC NOCERTIFY", False),
        ("0 BFC CERTIFY CCW\n0 BFC NOCLIP", False),
        ("0 BFC CERTIFY CCW\n0 BFC NOCLIP\n0 BFC CLIP", True),
        ("2 24 0 0 0 1 0 0\n0 BFC CERTIFY CCW", False),
        ("", False),
    ],
)
def test_parse__trusts_a_winding_that_is_certified_before_the_first_line(
    header: str, trusted: bool
) -> None:
    file = parse(f"0 Title\n{header}\n3 16 0 0 0 1 0 0 0 1 0\n1 16 {IDENTITY} a.dat", "x")

    assert file.trusted.tolist() == [trusted]
    assert file.references[0].trusted is trusted


def test_parse__turns_clockwise_faces_round() -> None:
    triangle = "3 16 0 0 0 1 0 0 0 1 0\n"
    square = f"4 16 {numbers(SQUARE)}\n"

    file = parse(f"0 T\n{CERTIFIED}\n{triangle}{square}0 BFC CW\n{triangle}{square}", "x")

    assert np.sign(area_vectors(file.triangles)[:, 2]).tolist() == [1, -1, 1, 1, -1, -1]


def test_parse__invertnext_holds_for_the_next_drawing_line_alone() -> None:
    reference = f"1 16 {IDENTITY} a.dat\n"

    file = parse(
        f"0 T\n{CERTIFIED}\n0 BFC INVERTNEXT\n0 // a comment\n\n{reference}{reference}"
        f"0 BFC INVERTNEXT\n2 24 0 0 0 1 0 0\n{reference}",
        "x",
    )

    assert [reference.inverted for reference in file.references] == [True, False, False]


def test_parse__texture_lines_are_comments() -> None:
    file = parse("0 T\n0 !: 3 16 0 0 0 1 0 0 0 1 0\n", "x")

    assert len(file.triangles) == 0


@pytest.mark.parametrize(
    ("title", "target"),
    [("~Moved to 3001", "3001.dat"), ("~Moved To 3001", "3001.dat"), ("=Brick", "3001.dat"),
     ("~Brick (Obsolete)", None), ("Brick", None)],
)  # fmt: skip
def test_stands_for__is_where_an_old_number_or_alias_leads(title: str, target: str | None) -> None:
    assert parse(f"0 {title}\n1 16 {IDENTITY} 3001.dat\n", "x").stands_for == target


def test_split_sections__takes_what_is_between_file_and_nofile() -> None:
    sections = split_sections(
        "Dear all,\n0 FILE main car.ldr\n0 Car\n0 NOFILE\nbest regards\n"
        "0 file Wheel.dat\r\n0 Wheel\n"
        "0 FILE main car.ldr\n0 Another\n0 !DATA x.png\n0 !: abc\n"
    )

    assert sections == {"main car.ldr": (2, "0 Car"), "Wheel.dat": (6, "0 Wheel")}
    assert split_sections("0 Brick\n0 Name: x.dat\n") == {}


def test_parse__counts_lines_from_the_start_of_an_mpd() -> None:
    with pytest.raises(LDrawError, match=r"^x, line 12: "):
        parse("0 T\nwrong", "x", lines_before=10)


def test_split_quads__takes_the_shorter_diagonal_of_a_flat_one() -> None:
    kite = np.array([[[0.0, 0, 0], [1, -1, 0], [5, 0, 0], [1, 1, 0]]])

    triangles, source, crossed = split_quads(kite)

    assert source.tolist() == [0, 0]
    assert not crossed.any()
    long_side = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max()
    assert long_side < 4.2
    assert area_vectors(triangles)[:, 2].sum() == pytest.approx(5)


@pytest.mark.parametrize("turn", range(4))
def test_split_quads__splits_a_concave_one_inside(turn: int) -> None:
    arrow = np.array([[0.0, 0, 0], [4, -2, 0], [1, 0, 0], [4, 2, 0]])

    triangles, _, crossed = split_quads(np.roll(arrow, turn, axis=0)[None])

    assert not crossed.any()
    assert (area_vectors(triangles)[:, 2] > 0).all()
    assert area_vectors(triangles)[:, 2].sum() == pytest.approx(2)


def test_split_quads__splits_a_bent_one_where_it_folds_least() -> None:
    bent = np.array([[[0.0, 0, 0], [1, 0, 0], [1.1, 1.1, 2], [0, 1, 0]]])

    triangles, _, _ = split_quads(bent)

    n0, n1 = area_vectors(triangles)
    cosine = n0 @ n1 / np.linalg.norm(n0) / np.linalg.norm(n1)
    a, b, c, d = bent[0]
    m0, m1 = np.cross(b - a, c - a), np.cross(c - a, d - a)
    assert cosine > m0 @ m1 / np.linalg.norm(m0) / np.linalg.norm(m1)


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 1, 3, 2)])
def test_split_quads__mends_a_bow_tie_and_says_so(order: tuple[int, ...]) -> None:
    triangles, _, crossed = split_quads(np.stack([SQUARE[list(order)], SQUARE]))

    assert crossed.tolist() == [True, False]
    assert abs(area_vectors(triangles[:2])[:, 2].sum()) == pytest.approx(2)


@given(st.lists(st.floats(0.2, 1.0), min_size=4, max_size=4), st.floats(0, 6.28), st.floats(-9, 9))
def test_split_quads__keeps_area_and_winding(
    gaps: list[float], start: float, height: float
) -> None:
    angles = start + np.cumsum(gaps) / sum(gaps) * 2 * np.pi
    quad = np.stack([np.cos(angles), np.sin(angles), np.full(4, height)], axis=1)
    x, y = quad[:, 0], quad[:, 1]

    triangles, _, crossed = split_quads(quad[None])

    assert not crossed.any()
    areas = area_vectors(triangles)[:, 2]
    assert areas.min() > 0
    assert areas.sum() == pytest.approx((x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def test_parse__refuses_more_shapes_than_a_part_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_SHAPES", 3)
    with pytest.raises(LDrawError, match=r"a\.dat, line 4: more than 3 triangles, lines and ref"):
        parse("3 16 0 0 0 1 0 0 0 1 0\n" * 4, "a.dat")


def test_parse__empty_lines_take_no_memory() -> None:
    text = "\n" * 50_000
    tracemalloc.start()
    assert not len(parse(text, "a.dat").triangles)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "line",
    ["3 16 " + "1" * 9_000, "1" * 9_000, "3 " + "1" * 9_000 + " 0" * 9, "3 16 " + "1" * 20_000],
)
def test_parse__messages_are_cut(line: str) -> None:
    with pytest.raises(LDrawError) as caught:
        parse(line, "a.dat")
    assert len(str(caught.value)) < 500
