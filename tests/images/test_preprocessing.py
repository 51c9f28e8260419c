"""Pixels to the network's input: size, proportions, antialiasing, range."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bricksight.config import InputSpec
from bricksight.images import decode, decoding_size, load_input, shrink, to_input, to_pixels

SMALL = InputSpec(height=32, width=48)
LETTERBOX = InputSpec(height=64, width=64, resize="letterbox")


def waves(width: int, height: int) -> np.ndarray:
    """A smooth coloured picture, so that a resampling error of a fraction of a pixel shows."""
    down, across = np.mgrid[:height, :width]
    bands = [across / width * 6 + channel + down / height * 4 for channel in range(3)]
    return (127.5 + 120 * np.sin(np.stack(bands, axis=-1))).astype(np.uint8)


def jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


@settings(deadline=None)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    spec=st.builds(
        InputSpec,
        height=st.integers(8, 80),
        width=st.integers(8, 80),
        resize=st.sampled_from(["stretch", "letterbox"]),
    ),
)
def test_to_pixels__contract(width: int, height: int, spec: InputSpec) -> None:
    pixels = to_pixels(waves(width, height), spec)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (spec.height, spec.width, 3))


def test_to_pixels__same_size_is_the_photo_itself() -> None:
    photo = waves(48, 32)
    np.testing.assert_array_equal(to_pixels(photo, SMALL), photo)


@pytest.mark.parametrize(
    ("scale", "shape"),
    [(0.5, (40, 60, 3)), (0.05, (8, 8, 3)), (1.0, (80, 120, 3)), (3.0, (80, 120, 3))],
)
def test_shrink__keeps_the_proportions_down_to_8_pixels(
    scale: float, shape: tuple[int, int, int]
) -> None:
    photo = waves(120, 80)
    smaller = shrink(photo, scale)
    assert smaller.shape == shape
    if scale >= 1:
        np.testing.assert_array_equal(smaller, photo)


@pytest.mark.parametrize(("width", "height"), [(90, 70), (330, 330), (1200, 900)])
def test_to_pixels__is_bilinear_with_antialiasing(width: int, height: int) -> None:
    photo = waves(width, height)
    plain = Image.fromarray(photo).resize((48, 32), Image.Resampling.BILINEAR)
    difference = to_pixels(photo, SMALL).astype(int) - np.asarray(plain)
    assert np.abs(difference).max() <= 2


def test_to_pixels__fine_detail_becomes_its_mean() -> None:
    chessboard = np.indices((320, 320)).sum(axis=0) % 2 * 255
    photo = np.repeat(chessboard[..., None], 3, axis=2).astype(np.uint8)
    np.testing.assert_allclose(to_pixels(photo, SMALL).astype(int), 127, atol=2)


def test_to_pixels__letterbox_of_a_wide_photo() -> None:
    pixels = to_pixels(np.full((50, 100, 3), 200, dtype=np.uint8), LETTERBOX)
    assert (pixels[:16] == 128).all()
    assert (pixels[16:48] == 200).all()
    assert (pixels[48:] == 128).all()


def test_to_pixels__letterbox_of_a_tall_photo() -> None:
    pixels = to_pixels(np.full((100, 50, 3), 200, dtype=np.uint8), LETTERBOX)
    assert (pixels[:, :16] == 128).all()
    assert (pixels[:, 16:48] == 200).all()
    assert (pixels[:, 48:] == 128).all()


def test_to_pixels__letterbox_of_a_very_wide_photo_keeps_a_line() -> None:
    pixels = to_pixels(np.full((1, 1000, 3), 200, dtype=np.uint8), LETTERBOX)
    assert (pixels[31] == 200).all()
    assert (np.delete(pixels, 31, axis=0) == 128).all()


@pytest.mark.parametrize("spec", [SMALL, LETTERBOX], ids=["stretch", "letterbox"])
def test_to_input__is_to_pixels_in_unit_range(spec: InputSpec) -> None:
    photo = waves(100, 70)
    photo[0, 0], photo[-1, -1] = 0, 255
    values = to_input(photo, spec)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, to_pixels(photo, spec).astype(np.float32) / 255)
    assert 0 <= values.min() < values.max() <= 1


def test_to_input__leaves_the_photo_alone() -> None:
    photo = waves(100, 70)
    before = photo.copy()
    to_input(photo, LETTERBOX)
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("spec", [SMALL, LETTERBOX], ids=["stretch", "letterbox"])
def test_load_input__is_decoding_and_to_input(spec: InputSpec, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(waves(700, 500)))
    expected = to_input(decode(path, min_size=decoding_size(spec)), spec)
    np.testing.assert_array_equal(load_input(path, spec), expected)
    np.testing.assert_array_equal(load_input(path.read_bytes(), spec), expected)


def test_load_input__decoding_at_reduced_scale_does_not_show() -> None:
    source = jpeg(waves(1600, 1200))
    assert decode(source, min_size=decoding_size(SMALL)).shape[0] < 300
    difference = load_input(source, SMALL) - to_input(decode(source), SMALL)
    assert np.abs(difference).max() < 3 / 255


def test_load_input__real_photos_at_reduced_scale(shared_dir: Path) -> None:
    spec = InputSpec(height=96, width=96)
    folder = shared_dir / "data" / "lego_bricks"
    for path in sorted(folder.glob("*/*.jpg"))[::150]:
        difference = load_input(path, spec) - to_input(decode(path), spec)
        assert np.abs(difference).mean() < 1 / 255, path
