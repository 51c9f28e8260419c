"""Advice about single photos: blurred, black, white, blank, tiny, of odd bit depths."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from bricksight.quality import check
from helpers.photos import draw

NUM_GOOD = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of sharp photos."""
    for label in ("blue", "red"):
        (tmp_path / label).mkdir()
        for index in range(NUM_GOOD):
            photo(label, index).save(tmp_path / label / f"{index:02d}.jpg", quality=92)
    return tmp_path


def photo(label: str, index: int) -> Image.Image:
    """A sharp photo with a bright box on it."""
    image = draw(label, index).resize((240, 200), Image.Resampling.NEAREST)
    rng = np.random.default_rng(index)
    left, top = rng.integers(10, 80, 2).tolist()
    ImageDraw.Draw(image).rectangle((left, top, left + 70, top + 60), fill=(250, 250, 240))
    return image


def kinds(folder: Path) -> dict[str, tuple[str, ...]]:
    found = check(folder).dataset.problems
    names = {"blurred_photo", "black_photo", "white_photo", "blank_photo", "tiny_photo"}
    return {each.kind: each.paths for each in found if each.kind in {*names, "bit_depth"}}


def test_check__good_photos_get_no_advice(folder: Path) -> None:
    assert kinds(folder) == {}


@pytest.mark.parametrize("blur", [8, 12])
def test_check__blurred_photos(folder: Path, blur: int) -> None:
    photo("red", 50).filter(ImageFilter.GaussianBlur(blur)).save(folder / "red" / "bad.jpg")
    assert kinds(folder) == {"blurred_photo": ("red/bad.jpg",)}


def test_check__camera_that_moved(folder: Path) -> None:
    moved = np.mean([np.roll(photo("red", 50), step, axis=1) for step in range(40)], axis=0)
    Image.fromarray(moved.astype(np.uint8)).save(folder / "red" / "bad.jpg")
    assert kinds(folder) == {"blurred_photo": ("red/bad.jpg",)}


@pytest.mark.parametrize(
    ("kind", "values"),
    [("black_photo", (0, 12)), ("white_photo", (235, 256)), ("blank_photo", (120, 123))],
)
def test_check__photos_that_show_nothing(folder: Path, kind: str, values: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(*values, (200, 240, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "blue" / "bad.png")
    assert kinds(folder) == {kind: ("blue/bad.png",)}


def test_check__photo_with_too_much_light(folder: Path) -> None:
    light = np.clip(np.asarray(photo("blue", 60), float) * 2 + 200, 0, 255)
    Image.fromarray(light.astype(np.uint8)).save(folder / "blue" / "bad.png")
    assert kinds(folder) == {"white_photo": ("blue/bad.png",)}


@pytest.mark.parametrize("size", [(16, 20), (60, 50), (900, 3)])
def test_check__tiny_photos(folder: Path, size: tuple[int, int]) -> None:
    photo("blue", 60).resize(size).save(folder / "blue" / "bad.png")
    assert kinds(folder)["tiny_photo"] == ("blue/bad.png",)


def test_check__advice_is_no_fault_and_says_what_to_do(folder: Path) -> None:
    Image.new("RGB", (200, 200)).save(folder / "blue" / "bad.png")
    report = check(folder, strict=True)
    (problem,) = (each for each in report.advice if each.kind == "black_photo")
    assert problem.message.startswith("1 photo is nearly black: 'blue/bad.png'.")
    assert "more light" in problem.message
    told = json.loads(json.dumps(report.to_dict()))["problems"]
    assert {"kind": "black_photo", "paths": ["blue/bad.png"], "advice": True}.items() <= next(
        each for each in told if each["kind"] == "black_photo"
    ).items()


def deep(folder: Path, name: str, factor: int) -> None:
    values = np.asarray(photo("red", 70).convert("L")).astype(np.uint16) * factor
    Image.fromarray(values).save(folder / name)


def test_check__photos_of_12_and_of_16_bits_together(folder: Path) -> None:
    deep(folder, "red/12.png", 16)
    deep(folder, "blue/16.png", 257)
    assert kinds(folder) == {"bit_depth": ("red/12.png",)}


@pytest.mark.parametrize(("factor", "is_told"), [(16, False), (257, False), (4, True), (64, True)])
def test_check__photos_that_use_few_of_their_bits(folder: Path, factor: int, is_told: bool) -> None:
    deep(folder, "red/deep.png", factor)
    assert ("bit_depth" in kinds(folder)) == is_told


@pytest.mark.parametrize(
    ("name", "picture_format"), [("photo.avif", "AVIF"), ("photo.heif", "AVIF")]
)
def test_check__avif_is_what_its_name_says(folder: Path, name: str, picture_format: str) -> None:
    pytest.importorskip("PIL.AvifImagePlugin", reason="AVIF needs Pillow 11.3 or newer")
    photo("red", 80).save(folder / "red" / name, picture_format)
    report = check(folder)
    assert report.formats == {"JPEG": 2 * NUM_GOOD, "AVIF": 1}
    assert report.faults == ()
