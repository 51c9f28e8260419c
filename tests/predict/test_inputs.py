"""What may be given as a photo, and what is said of anything else."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bricksight.config import InputSpec
from bricksight.errors import BricksightError, ConfigError, ImageError
from bricksight.predict import Predictor


class MeanColour:
    """A runtime that gives the mean of red, green and blue, which sum to 1."""

    input_size = None

    def run(self, images: np.ndarray) -> np.ndarray:
        means: np.ndarray = images.mean(axis=(1, 2))
        return means / means.sum(axis=1, keepdims=True)


@pytest.fixture
def predictor() -> Predictor:
    spec = InputSpec(height=16, width=16)
    return Predictor.from_runtime(MeanColour(), ("red", "green", "blue"), spec)


RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8) // (1, 2, 4)
RGB = RGB.astype(np.uint8)
GREY = RGB[..., 0]


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shares(predictor: Predictor, photo: Any) -> list[float]:
    """The probabilities of red, green and blue."""
    found = {one.label: one.probability for one in predictor.predict(photo).predictions}
    return [found[label] for label in predictor.labels]


SAME: dict[str, Callable[[Path], Any]] = {
    "str": str,
    "Path": lambda path: path,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "BytesIO at its end": lambda path: _at_end(path.read_bytes()),
    "Pillow file": Image.open,
    "Pillow image": lambda path: Image.fromarray(RGB),
    "uint8": lambda path: RGB,
    "batch of one": lambda path: RGB[None],
    "reversed twice": lambda path: np.ascontiguousarray(RGB[::-1, ::-1])[::-1, ::-1],
    "Fortran order": lambda path: np.asfortranarray(RGB),
    "float64": lambda path: RGB / 255,
    "float32, a rounding error above 1": lambda path: (RGB / 255 + 1e-6).astype("f4"),
    "float16": lambda path: (RGB / 255).astype("f2"),
    "opaque RGBA": lambda path: np.dstack([RGB, np.full_like(GREY, 255)]),
    "array-like": lambda path: _ArrayLike(),
}


def _at_end(content: bytes) -> io.BytesIO:
    file = io.BytesIO()
    file.write(content)
    return file


class _ArrayLike:
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return RGB


@pytest.mark.parametrize("kind", SAME)
def test_predict__the_same_photo_in_any_form(
    predictor: Predictor, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(saved(Image.fromarray(RGB)))
    assert shares(predictor, SAME[kind](path)) == pytest.approx(shares(predictor, RGB), abs=1e-3)


def test_predict__an_open_file_stays_open(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(saved(Image.fromarray(RGB)))
    with path.open("rb") as file:
        assert predictor.predict(file) == predictor.predict(file) == predictor.predict(path)


@pytest.mark.parametrize("photo", [GREY, GREY[..., None], GREY[None, ..., None], GREY > 90])
def test_predict__grey_is_grey(predictor: Predictor, photo: np.ndarray) -> None:
    assert shares(predictor, photo) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("kind", ["array", "float array", "Pillow image", "file"])
def test_predict__transparent_parts_are_white(predictor: Predictor, kind: str) -> None:
    rgba = np.dstack([RGB, np.zeros_like(GREY)])
    photo = {
        "array": rgba,
        "float array": rgba / 255,
        "Pillow image": Image.fromarray(rgba),
        "file": saved(Image.fromarray(rgba)),
    }[kind]
    assert shares(predictor, photo) == pytest.approx([1 / 3] * 3)


def test_predict__a_pillow_image_is_turned_upright_and_left_as_it_is() -> None:
    spec = InputSpec(height=16, width=16)
    top_half = np.zeros((20, 20, 3), np.uint8)
    top_half[:10] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image = Image.open(io.BytesIO(saved(Image.fromarray(top_half), "JPEG", exif=exif)))

    class Halves:
        input_size = None

        def run(self, images: np.ndarray) -> np.ndarray:
            sums = np.stack([images[:, :8].mean((1, 2, 3)), images[:, 8:].mean((1, 2, 3))], axis=1)
            return sums / sums.sum(axis=1, keepdims=True)

    predictor = Predictor.from_runtime(Halves(), ("top", "bottom"), spec)
    assert predictor.predict(image).label == "bottom"
    assert image.size == (20, 20) and image.mode == "RGB" and image.getexif()[0x0112] == 3


REFUSED = {
    "float of 0 to 255": (
        RGB.astype("f4"),
        r"float32 with values from 0 to 25\d; .*divide them by 255",
    ),
    "negative": (RGB / 127.5 - 1, r"values from -1 to"),
    "NaN": (np.full((4, 4, 3), np.nan), r"not finite"),
    "infinite": (np.full((4, 4, 3), np.inf), r"not finite"),
    "int64": (RGB.astype(int), r"array of int64; expected uint8 .*astype\(\"uint8\"\)"),
    "uint16": (RGB.astype("u2"), r"array of uint16"),
    "int8": (RGB.astype("i1"), r"array of int8"),
    "complex": (RGB.astype(complex), r"array of complex128"),
    "objects": (RGB.astype(object), r"array of object"),
    "text": (np.array([["a"]]), r"array of <U1"),
    "no rows": (RGB[:0], r"empty: an array of shape \(0, 30, 3\)"),
    "no channels": (RGB[..., :0], r"empty"),
    "empty batch": (RGB[None][:0], r"empty"),
    "batch of two": (np.stack([RGB, RGB]), r"holds 2 photos; expected one photo. .*predict_batch"),
    "one row": (RGB[0, 0], r"array of shape \(3,\); expected \(height, width\)"),
    "channels first": (RGB.transpose(2, 0, 1), r"channels come first, .*moveaxis"),
    "five channels": (np.zeros((9, 9, 5), "u1"), r"array of shape \(9, 9, 5\)"),
    "number": (np.float32(0.5), r"array of shape \(\)"),
    "None": (None, r"not a photo: None; expected a path"),
    "list": (RGB.tolist(), r"type list"),
    "int": (7, r"type int"),
    "dict": ({}, r"type dict"),
    "class": (Path, r"type type"),
    "empty path": ("", r"path is empty"),
    "no file": ("nothing.jpg", r"cannot be read: No such file"),
    "NUL": ("a\0b.jpg", r"null"),
    "folder": (".", r"cannot be read: Is a directory"),
    "no bytes": (b"", r"empty"),
    "other bytes": (bytearray(b"hello"), r"not an image"),
    "text file": (io.StringIO("x"), r"opened as text. Open it with mode 'rb'"),
    "empty Pillow image": (Image.new("RGB", (0, 5)), r"empty"),
    "floating-point Pillow image": (Image.new("F", (5, 5)), r"floating-point grey"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_predict__anything_else_is_refused(predictor: Predictor, kind: str) -> None:
    photo, reason = REFUSED[kind]
    with pytest.raises(ImageError, match=reason):
        predictor.predict(photo)


def test_predict__a_closed_or_truncated_pillow_image_is_refused(predictor: Predictor) -> None:
    content = saved(Image.fromarray(np.tile(RGB, (9, 9, 1))), "JPEG")
    with pytest.raises(ImageError, match="truncated"):
        predictor.predict(Image.open(io.BytesIO(content[: len(content) // 2])))
    file = io.BytesIO(content)
    image = Image.open(file)
    file.close()
    with pytest.raises(ImageError):
        predictor.predict(image)


def test_predict_batch__an_answer_or_a_reason_for_each(predictor: Predictor) -> None:
    batch = np.stack([RGB, np.zeros_like(RGB) + np.uint8(9), RGB])
    answers = list(predictor.predict_batch(batch))
    assert answers == [predictor.predict(one) for one in batch]
    first, second, third = predictor.predict_batch([RGB, None, GREY])  # type: ignore[list-item]
    assert first == answers[0]
    assert isinstance(second, ImageError)
    assert not isinstance(third, ImageError)
    assert list(predictor.predict_batch(batch[:0])) == []


def test_predict_batch__paths_in_an_array(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(saved(Image.fromarray(RGB)))
    (answer,) = predictor.predict_batch(np.array([str(path)]))
    assert answer == predictor.predict(path)


@pytest.mark.parametrize(
    "photos",
    ["photo.jpg", b"", Path("a.jpg"), io.BytesIO(), RGB, GREY, None, 7, Image.new("L", (4, 4))],
)
def test_predict_batch__one_photo_is_no_list_of_photos(predictor: Predictor, photos: Any) -> None:
    for several in (predictor.predict_batch, predictor.probabilities_of, predictor.predict_object):
        with pytest.raises(ConfigError, match=r"expected several photos.*call predict\."):
            several(photos)


@pytest.mark.parametrize("top_k", [0, -1, 2.5, "3", None, True])
def test_predict__top_k_is_a_number_from_one_on(predictor: Predictor, top_k: Any) -> None:
    with pytest.raises(ConfigError, match="top_k is"):
        predictor.predict(RGB, top_k=top_k)
    with pytest.raises(ConfigError, match="top_k is"):
        predictor.predict_batch([], top_k=top_k)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (None, {}),
        (b"model", {}),
        (7, {}),
        ("", {}),
        ("a\0b", {}),
        ("model", {"threads": 0}),
        ("model", {"threads": "2"}),
        ("model", {"runtime": "litter"}),
        ("model", {"runtime": ["litert"]}),
        ("nothing", {}),
    ],
)
def test_predictor__odd_arguments_are_named(model: Any, options: dict[str, Any]) -> None:
    with pytest.raises(BricksightError):
        Predictor(model, **options)


def test_predictor__trust_is_true_or_false_and_no_word() -> None:
    with pytest.raises(ConfigError, match="trust is 'no'; it must be True or False"):
        Predictor("model", trust="no")  # type: ignore[arg-type]
