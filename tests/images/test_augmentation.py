"""Random images: what every augmentation keeps, and what each one does."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bricksight.config import AugmentConfig, InputSpec
from bricksight.images import AUGMENTATIONS, augment, to_input
from bricksight.images.augmentation.augment import GEOMETRIC_TRANSFORMS, PIXEL_TRANSFORMS
from bricksight.images.augmentation.geometric import GeometricTransform, apply_transform

SPEC = InputSpec(height=40, width=48)
LETTERBOX = InputSpec(height=48, width=48, resize="letterbox")
FLAGS = frozenset(field.name for field in fields(AugmentConfig) if isinstance(field.default, bool))


def photo(width: int = 90, height: int = 70, *, seed: int = 0) -> np.ndarray:
    """Smooth random colours, so that no two places look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def config(*names: str, amount: float = 20) -> AugmentConfig:
    return AugmentConfig(**{name: True if name in FLAGS else amount for name in names})


def augmented(
    image: np.ndarray, augment_config: AugmentConfig, *, seed: int = 0, spec: InputSpec = SPEC
) -> np.ndarray:
    return augment(image, np.random.default_rng(seed), config=augment_config, spec=spec)


def images(image: np.ndarray, augment_config: AugmentConfig, num_views: int = 60) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack(
        [augment(image, rng, config=augment_config, spec=SPEC) for _ in range(num_views)]
    )


def luma(values: np.ndarray) -> np.ndarray:
    return values @ np.array([0.299, 0.587, 0.114])


# Every entry of the table


def test_augmentations__are_the_fields_of_the_config() -> None:
    assert set(AUGMENTATIONS) == {field.name for field in fields(AugmentConfig)}
    assert len(AUGMENTATIONS) == len(GEOMETRIC_TRANSFORMS) + len(PIXEL_TRANSFORMS)


def test_augmentations__order() -> None:
    order = list(AUGMENTATIONS)
    retrain = ["random_scale", "random_crop", "flip_left_right", "random_brightness"]
    assert [name for name in order if name in retrain] == retrain
    assert order[-1] == "random_erasing"


@pytest.mark.parametrize("spec", [SPEC, LETTERBOX], ids=["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(90, 70), (300, 40), (20, 16), (1, 1)])
def test_augment__identity(size: tuple[int, int], spec: InputSpec) -> None:
    image = photo(*size)
    rng = np.random.default_rng(0)
    untouched = rng.bit_generator.state
    result = augment(image, rng, config=AugmentConfig(), spec=spec)
    np.testing.assert_array_equal(result, to_input(image, spec))
    assert rng.bit_generator.state == untouched


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("spec", [SPEC, LETTERBOX], ids=["stretch", "letterbox"])
@settings(deadline=None, max_examples=20)
@given(
    amount=st.floats(0, 100),
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 120), st.integers(1, 120)),
)
def test_augmentation__contract(
    name: str, spec: InputSpec, amount: float, seed: int, size: tuple[int, int]
) -> None:
    limit = 20 if name == "random_blur" else 100
    result = augmented(photo(*size), config(name, amount=min(amount, limit)), seed=seed, spec=spec)
    assert (result.dtype, result.shape) == (np.float32, (spec.height, spec.width, 3))
    assert 0 <= result.min() <= result.max() <= 1
    assert result.flags.c_contiguous


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation__same_seed_same_image(name: str) -> None:
    np.testing.assert_array_equal(
        augmented(photo(), config(name), seed=5), augmented(photo(), config(name), seed=5)
    )


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation__seeds_differ(name: str) -> None:
    results = {augmented(photo(), config(name), seed=seed).tobytes() for seed in range(12)}
    assert len(results) == (2 if name in FLAGS else 12)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation__leaves_the_photo_alone(name: str) -> None:
    image = photo(SPEC.width, SPEC.height)
    before = image.copy()
    augmented(image, config(name))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", GEOMETRIC_TRANSFORMS)
def test_geometric_transform__amount_0_is_identity(name: str) -> None:
    image = photo()
    whole = GeometricTransform(width=image.shape[1], height=image.shape[0])
    transform = GEOMETRIC_TRANSFORMS[name](whole, np.random.default_rng(0), amount=0)
    np.testing.assert_array_equal(
        apply_transform(image, transform, SPEC), apply_transform(image, whole, SPEC)
    )


@pytest.mark.parametrize("name", PIXEL_TRANSFORMS)
def test_pixel_transform__amount_0_is_identity(name: str) -> None:
    before = to_input(photo(), SPEC)
    kept = before.copy()
    after = PIXEL_TRANSFORMS[name](before, np.random.default_rng(0), amount=0)
    np.testing.assert_allclose(after, kept, atol=1e-6)
    np.testing.assert_array_equal(before, kept)


def test_augment__all_at_once() -> None:
    result = augmented(photo(), config(*AUGMENTATIONS), spec=LETTERBOX)
    assert result.shape == (48, 48, 3)
    assert not np.array_equal(
        result, augmented(photo(), config(*AUGMENTATIONS), seed=1, spec=LETTERBOX)
    )


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augment__letterbox_grey_stays(name: str) -> None:
    result = augmented(photo(96, 48), config(name), spec=LETTERBOX)
    grey = np.float32(128) / 255
    assert (result[:12] == grey).all()
    assert (result[-12:] == grey).all()


