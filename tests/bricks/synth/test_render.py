"""Small real renders; skipped where Mitsuba is not installed."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight.bricks.synth import Scene, SceneConfig, photo_rng, sample_scene
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.models import find_models
from bricksight.bricks.synth.records import RECORDS, add_records, begin_records, read_records
from bricksight.bricks.synth.render import SynthConfig, render_folder
from bricksight.bricks.synth.rendering.raytrace import Quality, Shot, render_scene
from bricksight.bricks.synth.scenes.colours import Colour
from bricksight.bricks.synth.scenes.scene import RIG
from bricksight.cli import main
from bricksight.errors import ConfigError, DataError, MissingPackageError
from helpers.ldraw_files import part, write_library

LABEL = "3005_brick_1x1"
OTHER = "3068b_tile_2x2"
MODELS = find_models([LABEL, OTHER], None)
ROUGH = Quality(samples=4, bounces=3, guides=4, denoising="fast")
Captured = pytest.CaptureFixture[str]


def shots(scene: Scene, size: int) -> list[Shot]:
    """Renders in the process that this is sent to."""
    return list(render_scene(scene, MODELS, size=size, quality=ROUGH, masks=True))


@pytest.fixture(scope="module")
def renderer() -> Iterator[Executor]:
    """A process that renders, as ``render_folder`` has them: none that has loaded TensorFlow."""
    if importlib.util.find_spec("mitsuba") is None:
        pytest.skip("rendering needs the extra synth: Mitsuba 3")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool


def draw(index: int, **settings: object) -> Scene:
    config = SceneConfig(**{"free_probability": 0, "neighbour_probability": 0, **settings})  # type: ignore[arg-type]
    return sample_scene(MODELS[LABEL], photo_rng(1, LABEL, index), config=config)


def render(renderer: Executor, scene: Scene, size: int = 32) -> list[Shot]:
    return renderer.submit(shots, scene, size).result()


def pixels(shot: Shot) -> np.ndarray:
    return np.asarray(shot.photo).astype(float)


def coloured(scene: Scene, colour: Colour) -> Scene:
    return replace(scene, bricks=(replace(scene.bricks[0], colour=colour), *scene.bricks[1:]))


def test_render_scene__shows_a_brick_of_its_colour_in_the_middle(renderer: Executor) -> None:
    scene = draw(0, fill=(0.9, 0.9), off_centre=(0, 0))
    photos = {
        name: pixels(render(renderer, coloured(scene, Colour(name, code, 1)))[0])
        for name, code in (("red", "#c00000"), ("blue", "#0000c0"))
    }

    middle = {name: photo[12:20, 12:20].mean(axis=(0, 1)) for name, photo in photos.items()}
    assert middle["red"][0] - middle["blue"][0] > 20
    assert middle["blue"][2] - middle["red"][2] > 20
    corner = {name: photo[:3, :3].mean(axis=(0, 1)) for name, photo in photos.items()}
    assert np.abs(corner["red"] - corner["blue"]).max() < 20


def test_render_scene__is_the_same_every_time(renderer: Executor) -> None:
    first, again, other = (pixels(render(renderer, draw(index))[0]) for index in (0, 0, 1))

    assert first.shape == (32, 32, 3)
    assert (again == first).all()
    assert (other != first).any()


def test_render_scene__does_not_depend_on_scenes_before(renderer: Executor) -> None:
    red, blue = (coloured(draw(0), Colour("any", code, 1)) for code in ("#c00000", "#0000c0"))
    first, other, again = (pixels(render(renderer, scene)[0]) for scene in (red, blue, red))
    assert (again == first).all()
    assert (other != first).any()


def test_render_scene__mask_covers_the_brick_alone(renderer: Executor) -> None:
    scene = draw(
        0,
        fill=(0.5, 0.5),
        off_centre=(0, 0),
        neighbour_probability=1,
        neighbour_gap=(0.4, 0.4),
        num_neighbours=(3, 3),
    )
    (shot,) = render(renderer, scene, size=64)
    assert shot.mask is not None
    mask = np.asarray(shot.mask)
    rows, columns = np.nonzero(mask)
    assert set(np.unique(mask)) == {0, 255}
    # The longer side is half the frame.
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(32, abs=2)
    assert 24 < (rows.min() + rows.max()) / 2 < 40


@pytest.mark.parametrize("surface", ["transparent", "pearl", "chrome", "rubber"])
def test_render_scene__every_surface_is_drawn(renderer: Executor, surface: str) -> None:
    scene = draw(0, fill=(0.9, 0.9), off_centre=(0, 0))
    kinds = [Colour("some", "#c04020", 1), Colour("some", "#c04020", 1, surface)]  # type: ignore[arg-type]
    plain, special = (pixels(render(renderer, coloured(scene, kind))[0]) for kind in kinds)
    assert special[8:24, 8:24].std() > 1
    assert np.abs(plain - special)[8:24, 8:24].mean() > 2


def test_render_scene__a_rig_gives_a_photo_a_camera(renderer: Executor) -> None:
    scene = draw(0, rig=RIG, fill=(0.6, 0.6), off_centre=(0, 0))
    red = coloured(scene, Colour("red", "#c00000", 1))
    found = {shot.view.name: pixels(shot) for shot in render(renderer, red)}
    assert list(found) == list(RIG)
    for name, photo in found.items():
        redness = photo[12:20, 12:20, 0].mean() - photo[12:20, 12:20, 2].mean()
        assert redness > 10, name
    # Through the glass, the veil is seen where no brick is.
    corners = found["bottom"][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.ptp(corners, axis=0).max() < 30


def test_render_scene__a_background_is_seen_as_it_is(renderer: Executor, tmp_path: Path) -> None:
    belt = tmp_path / "belt.png"
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:16] = [30, 60, 160]
    picture[16:] = [170, 160, 40]
    Image.fromarray(picture).save(belt)
    scene = draw(0, backgrounds=(belt,), background_probability=1, fill=(0.3, 0.3))
    photo = pixels(render(renderer, scene)[0])
    assert photo[:4, :, 2].mean() > photo[:4, :, 0].mean() + 40
    assert photo[-4:, :, 0].mean() > photo[-4:, :, 2].mean() + 40


@pytest.fixture
def config() -> SynthConfig:
    return SynthConfig(labels=(LABEL, OTHER), num=2, size=16, quality="draft")


@pytest.mark.usefixtures("renderer")
def test_render_folder__goes_on_where_it_stopped(tmp_path: Path, config: SynthConfig) -> None:
    out = tmp_path / "renders"
    assert sum(render_folder(out, replace(config, num=1), processes=1)) == 2
    before = {path: path.read_bytes() for path in out.glob("*/*.jpg")}
    assert len(before) == 2
    (out / OTHER / "00000.jpg").unlink()  # lost, so made again
    with (out / RECORDS).open("a") as file:
        file.write('{"file": "cut o')  # the run was stopped here

    assert sum(render_folder(out, config, processes=1)) == 4

    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path.relative_to(out).as_posix() for path in out.glob("*/*")) == [
        f"{label}/{index:05d}.jpg" for label in (LABEL, OTHER) for index in range(2)
    ]
    records = read_records(out)
    assert len(records) == 4
    for name, one in records.items():
        with Image.open(out / name) as photo:
            assert photo.size == (16, 16)
        assert one["label"] == name.split("/")[0]
        assert one["index"] == int(name.split("/")[1][:5])
        assert np.linalg.det(one["rotation"]) == pytest.approx(1, abs=1e-4)
    assert list(render_folder(out, config, processes=1)) == [4]
    assert "mitsuba" not in sys.modules  # it would abort what has loaded TensorFlow


def test_records__names_with_every_line_separator_are_read_back(tmp_path: Path) -> None:
    names = [f"a{separator}b.jpg" for separator in "\n\r\v\f\x1c\x85\u2028\u2029\udce9"]
    begin_records(tmp_path, [{"file": name, "floor": name} for name in names[:5]])
    add_records(tmp_path / RECORDS, [{"file": name, "floor": name} for name in names[5:]])
    assert {name: one["floor"] for name, one in read_records(tmp_path).items()} == {
        name: name for name in names
    }


def test_records__lines_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    line = '{"file": "1.jpg", "floor": "a\u2028b\u0085c"}\n'
    (tmp_path / RECORDS).write_text(line + '{"file": "2', encoding="utf-8")
    assert read_records(tmp_path)["1.jpg"]["floor"] == "a\u2028b\u0085c"


@pytest.mark.usefixtures("renderer")
def test_render_folder__goes_on_with_the_same_library_alone(
    tmp_path: Path, config: SynthConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LDRAWDIR", raising=False)
    cube = part("1 16 0 0 0 10 0 0 0 10 0 0 0 10 box.dat")
    library = write_library(tmp_path / "ldraw", {"parts/3005.dat": cube})
    out = tmp_path / "renders"
    lone = replace(config, labels=(LABEL,), ldraw=library, num=1)
    assert sum(render_folder(out, lone, processes=1)) == 1

    moved = replace(lone, ldraw=library.rename(tmp_path / "moved"))
    assert list(render_folder(out, moved, processes=1)) == [1]
    with pytest.raises(ConfigError, match=r"with the shape from 'LDraw \w+'; now .* 'own parts'"):
        next(render_folder(out, replace(lone, ldraw=None)))


@pytest.mark.usefixtures("renderer")
def test_render_folder__names_a_broken_part_before_it_writes(
    tmp_path: Path, config: SynthConfig
) -> None:
    broken = part("1 16 0 0 0 1 0 0 0 1 0 0 0 1 gone.dat")
    library = write_library(tmp_path / "ldraw", {"parts/3005.dat": broken})
    with pytest.raises(LDrawError, match=r"3005\.dat, line 4: the sub-file 'gone\.dat' is not"):
        next(render_folder(tmp_path / "renders", replace(config, ldraw=library)))
    assert not (tmp_path / "renders").exists()


@pytest.mark.usefixtures("renderer")
def test_render_folder__a_rig_writes_groups_and_masks(tmp_path: Path, config: SynthConfig) -> None:
    out = tmp_path / "renders"
    rig = replace(config, labels=(LABEL,), num=4, masks=True, scenes=SceneConfig(rig=RIG))
    assert sum(render_folder(out, rig, processes=1)) == 6  # two whole scenes
    names = {path.name for path in out.glob("*/*.jpg")}
    assert names == {f"{index:05d}_{view}.jpg" for index in range(2) for view in RIG}
    masks = {path.name for path in (tmp_path / "renders_masks").glob("*/*.png")}
    assert masks == {name.replace(".jpg", ".png") for name in names}


def test_render_folder__other_peoples_folders_are_left_alone(
    tmp_path: Path, config: SynthConfig, renderer: Executor
) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(ConfigError, match=r"is not empty: it holds 'diary.txt'"):
        next(render_folder(tmp_path, config))
    (tmp_path / RECORDS).write_text('{"file": "a.jpg", "size": 32}\n')
    with pytest.raises(ConfigError, match=r"holds photos with size 32; 16 was asked for"):
        next(render_folder(tmp_path, config))
    (tmp_path / RECORDS).write_text('nonsense\n{"file": "a.jpg", "size": 32}\n')
    with pytest.raises(DataError, match=r"synth.jsonl, line 1, describes no photo"):
        next(render_folder(tmp_path, config))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ()}, r"No parts are named"),
        ({"num": 0}, r"--num is 0; it must be a whole number from 1 to 100,000"),
        ({"num": 2.5}, r"--num is 2.5; it must be a whole number from 1 to 100,000"),
        ({"num": 100_001}, r"--num is 100001; it must be a whole number"),
        ({"size": 0}, r"--size is 0; it must be a whole number from 8 to 2,048"),
        ({"size": 100_000}, r"--size is 100000; it must be"),
        ({"seed": -1}, r"--seed is -1; it must be a whole number from 0 to"),
        ({"seed": 10**30}, r"--seed is 1000000000000000000000000000000; it must be"),
        ({"labels": [f"3001_{i}" for i in range(20)], "num": 99_999}, "limit of a run"),
        (
            {"labels": ("3001/../../evil",)},
            r"'3001/../../evil' cannot be a class, as it holds a sep",
        ),
        ({"labels": ("/tmp/3001",)}, r"holds a separator"),
        ({"labels": ("3001\\evil",)}, r"holds a separator"),
        ({"labels": ("..",)}, r"ends with a dot"),
        ({"labels": (".3001",)}, r"begin with a dot"),
        ({"labels": ("3001\n",)}, r"begins or ends with a blank"),
        ({"labels": ("3001\0x",)}, r"control characters"),
        ({"labels": ("3001_" + "x" * 200,)}, r"longer than 200 bytes"),
        ({"labels": ("CON",)}, r"Windows has no such folder"),
        ({"labels": ("lpt1.dat",)}, r"Windows has no such folder"),
        ({"labels": (3001,)}, r"a class is named by text"),
        ({"labels": ("3001_a", "3001_A")}, r"'3001_a' and '3001_A' would share a folder"),
        ({"labels": ("3001", "3001")}, r"would share a folder"),
        ({"quality": "best"}, r"--quality is 'best'; it must be one of draft, normal, fine"),
    ],
)
def test_synth_config__refuses(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SynthConfig(**{"labels": (LABEL,), **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("brick", r"No part is known for 'brick'. Classes begin with a part number"),
        ("999999_odd", r"No part is known for '999999_odd'.* nor elsewhere, as --ldraw names no"),
    ],
)
def test_find_models__refuses_what_it_does_not_know(label: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_models([LABEL, label], None)


def test_render_folder__without_mitsuba_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: SynthConfig
) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)

    with pytest.raises(MissingPackageError, match=r'pip install "bricksight\[synth\]"'):
        next(render_folder(tmp_path, config))


@pytest.mark.usefixtures("renderer")
def test_command__renders_the_classes_of_a_photo_folder(tmp_path: Path, capsys: Captured) -> None:
    photos, out = tmp_path / "photos", tmp_path / "renders"
    for name in ("3005", "3068b_tile", "my cat"):
        (photos / name).mkdir(parents=True)
    words = ["synth", str(out), "--for", str(photos), "--num", "1", "--size", "16"]
    assert main([*words, "--quality", "draft"]) == 0
    captured = capsys.readouterr()
    assert "No part is known for 'my cat'; left out." in captured.err
    assert "2 photos of 2 parts are in" in captured.out
    assert sorted(path.name for path in out.iterdir()) == ["3005", "3068b_tile", RECORDS]
    with Image.open(tmp_path / "renders_preview.jpg") as preview:
        assert preview.size == (12 * 72, 2 * 72)
    lines = [json.loads(line) for line in (out / RECORDS).read_text().splitlines()]
    assert {one["label"] for one in lines} == {"3005", "3068b_tile"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Name the parts either by --parts or by --for"),
        (("--parts", "3001", "--for", "."), "Name the parts either by --parts or by --for"),
        (("--for", "nowhere"), "--for nowhere is not a folder"),
        (("--parts", "3001", "--scenes", "nowhere.json"), "--scenes nowhere.json cannot be read"),
        (("--parts", "3001", "--scenes", "/dev/zero"), "it is not a regular file"),
        (("--parts", "3001/../../evil"), "'3001/../../evil' cannot be a class"),
        (("--parts", "3001,3001_a,3001_A"), "would share a folder"),
        (("--parts", "3001", "--seed", "-1"), "--seed is -1; it must be a whole number from 0"),
        (("--parts", "3001", "--processes", "0"), "--processes is 0; it must be a whole number"),
        (("--parts", "3001", "--processes", "-1"), "--processes is -1; it must be"),
        (("--parts", "3001", "--processes", "100000"), "--processes is 100000; it must be"),
    ],
)
def test_command__refuses(tmp_path: Path, capsys: Captured, words: list[str], message: str) -> None:
    assert main(["synth", str(tmp_path / "deep" / "out"), *words]) != 0
    assert message in capsys.readouterr().err
    assert list(tmp_path.rglob("*.jpg")) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[1]", '{"fill"', "\udcff", '{"fill": [NaN, 1]}']
)
def test_command__refuses_scenes_that_are_no_object(
    tmp_path: Path, capsys: Captured, content: str
) -> None:
    (tmp_path / "s.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    words = ["synth", str(tmp_path / "out"), "--parts", "3001"]
    assert main([*words, "--scenes", str(tmp_path / "s.json")]) == 2
    assert "cannot be read as a JSON object" in (err := capsys.readouterr().err) or "fill is" in err


@pytest.mark.parametrize(
    "line", ['{"file": 5}', '{"file": "a.jpg", "label": []}', "5", "[" * 100_000, '{"file": []}']
)
def test_read_records__damaged_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / RECORDS).write_text(f'{{"file": "a.jpg"}}\n{line}\n{{"file": "b.jpg"}}\n')
    with pytest.raises(DataError, match=r"synth\.jsonl, line 2, describes no photo"):
        read_records(tmp_path)


def test_read_records__what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / RECORDS).mkdir()
    with pytest.raises(DataError, match=r"synth\.jsonl cannot be read \(it is not a regular"):
        read_records(tmp_path)
