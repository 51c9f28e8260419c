"""Finding a library, its files, its colours, and what is kept of its parts."""

import copy
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bricksight.bricks.synth.ldraw import LDrawPart, Library, find_library
from bricksight.bricks.synth.ldraw import library as library_module
from bricksight.bricks.synth.ldraw.errors import LDrawError
from helpers.ldraw_files import CERTIFIED, IDENTITY, cube, part, signed_volume, write_library
from helpers.small_disk import no_file_larger_than

BOX = f"1 16 {IDENTITY} box.dat"
FILES = {
    "parts/1.dat": part(BOX, "0 !KEYWORDS cube", title="Brick  1 x  1"),
    "parts/2.dat": part(f"1 16 {IDENTITY} S\\2S01.DAT", title="Plate"),
    "parts/s/2s01.dat": part(BOX, title="~Plate without Colour"),
    "parts/3.dat": part("1 16 0 0 0 2 0 0 0 1 0 0 0 1 1.dat", title="~Moved to 1"),
    "parts/4.dat": part(f"1 16 {IDENTITY} 3.dat", title="=Cube"),
    "parts/5a.dat": part(f"1 16 {IDENTITY} 48\\4-4cyli.dat", f"1 4 {IDENTITY} box.dat"),
    "parts/5b.dat": part(f"1 16 {IDENTITY} gone.dat", title="Broken"),
    "p/48/4-4cyli.dat": cube(),
    "unofficial/parts/77.dat": part(BOX, title="New"),
    "LDConfig.ldr": "0 !COLOUR Red CODE 4 VALUE #B40000 EDGE #333333\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return find_library(write_library(tmp_path / "ldraw", FILES))


def same(one: LDrawPart, other: LDrawPart) -> bool:
    arrays = [
        (p.mesh.vertices, p.mesh.normals, p.mesh.triangles, p.colour_codes) for p in (one, other)
    ]
    words = [(p.name, p.title, p.category, p.keywords, p.moved_from) for p in (one, other)]
    return words[0] == words[1] and all(map(np.array_equal, *arrays))


@pytest.mark.parametrize("number", ["1", "1.dat", " 1.DAT ", ".\\1.dat"])
def test_part__is_found_by_its_number_however_it_is_written(library: Library, number: str) -> None:
    found = library.part(number)

    assert (found.name, found.title, found.category) == ("1", "Brick 1 x 1", "Brick")
    assert (found.keywords, found.moved_from) == (("cube",), ())
    assert found.mesh.extent.tolist() == [[-1, -1, -1], [1, 1, 1]]
    assert number in library


def test_part__finds_sub_files_in_any_case_and_with_backslashes(library: Library) -> None:
    assert signed_volume(corners(library.part("2"))) == pytest.approx(8)
    assert signed_volume(corners(library.part("77"))) == pytest.approx(8)


def corners(found: LDrawPart) -> np.ndarray:
    return found.mesh.vertices[found.mesh.triangles]


def test_part__follows_a_part_that_has_moved_with_its_placing(library: Library) -> None:
    moved = library.part("4")

    assert (moved.name, moved.title, moved.moved_from) == ("1", "Brick 1 x 1", ("4", "3"))
    assert moved.mesh.extent[1].tolist() == [2, 1, 1]


def test_part__has_a_colour_code_for_each_triangle(library: Library) -> None:
    found = library.part("5a")

    # The second cube lies where the first does.
    assert found.colour_codes.dtype == np.int32
    assert set(found.colour_codes.tolist()) == {16}
    assert len(found.colour_codes) == len(found.mesh.triangles)


def test_by_colour__splits_the_mesh(tmp_path: Path) -> None:
    lines = [BOX, "1 4 9 0 0 1 0 0 0 1 0 0 0 1 box.dat"]
    root = write_library(tmp_path, {"parts/1.dat": part(*lines)})

    meshes = find_library(root).part("1").by_colour()

    assert list(meshes) == [4, 16]
    assert meshes[4].extent.tolist() == [[8, -1, -1], [10, 1, 1]]
    assert signed_volume(meshes[16].vertices[meshes[16].triangles]) == pytest.approx(8)
    assert len(meshes[4].vertices) == len(meshes[4].normals) == 24


def test_part__unknown_number_names_the_series_and_what_to_do(library: Library) -> None:
    with pytest.raises(LDrawError, match=r"has no part '5c'\. Of the same series it has 5a, 5b\."):
        library.part("5c")
    with pytest.raises(LDrawError, match=r"has no part 'x/\.\./1'\. Check the number"):
        library.part("x/../1")


def test_part__missing_sub_file_is_named_with_file_and_line(library: Library) -> None:
    with pytest.raises(
        LDrawError, match=r"5b\.dat, line 4: the sub-file 'gone\.dat' is not in the"
    ):
        library.part("5b")


def test_part__without_a_surface_is_an_error(tmp_path: Path) -> None:
    root = write_library(tmp_path, {"parts/1.dat": part("2 24 0 0 0 1 0 0")})

    with pytest.raises(LDrawError, match=r"1\.dat draws no surface; expected are triangles"):
        find_library(root).part("1")


def test_numbers__are_those_of_official_parts(library: Library) -> None:
    assert library.numbers() == ("1", "2", "3", "4", "5a", "5b")
    assert "77" in library
    assert "stud" not in library


@pytest.mark.parametrize(
    ("number", "title"), [("1", "Brick 1 x 1"), ("3", "Brick 1 x 1"), ("4.dat", "Brick 1 x 1"),
                          ("5b", "Broken")],
)  # fmt: skip
def test_title__is_that_of_the_part_an_old_number_leads_to(
    library: Library, number: str, title: str
) -> None:
    assert library.title(number) == title


def test_title__of_parts_that_lead_to_each_other_ends(tmp_path: Path) -> None:
    circle = {
        f"parts/{a}.dat": part(f"1 16 {IDENTITY} {b}.dat", title=f"~Moved to {b}")
        for a, b in (("1", "2"), ("2", "1"))
    }

    assert find_library(write_library(tmp_path, circle)).title("1") == "~Moved to 2"


@pytest.mark.parametrize("prefix", ["", "ldraw/", "LDraw/"])
def test_find_library__reads_an_archive_in_place(
    library: Library, tmp_path: Path, prefix: str
) -> None:
    archive = tmp_path / "complete.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(library.root.rglob("*.*")):
            file.write(path, prefix + path.relative_to(library.root).as_posix().upper())

    packed = find_library(archive)

    assert packed.numbers() == library.numbers()
    assert packed.colours == library.colours
    assert signed_volume(corners(packed.part("2"))) == pytest.approx(8)
    assert packed.part("1").title == "Brick 1 x 1"
    assert find_library(tmp_path).root == library.root, "a folder goes before an archive"


def test_find_library__damaged_archive_entry_is_named(library: Library, tmp_path: Path) -> None:
    archive = tmp_path / "complete.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("parts/1.dat", FILES["parts/1.dat"])
    archive.write_bytes(archive.read_bytes().replace(b"Brick", b"Block"))

    with pytest.raises(LDrawError, match=r"complete\.zip/parts/1\.dat cannot be read \(Bad CRC"):
        find_library(archive).part("1")


def test_find_library__takes_the_folder_above_and_the_environment(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDRAWDIR", str(library.root.parent))

    assert find_library().root == library.root
    monkeypatch.setenv("LDRAWDIR", "/nowhere")
    assert find_library(library.root).root == library.root


def test_find_library__says_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LDRAWDIR", raising=False)
    url = r"https://library\.ldraw\.org/library/updates/complete\.zip"

    with pytest.raises(
        LDrawError, match=rf"No library .* named\. Get it from {url}.*--ldraw or in L"
    ):
        find_library()
    with pytest.raises(LDrawError, match=rf"gone does not exist; .*{url}"):
        find_library(tmp_path / "gone")
    with pytest.raises(LDrawError, match=rf"holds no file parts/.*{url}"):
        find_library(tmp_path)
    (tmp_path / "complete.zip").write_text("not a zip")
    with pytest.raises(
        LDrawError, match=r"complete\.zip cannot be read \(File is not a zip file\)"
    ):
        find_library(tmp_path / "complete.zip")


def test_library__sent_to_another_process_is_opened_anew(library: Library) -> None:
    library.part("1")

    again = copy.copy(library)  # as pickle does it

    assert again.root == library.root
    assert same(again.part("2"), library.part("2"))


@pytest.mark.parametrize("content", ["0 Größe\n".encode(), "0 Größe\n".encode("latin-1"),
                                     b"\xef\xbb\xbf0 Gr\xc3\xb6\xc3\x9fe\r\n"])  # fmt: skip
def test_title__reads_utf8_and_latin1(tmp_path: Path, content: bytes) -> None:
    root = write_library(tmp_path, {"parts/1.dat": ""})
    (root / "parts/1.dat").write_bytes(content)

    assert find_library(root).title("1") == "Größe"


def test_part__refuses_a_file_that_is_far_too_large(tmp_path: Path) -> None:
    root = write_library(tmp_path, {"parts/1.dat": part(BOX)})
    os.truncate(root / "parts/1.dat", 65 << 20)

    with pytest.raises(
        LDrawError, match=r"1\.dat has 68,157,440 bytes; an LDraw file may have 67,1"
    ):
        find_library(root).part("1")


MPD = f"""Hello,
0 FILE Car.ldr
0 My car
1 4 0 -9 0 1 0 0 0 1 0 0 0 1 body.ldr
1 16 {IDENTITY} 2.dat
1 16 0 20 0 1 0 0 0 1 0 0 0 1 beside.dat
0 FILE body.ldr
0 Body
{CERTIFIED}
1 16 {IDENTITY} BOX.dat
0 FILE box.dat
0 A larger box
{CERTIFIED}
3 16 0 0 0 9 0 0 0 9 0
0 NOFILE
"""


def test_model__looks_in_the_mpd_then_beside_it_then_in_the_library(
    library: Library, tmp_path: Path
) -> None:
    (tmp_path / "car.mpd").write_text(MPD)
    (tmp_path / "Beside.DAT").write_text(cube(colour=1))

    model = library.model(tmp_path / "car.mpd")

    assert (model.name, model.title) == ("car", "My car")
    counts = {code: int((model.colour_codes == code).sum()) for code in (1, 4, 16)}
    # The library's part 2 keeps the library's box.
    assert counts == {4: 1, 16: 12, 1: 12}
    assert model.mesh.extent.tolist() == [[-1, -9, -1], [9, 21, 1]]


@pytest.mark.parametrize(
    ("name", "found"), [("Sub\\WALL.dat", True), ("sub", False), ("car.ldr/wall.dat", False)]
)
def test_model__finds_files_in_folders_beside_it(
    library: Library, tmp_path: Path, name: str, found: bool
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "wall.dat").write_text(cube())
    (tmp_path / "car.ldr").write_text(f"0 Car\n1 16 {IDENTITY} {name}\n")

    if found:
        assert len(library.model(tmp_path / "car.ldr").mesh.triangles) == 12
    else:
        with pytest.raises(LDrawError, match="is not in the model, the folder"):
            library.model(tmp_path / "car.ldr")


def test_model__says_where_a_missing_file_was_looked_for(library: Library, tmp_path: Path) -> None:
    (tmp_path / "car.ldr").write_text(f"0 Car\n1 16 {IDENTITY} ../1.dat\n")

    with pytest.raises(
        LDrawError, match=r"car\.ldr, line 2: .*'\.\./1\.dat' is not in the model, the f"
    ):
        library.model(tmp_path / "car.ldr")


def test_model__malformed_line_is_counted_from_the_start_of_the_mpd(
    library: Library, tmp_path: Path
) -> None:
    (tmp_path / "car.mpd").write_text(MPD.replace("0 A larger box", "0 A\nlarger"))

    with pytest.raises(LDrawError, match=r"car\.mpd: box\.dat, line 13: it starts with 'larger'"):
        library.model(tmp_path / "car.mpd")


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "ldraw").iterdir())


