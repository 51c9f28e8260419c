"""Files within files: placing, winding, colours, and limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricksight.bricks.synth.ldraw import geometry
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.geometry import Geometry, Shelf, flatten, look_up_name
from bricksight.bricks.synth.ldraw.parser import LDrawFile, parse
from bricksight.bricks.synth.ldraw.surface.winding import orient
from helpers.ldraw_files import IDENTITY, cube, numbers, part, signed_volume

SCALES = st.floats(0.2, 5).flatmap(lambda size: st.sampled_from([size, -size]))


class Shown:
    """A shelf of texts."""

    places = "the test"

    def __init__(self, **files: str) -> None:
        self.files = {name: parse(text, f"{name}.dat") for name, text in files.items()}

    def find(self, name: str) -> tuple[LDrawFile, Shelf] | None:
        file = self.files.get(look_up_name(name).removesuffix(".dat"))
        return None if file is None else (file, self)

    def flat(self, name: str) -> Geometry:
        return flatten(self.files[name], self, {})


def line(linear: np.ndarray, name: str, *, offset: tuple[float, ...] = (0, 0, 0)) -> str:
    return f"1 16 {numbers([offset])} {numbers(linear)} {name}"


def rotation(turn: list[float]) -> np.ndarray:
    """A rotation from any four numbers that are not all 0, as a quaternion."""
    w, x, y, z = np.array(turn) / np.linalg.norm(turn)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@given(
    st.lists(st.floats(0.1, 1), min_size=4, max_size=4),
    st.lists(SCALES, min_size=3, max_size=3),
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.booleans(),
)
def test_flatten__keeps_the_outside_outside_through_any_placing(
    turn: list[float], scales: list[float], offset: list[float], inverted: bool
) -> None:
    linear = rotation(turn) * scales
    invert = ["0 BFC INVERTNEXT"] if inverted else []
    shelf = Shown(box=cube(), part=part(*invert, line(linear, "box.dat", offset=tuple(offset))))

    flat = shelf.flat("part")

    size = signed_volume(flat.triangles - np.array(offset))
    expected = 8 * abs(np.prod(scales)) * (-1 if inverted else 1)
    assert size == pytest.approx(expected, rel=1e-3)
    assert flat.trusted.all()


def test_flatten__inverts_through_several_levels() -> None:
    mirror = np.diag([1.0, 1, -1])
    shelf = Shown(
        box=cube(),
        once=part("0 BFC INVERTNEXT", line(np.eye(3), "box.dat")),
        twice=part("0 BFC INVERTNEXT", line(mirror, "once.dat")),
    )

    assert signed_volume(shelf.flat("once").triangles) == pytest.approx(-8)
    assert signed_volume(shelf.flat("twice").triangles) == pytest.approx(8)


@pytest.mark.parametrize("width", [6.0, -6.0])
@pytest.mark.parametrize("height", [0.0, 1.0])
def test_flatten__flat_primitive_squeezed_across_its_plane_faces_as_if_it_were_not(
    width: float, height: float
) -> None:
    square = part("4 16 -1 0 -1 -1 0 1 1 0 1 1 0 -1")
    shelf = Shown(square=square, part=part(line(np.diag([width, height, 6]), "square.dat")))

    a, b, c = shelf.flat("part").triangles[0]
    assert np.cross(b - a, c - a)[1] > 0


def test_flatten__places_edges_and_points_alike() -> None:
    turn = np.array([[0.0, 0, 3], [0, 2, 0], [-1, 0, 0]])
    shelf = Shown(box=cube(), part=part(line(turn, "box.dat", offset=(10, 20, 30))))

    flat = shelf.flat("part")

    assert flat.triangles.min(axis=(0, 1)).tolist() == [7, 18, 29]
    assert flat.edges.min(axis=(0, 1)).tolist() == [7, 18, 29]
    assert flat.edges.max(axis=(0, 1)).tolist() == [13, 22, 31]


def test_flatten__colour_16_is_inherited_and_others_stay() -> None:
    shelf = Shown(
        box=cube(),
        red=cube(colour=4),
        pair=part(f"1 16 {IDENTITY} box.dat", f"1 16 {IDENTITY} red.dat"),
        part=part(f"1 0x2112233 {IDENTITY} pair.dat", f"1 16 {IDENTITY} pair.dat"),
    )

    codes = shelf.flat("part").colours

    assert codes.dtype == np.int32
    assert codes[::12].tolist() == [0x2112233, 4, 16, 4]


@pytest.mark.parametrize(
    ("outer", "inner_kind", "trusted"),
    [
        ("0 BFC CERTIFY CCW", "Subpart", True),
        ("0 BFC NOCERTIFY", "Subpart", False),
        ("0 BFC NOCERTIFY", "Part", True),
        ("0 BFC NOCERTIFY", "Unofficial_Part", True),
        ("0 BFC CERTIFY CCW\n0 BFC NOCLIP", "Primitive", False),
    ],
)
def test_flatten__an_uncertified_file_spoils_all_but_whole_parts(
    outer: str, inner_kind: str, trusted: bool
) -> None:
    inner = cube().replace("!LDRAW_ORG Primitive", f"!LDRAW_ORG {inner_kind}")
    shelf = Shown(inner=inner, part=part(f"1 16 {IDENTITY} inner.dat", header=outer))

    assert (shelf.flat("part").trusted == trusted).all()


def test_flatten__names_every_file_it_was_made_of() -> None:
    shelf = Shown(
        box=cube(), mid=part(f"1 16 {IDENTITY} BOX.DAT"), part=part(f"1 16 {IDENTITY} Mid.dat")
    )

    assert shelf.flat("part").names == {"box.dat", "mid.dat"}


def test_flatten__missing_sub_file_names_file_line_and_places() -> None:
    shelf = Shown(part=part(f"1 16 {IDENTITY} s\\gone.dat"))

    message = r"^part\.dat, line 4: the sub-file 's\\\\gone\.dat' is not in the test\. Add the file"
    with pytest.raises(LDrawError, match=message):
        shelf.flat("part")


def test_flatten__circle_is_named_from_file_to_file() -> None:
    shelf = Shown(
        start=part(f"1 16 {IDENTITY} a.dat"),
        a=part(f"1 16 {IDENTITY} b.dat"),
        b=part(f"1 16 {IDENTITY} a.dat"),
    )

    with pytest.raises(LDrawError, match=r"refers to itself: a\.dat → b\.dat → a\.dat\. Remove"):
        shelf.flat("start")


def test_flatten__refuses_files_within_files_without_end() -> None:
    files = {f"f{i}": part(f"1 16 {IDENTITY} f{i + 1}.dat") for i in range(100)}

    with pytest.raises(LDrawError, match=r"through 64 files within files, from f0\.dat on; 64"):
        Shown(**files).flat("f0")


def test_flatten__refuses_what_multiplies_before_it_is_made() -> None:
    files = {f"f{i}": part(*[f"1 16 {IDENTITY} f{i + 1}.dat"] * 10) for i in range(30)}

    message = (
        r"f2\d\.dat, line 6: with .* it has 720,003 triangles, lines and references; 500,000 are"
    )
    with pytest.raises(LDrawError, match=message):
        Shown(**files, f30=cube()).flat("f0")


def test_flatten__makes_nothing_twice() -> None:
    shelf = Shown(box=cube(), part=part(*[line(np.eye(3) * i, "box.dat") for i in range(1, 5)]))
    known: dict[str, Geometry] = {}

    first = flatten(shelf.files["part"], shelf, known)

    assert set(known) == {"box.dat", "part.dat"}
    assert flatten(shelf.files["part"], shelf, known) is first


@pytest.mark.parametrize("seed", range(5))
def test_orient__turns_an_uncertified_body_outwards(seed: int) -> None:
    flat = Shown(box=cube()).flat("box")
    points, inverse = np.unique(flat.triangles.reshape(-1, 3), axis=0, return_inverse=True)
    triangles = inverse.reshape(-1, 3)
    turned = np.random.default_rng(seed).random(len(triangles)) < 0.5
    mixed = np.where(turned[:, None], triangles[:, ::-1], triangles)

    result = orient(points, mixed, np.zeros(len(mixed), dtype=bool))

    assert signed_volume(points[result]) == pytest.approx(8)


def test_orient__follows_a_certified_neighbour_even_inwards() -> None:
    flat = Shown(box=cube()).flat("box")
    points, inverse = np.unique(flat.triangles.reshape(-1, 3), axis=0, return_inverse=True)
    triangles = inverse.reshape(-1, 3).copy()
    triangles[0] = triangles[0, ::-1]
    trusted = np.arange(len(triangles)) == 0

    result = orient(points, triangles, trusted)

    assert (result[0] == triangles[0]).all()
    assert signed_volume(points[result]) == pytest.approx(-8)


def test_flatten__refuses_placings_that_lead_to_infinity() -> None:
    """Each file is within the limits; together they multiply to a number that there is not."""
    files = {f"f{i}": part(f"1 16 0 0 0 1e7 0 0 0 1e7 0 0 0 1e7 f{i + 1}.dat") for i in range(60)}
    files["f60"] = part("3 16 0 0 0 1 0 0 0 1 0")
    with pytest.raises(LDrawError, match=r"f58\.dat, line 4: it places .* further out than"):
        Shown(**files).flat("f0")


def test_flatten__counts_references_that_draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "MAX_SHAPES", 5)
    files = {"f0": part(*[f"1 16 {IDENTITY} f1.dat"] * 6), "f1": part()}
    with pytest.raises(LDrawError, match=r"has 6 triangles, lines and references; 5 are"):
        Shown(**files).flat("f0")