# retrain.py's four


@settings(deadline=None)
@given(
    zoom=st.floats(1, 4),
    crop_position=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    size=st.tuples(st.integers(30, 150), st.integers(30, 150)),
)
def test_apply_transform__is_resizing_then_cropping(
    zoom: float, crop_position: tuple[float, float], size: tuple[int, int]
) -> None:
    image = photo(*size)
    transform = GeometricTransform(
        width=size[0], height=size[1], zoom=zoom, crop_position=crop_position
    )
    enlarged_width = int(zoom * SPEC.width)
    enlarged_height = int(zoom * SPEC.height)
    enlarged = Image.fromarray(image).resize(
        (enlarged_width, enlarged_height), Image.Resampling.BILINEAR
    )
    left = int(crop_position[0] * (enlarged_width - SPEC.width + 1))
    top = int(crop_position[1] * (enlarged_height - SPEC.height + 1))
    expected = np.asarray(enlarged)[top : top + SPEC.height, left : left + SPEC.width]
    found = np.asarray(apply_transform(image, transform, SPEC))
    np.testing.assert_allclose(found.astype(int), expected, atol=2)


def position_photo() -> np.ndarray:
    """Red grows from left to right, green from top to bottom, both from 0 to 240."""
    pixels = np.zeros((200, 240, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 240, 240)
    pixels[..., 1] = np.linspace(0, 240, 200)[:, None]
    return pixels


def test_random_crop__keeps_two_thirds_at_50_and_goes_everywhere() -> None:
    found = images(position_photo(), config("random_crop", amount=50), 200) * 255
    for lows, highs in (
        (found[:, 5, 0, 0], found[:, 5, -1, 0]),
        (found[:, 0, 5, 1], found[:, -1, 5, 1]),
    ):
        np.testing.assert_allclose(highs - lows, 240 * 2 / 3, atol=8)
        assert lows.min() < 5
        assert highs.max() > 235
        assert 30 < lows.mean() < 50


def test_random_scale__enlarges_by_differing_amounts() -> None:
    found = images(position_photo(), config("random_scale", amount=100), 200) * 255
    shown = (found[:, 5, -1, 0] - found[:, 5, 0, 0]) / 240
    assert 0.48 < shown.min() < 0.55
    assert 0.9 < shown.max() < 1.01


def test_random_crop_and_scale__multiply() -> None:
    both = AugmentConfig(random_crop=50, random_scale=100)
    found = images(position_photo(), both, 200) * 255
    shown = (found[:, 5, -1, 0] - found[:, 5, 0, 0]) / 240
    assert 0.3 < shown.min() < 0.4
    assert 0.6 < shown.max() < 0.68


@pytest.mark.parametrize(("name", "axis"), [("flip_left_right", 1), ("flip_up_down", 0)])
def test_flip__mirrors_about_half(name: str, axis: int) -> None:
    plain = to_input(photo(), SPEC)
    flipped = 0
    for result in images(photo(), config(name), 100):
        if not np.array_equal(result, plain):
            np.testing.assert_array_equal(result, np.flip(plain, axis))
            flipped += 1
    assert 30 < flipped < 70


def test_random_brightness__range() -> None:
    grey = np.full((40, 48, 3), 100, dtype=np.uint8)
    found = images(grey, config("random_brightness", amount=30), 200)
    factors = found.mean(axis=(1, 2, 3)) / np.float32(100 / 255)
    assert 0.7 <= factors.min() < 0.73
    assert 1.27 < factors.max() <= 1.3001
    assert np.ptp(found, axis=(1, 2, 3)).max() == 0


def test_random_brightness__is_clipped_at_white() -> None:
    white = np.full((40, 48, 3), 250, dtype=np.uint8)
    assert images(white, config("random_brightness", amount=50)).max() == 1


# Turning and shifting


def turn(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


@pytest.mark.parametrize(("degrees", "num_quarters"), [(90, 1), (180, 2), (270, 3)])
def test_apply_transform__quarter_turns_are_exact(degrees: float, num_quarters: int) -> None:
    image = photo(48, 48)
    spec = InputSpec(height=48, width=48)
    transform = GeometricTransform(width=48, height=48).compose(turn(degrees))
    np.testing.assert_allclose(
        np.asarray(apply_transform(image, transform, spec)).astype(int),
        np.rot90(image, num_quarters),
        atol=1,
    )


@pytest.mark.parametrize("size", [(60, 60), (90, 70), (400, 300)])
def test_apply_transform__half_turn_of_any_size(size: tuple[int, int]) -> None:
    image = photo(*size)
    turned = apply_transform(
        image, GeometricTransform(width=size[0], height=size[1]).compose(turn(180)), SPEC
    )
    upside_down = apply_transform(
        image[::-1, ::-1].copy(), GeometricTransform(width=size[0], height=size[1]), SPEC
    )
    difference = np.asarray(turned).astype(int) - np.asarray(upside_down)
    assert np.abs(difference).mean() < 3


def test_apply_transform__turned_circles_stay_round() -> None:
    down, across = np.mgrid[:100, :200]
    disc = (across - 100) ** 2 + (down - 50) ** 2 < 40**2
    image = np.where(disc[..., None], 0, 255).astype(np.uint8).repeat(3, axis=2)
    spec = InputSpec(height=100, width=200)
    for degrees in (30, 45, 77):
        transform = GeometricTransform(width=200, height=100).compose(turn(degrees))
        turned = np.asarray(apply_transform(image, transform, spec)).astype(int)
        assert np.abs(turned - image).mean() < 3


def test_random_rotation__corners_take_the_colour_of_the_border() -> None:
    image = np.full((80, 80, 3), (180, 190, 200), dtype=np.uint8)
    image[25:55, 25:55] = (200, 30, 30)
    background = np.array([180, 190, 200], dtype=np.float32) / 255
    for result in images(image, config("random_rotation", amount=180)):
        np.testing.assert_allclose(result[[0, 0, -1, -1], [0, -1, 0, -1]], [background] * 4)
        assert result[20, 24, 0] > result[20, 24, 1] + 0.5


def test_random_rotation__small_amounts_change_little() -> None:
    plain = to_input(photo(), SPEC)
    little = np.abs(images(photo(), config("random_rotation", amount=2)) - plain).mean()
    much = np.abs(images(photo(), config("random_rotation", amount=90)) - plain).mean()
    assert little < much / 4


def test_random_translation__range() -> None:
    found = images(position_photo(), config("random_translation", amount=25), 200) * 255
    shifts = found[:, 20, 24, 0] - to_input(position_photo(), SPEC)[20, 24, 0] * 255
    assert -62 < shifts.min() < -50
    assert 50 < shifts.max() < 62


# Colours


def test_random_contrast__keeps_the_mean() -> None:
    plain = to_input(photo(), SPEC) * 0.4 + 0.3
    for seed in range(20):
        changed = PIXEL_TRANSFORMS["random_contrast"](plain, np.random.default_rng(seed), amount=50)
        assert luma(changed).mean() == pytest.approx(luma(plain).mean(), abs=1e-4)
        assert 0.5 <= changed.std() / plain.std() <= 1.5


def test_random_saturation__keeps_brightness_and_greys() -> None:
    plain = to_input(photo(), SPEC)
    changed = PIXEL_TRANSFORMS["random_saturation"](plain, np.random.default_rng(0), amount=100)
    np.testing.assert_allclose(luma(changed), luma(plain), atol=1e-5)
    assert np.abs(changed - plain).max() > 0.05


def test_random_hue__keeps_brightness_and_greys() -> None:
    plain = to_input(photo(), SPEC)
    plain[0] = 0.4
    changed = PIXEL_TRANSFORMS["random_hue"](plain, np.random.default_rng(0), amount=90)
    np.testing.assert_allclose(luma(changed), luma(plain), atol=1e-5)
    np.testing.assert_allclose(changed[0], 0.4, atol=1e-3)
    assert np.abs(changed - plain).max() > 0.1


def test_random_hue__turns_by_up_to_the_amount() -> None:
    red = np.full((1, 1, 3), (0.6, 0.4, 0.4), dtype=np.float32)
    i_axis, q_axis = np.array([0.5959, -0.2746, -0.3213]), np.array([0.2115, -0.5227, 0.3112])

    def hue(values: np.ndarray) -> float:
        return float(np.rad2deg(np.arctan2(values @ q_axis, values @ i_axis)[0, 0]))

    turns = [
        hue(PIXEL_TRANSFORMS["random_hue"](red, np.random.default_rng(seed), amount=30)) - hue(red)
        for seed in range(200)
    ]
    assert -30.1 < min(turns) < -27
    assert 27 < max(turns) < 30.1


# Disturbances


def test_random_blur__smooths_without_darkening_the_edge() -> None:
    sharp = np.zeros((40, 48, 3), dtype=np.uint8)
    sharp[:, 24:] = 255
    found = images(sharp, config("random_blur", amount=4))
    slopes = np.abs(np.diff(found, axis=2)).max(axis=(1, 2, 3))
    assert slopes.min() < 0.15
    assert slopes.max() > 0.9
    np.testing.assert_allclose(found[:, :, -1], 1, atol=1e-6)


def test_random_noise__range_of_deviations() -> None:
    grey = np.full((40, 48, 3), 128, dtype=np.uint8)
    deviations = images(grey, config("random_noise", amount=10)).std(axis=(1, 2, 3))
    assert deviations.min() < 0.01
    assert 0.09 < deviations.max() < 0.105


def test_random_erasing__covers_up_to_the_amount() -> None:
    plain = to_input(photo(), SPEC)
    shares = []
    for result in images(photo(), config("random_erasing", amount=40), 100):
        covered = (result != plain).any(axis=2)
        rows, columns = covered.any(axis=1), covered.any(axis=0)
        assert covered.sum() == rows.sum() * columns.sum()
        shares.append(covered.mean())
    assert min(shares) < 0.03
    assert 0.3 < max(shares) < 0.43