def test_cache__gives_the_same_part_without_making_it(
    library: Library, own_cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = library.part("4")
    assert len(entries(own_cache_dir)) == 1
    monkeypatch.delattr(library_module, "flatten")

    assert same(first, find_library(library.root).part("4"))


@pytest.mark.parametrize("name", ["parts/2.dat", "parts/s/2s01.dat", "p/box.dat"])
def test_cache__part_is_made_anew_when_one_of_its_files_changes(
    library: Library, name: str
) -> None:
    library.part("2")
    path = library.root / name
    path.write_text(path.read_text() + "3 2 0 0 0 50 0 0 0 0 50\n")

    assert find_library(library.root).part("2").mesh.extent[1, 0] == 50


def test_cache__part_is_made_anew_when_another_file_takes_the_place_of_one(
    library: Library,
) -> None:
    library.part("2")
    (library.root / "parts/box.dat").write_text(part("3 16 0 0 0 50 0 0 0 0 50"))

    assert find_library(library.root).part("2").mesh.extent[1, 0] == 50


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_cache__damaged_entry_is_made_anew(
    library: Library, own_cache_dir: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    first = library.part("1")
    (entry,) = entries(own_cache_dir)
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2] if damage is None else damage)

    assert same(first, library.part("1"))
    assert "is damaged" in caplog.text
    assert entry.read_bytes() == whole


def test_cache__one_that_cannot_be_written_is_done_without(
    library: Library, own_cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_cache_dir.mkdir(exist_ok=True)
    (own_cache_dir / "ldraw").write_text("a file")
    assert len(library.part("1").mesh.triangles) == 12
    assert [message.split(" cannot")[0] for message in caplog.messages] == [
        f"The cache folder {own_cache_dir}"
    ]


def test_cache__a_full_disk_is_done_without(
    library: Library, own_cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (own_cache_dir / "ldraw").mkdir(parents=True)
    library.part("1")
    for path in (own_cache_dir / "ldraw").iterdir():
        path.unlink()
    with no_file_larger_than(100):
        assert len(library.part("1").mesh.triangles) == 12
    assert len(caplog.messages) == 1
    assert "File too large" in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_part__only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    root = write_library(tmp_path, {"parts/2.dat": part(BOX)})
    path = root / "parts" / "1.dat"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(LDrawError, match=r"is no regular file|no part '1'"):
        find_library(root).part("1")


def test_find_library__links_that_multiply_end(tmp_path: Path) -> None:
    root = write_library(tmp_path, {"parts/1.dat": part(BOX)})
    for number in range(40):
        (root / "parts" / f"l{number}").symlink_to(root / "parts", target_is_directory=True)
    assert find_library(root).numbers() == ("1",)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_find_library__archive_packed_in_another_way(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "complete.zip", "w", method) as archive:
        archive.writestr("ldraw/parts/1.dat", part(BOX))
    with pytest.raises(LDrawError, match=rf"is packed by method {method} of zip"):
        find_library(tmp_path).part("1")


@pytest.mark.parametrize("cut", [1, 30, 60, 100])
def test_find_library__archive_that_was_cut_short(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "complete.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ldraw/parts/1.dat", part(BOX))
    whole = path.read_bytes()
    for damaged in (whole[:-cut], whole[:cut] + b"\xff" * 8 + whole[cut + 8 :]):
        path.write_bytes(damaged)
        with pytest.raises(LDrawError):
            find_library(tmp_path).part("1")
