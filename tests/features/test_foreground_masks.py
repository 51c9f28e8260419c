"""Other backgrounds behind parts: what views show, where masks come from, what it is good for."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bricksight._support.progress import Progress
from bricksight.config import AugmentConfig, FineTuneConfig, HeadConfig, InputSpec, TrainingConfig
from bricksight.dataset import scan
from bricksight.errors import ConfigError
from bricksight.features import AugmentedCopies, compile_backbone, extract
from bricksight.features.foreground_masks import find_foreground_masks
from bricksight.finetuning import BatchGenerator, read_image_set
from bricksight.images import (
    Backgrounds,
    ForegroundMasks,
    augment,
    encode_mask,
    foreground_mask,
    to_input,
)
from bricksight.predict import Predictor
from bricksight.training import train
from helpers.photos import COLOURS, draw_part
from helpers.tiny_backbones import as_backbone, tiny_network, write_keras_file
from helpers.tiny_bundle import SPLIT

SPEC = InputSpec(height=40, width=48)
ALWAYS = Backgrounds(percent=100)
GREEN, LIGHT, DARK = (0, 160, 0), (190, 190, 190), (70, 70, 70)
TURNED = AugmentConfig(random_rotation=180, random_shrink=40, random_translation=20)


def with_mask(label: str = "red", background: tuple[int, int, int] = GREEN) -> np.ndarray:
    """A photo without noise, uint8 (height, width, 4)."""
    _, mask = draw_part(label, background, 0)
    photo = np.where(np.asarray(mask)[..., None] > 0, COLOURS[label], background)
    return np.dstack([photo, mask]).astype(np.uint8)


def view(image: np.ndarray, backgrounds: Backgrounds | None, **settings: Any) -> np.ndarray:
    settings = {"config": AugmentConfig(), "spec": SPEC, "seed": 0, **settings}
    rng = np.random.default_rng(settings.pop("seed"))
    return augment(image, rng, backgrounds=backgrounds, **settings)


# What views show


@pytest.mark.parametrize("config", [AugmentConfig(), TURNED], ids=["still", "turned"])
@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_augment__nothing_of_the_background_is_left(config: AugmentConfig, resize: Any) -> None:
    spec = InputSpec(height=48, width=48, resize=resize)
    blue = Backgrounds(percent=100, photos=[np.full((9, 9, 3), (0, 0, 255), np.uint8)])
    for seed in range(20):
        found = view(with_mask(), blue, config=config, spec=spec, seed=seed)
        seen = found[6:-6] if resize == "letterbox" and config == AugmentConfig() else found
        red, green, behind = np.moveaxis(seen[4:-4], -1, 0)
        part = np.array(COLOURS["red"]) / 255
        assert green.max() <= part[1] + 0.01  # the green of the photo is at 0.63
        assert red.max() == pytest.approx(part[0], abs=0.01)
        assert behind.max() == pytest.approx(1, abs=0.01)


def test_augment__the_edge_is_soft_and_inside_the_mask() -> None:
    image = with_mask()
    black = Backgrounds(percent=100, photos=[np.zeros((9, 9, 3), np.uint8)])
    cover = view(image, black)[..., 0] * 255 / COLOURS["red"][0]
    assert (cover[image[..., 3] == 0] == 0).all()
    inside = cover[image[..., 3] == 255]
    assert inside.max() == pytest.approx(1, abs=0.01)
    assert 0.3 < inside.min() < 0.8


@pytest.mark.parametrize("config", [AugmentConfig(), TURNED], ids=["still", "turned"])
def test_augment__without_backgrounds_a_mask_changes_nothing(config: AugmentConfig) -> None:
    image = with_mask()
    expected = view(image[..., :3], None, config=config)
    np.testing.assert_array_equal(view(image, None, config=config), expected)
    np.testing.assert_array_equal(view(image[..., :3], ALWAYS, config=config), expected)


@pytest.mark.parametrize("percent", [20, 80])
def test_augment__replaces_so_many_percent(percent: float) -> None:
    image, rng = with_mask(), np.random.default_rng(0)
    same = to_input(image[..., :3], SPEC)
    backgrounds = Backgrounds(percent=percent)
    replaced = [
        not np.array_equal(
            augment(image, rng, config=AugmentConfig(), spec=SPEC, backgrounds=backgrounds), same
        )
        for _ in range(300)
    ]
    assert 100 * np.mean(replaced) == pytest.approx(percent, abs=8)


def test_backgrounds__are_parts_of_photos_or_colours_and_gradients() -> None:
    rng = np.random.default_rng(0)
    drawn = [Backgrounds().draw(rng, width=48, height=40) for _ in range(40)]
    assert {(one.dtype, one.shape) for one in drawn} == {(np.dtype(np.float32), (40, 48, 3))}
    assert all(0 <= one.min() <= one.max() <= 1 for one in drawn)
    plain = sum(float(np.ptp(one, axis=(0, 1)).max()) == 0 for one in drawn)
    assert 8 < plain < 32
    photos = [np.full((30, 90, 3), colour, np.uint8) for colour in (10, 200)]
    photos[0][:, :45] = 60
    shown = {
        round(255 * float(value))
        for _ in range(40)
        for value in np.unique(Backgrounds(photos=photos).draw(rng, width=48, height=40)[0, ::47])
    }
    assert shown == {10, 60, 200}


# What the features are kept by


def cutouts_of(path: Path, mask: np.ndarray, **backgrounds: Any) -> ForegroundMasks:
    return ForegroundMasks(masks={path: encode_mask(mask)}, backgrounds=Backgrounds(**backgrounds))


@pytest.mark.tf
def test_extract__masks_and_backgrounds_are_part_of_the_key(
    photo_folder: Path, tmp_path: Path
) -> None:
    examples = scan(photo_folder).examples[:3]
    backbone = as_backbone(tiny_network(), name="tiny", size=32)
    compiled = compile_backbone(backbone, images=lambda _: np.zeros((1, 32, 32, 3), np.float32))
    left, right = np.zeros((2, 40, 48), np.uint8)
    left[:, :24], right[:, 24:] = 255, 255
    copies = AugmentedCopies(num_random=2, augment=AugmentConfig(random_crop=10))

    def computed(masks: ForegroundMasks | None) -> tuple[int, np.ndarray]:
        found = extract(
            examples,
            compiled=compiled,
            copies=replace(copies, foreground_masks=masks),
            cache_path=tmp_path / "features.sqlite",
        )
        return found.num_computed, found.features

    path = examples[1].path
    assert computed(None)[0] == 9
    number, masked = computed(cutouts_of(path, left, percent=100))
    assert number == 2  # the two views of the one photo; its unchanged rendition is the same
    assert computed(cutouts_of(path, left, percent=100))[0] == 0
    assert computed(cutouts_of(path, left, percent=99))[0] == 2
    assert computed(cutouts_of(path, left, percent=100, photos=[np.zeros((8, 8, 3), np.uint8)]))[0]
    number, other = computed(cutouts_of(path, right, percent=100))
    assert number == 2
    np.testing.assert_array_equal(masked[:, 0], other[:, 0])
    np.testing.assert_array_equal(masked[[0, 2]], other[[0, 2]])
    assert (masked[1, 1:] != other[1, 1:]).any()


def test_mixture__shows_other_backgrounds(tmp_path: Path) -> None:
    paths = [tmp_path / "large.png", tmp_path / "bare.png"]
    image = with_mask()
    for path in paths:
        Image.fromarray(image[..., :3]).resize((480, 400), Image.Resampling.NEAREST).save(path)
    cutouts = cutouts_of(paths[0], image[..., 3], percent=100)
    found = read_image_set(paths, np.array([0, 1]), size=40, foreground_masks=cutouts)
    assert [one.shape for one in found.pixels] == [(60, 72, 4), (60, 72, 3)]
    mixture = BatchGenerator(
        photos=found,
        augments=(AugmentConfig(),),
        batch_size=2,
        seed=0,
        backgrounds=cutouts.backgrounds,
    )
    batch = mixture.batch(0, InputSpec(height=40, width=40))
    greens = dict(zip(batch.labels.tolist(), batch.images[:, 0, 0], strict=True))
    np.testing.assert_allclose(greens[1], np.array(GREEN) / 255, atol=0.01)
    assert np.abs(greens[0] - np.array(GREEN) / 255).max() > 0.05


# From a folder


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Photos whose class the background gives away, and their masks beside them."""
    write_parts(tmp_path / "photos", {"blue": DARK, "red": LIGHT})
    return tmp_path / "photos"


def write_parts(folder: Path, backgrounds: dict[str, tuple[int, int, int]]) -> None:
    masks = folder.with_name(f"{folder.name}_masks")
    for label, background in backgrounds.items():
        (folder / label).mkdir(parents=True)
        (masks / label).mkdir(parents=True)
        for index in range(16):
            photo, mask = draw_part(label, background, index)
            photo.save(folder / label / f"{index}.png")
            mask.save(masks / label / f"{index}.png")


def masks_of(parts: Path) -> Path:
    return parts.with_name(f"{parts.name}_masks")


def found_in(parts: Path, **source: Any) -> ForegroundMasks | None:
    config = TrainingConfig.of(**{"image_dir": parts, "mask_dir": masks_of(parts), **source})
    return find_foreground_masks(scan(parts).examples, config.data, Progress())


def test_find_cutouts__masks_by_path(parts: Path, caplog: pytest.LogCaptureFixture) -> None:
    (masks_of(parts) / "red" / "3.png").unlink()
    Image.new("L", (48, 40), 255).save(masks_of(parts) / "red" / "4.png")
    Image.new("L", (48, 40), 0).save(masks_of(parts) / "red" / "5.png")
    with caplog.at_level(logging.WARNING):
        cutouts = found_in(parts, replace_background=30)
    assert cutouts is not None
    missing = {parts / "red" / f"{number}.png" for number in (3, 4, 5)}
    assert set(cutouts.masks) == {example.path for example in scan(parts).examples} - missing
    assert cutouts.backgrounds == Backgrounds(percent=30)
    (message,) = caplog.messages
    assert "1 photo without a mask in" in message
    assert re.search(r"2 photos .* nothing or everything: they keep their background", message)
    assert "29 photos" in message


def test_find_cutouts__refuses_what_does_not_fit(parts: Path) -> None:
    Image.new("L", (40, 48), 255).save(masks_of(parts) / "red" / "4.png")
    with pytest.raises(ConfigError, match=r"red/4.png is 40 x 48 pixels and .* is 48 x 40"):
        found_in(parts)
    (masks_of(parts) / "red" / "4.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"red/4.png: "):
        found_in(parts)
    (parts.parent / "empty").mkdir()
    with pytest.raises(
        ConfigError, match=r"32 photos without a mask in .*empty. Expected, .*red/1.png"
    ):
        found_in(parts, mask_dir=parts.parent / "empty")
    with pytest.raises(ConfigError, match=r"--mask_dir .*nowhere is no folder"):
        found_in(parts, mask_dir=parts.parent / "nowhere")
    with pytest.raises(ConfigError, match=r"backgrounds .*empty holds no photos"):
        found_in(parts, background_dir=parts.parent / "empty", mask_dir=masks_of(parts))


@pytest.mark.parametrize("given", [{"replace_background": 20}, {"background_dir": Path("belts")}])
def test_config__refuses_what_does_nothing(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"has no effect: nothing says where the object is"):
        TrainingConfig.of(image_dir=Path("photos"), **given)


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_config__refuses_a_percentage_that_is_none(percent: float) -> None:
    with pytest.raises(ConfigError, match=r"--replace_background is .* over 0 and at most 100"):
        TrainingConfig.of(
            image_dir=Path("photos"), mask_dir=Path("masks"), replace_background=percent
        )


def test_retrain__refuses_masks_with_what_does_not_use_them(parts: Path) -> None:
    config = TrainingConfig.of(image_dir=parts, mask_dir=masks_of(parts))
    with pytest.raises(ConfigError, match=r"\(--mask_dir.*\) do not work with gradient descent"):
        train(replace(config, head=HeadConfig(how_many_training_steps=10)))
    with pytest.raises(ConfigError, match=r"--augmented_copies 0 turns augmentation off"):
        train(replace(config, head=HeadConfig(augmented_copies=0)))


TINY = FineTuneConfig(
    fine_tune=True,
    fine_tune_epochs=60,
    fine_tune_size=32,
    fine_tune_learning_rate=1e-2,
    fine_tune_batch_size=8,
)


@pytest.mark.tf
@pytest.mark.parametrize("tuning", [FineTuneConfig(), TINY], ids=["layer", "network"])
def test_retrain__looks_at_the_part_where_the_background_tells_the_class(
    parts: Path, tmp_path: Path, tuning: FineTuneConfig
) -> None:
    """With backgrounds exchanged, what has learned the background is no better than chance."""
    write_parts(tmp_path / "other", {"blue": LIGHT, "red": DARK})
    belts = tmp_path / "belts"
    belts.mkdir()
    for number, grey in enumerate((DARK, LIGHT)):
        Image.new("RGB", (64, 64), grey).save(belts / f"{number}.png")
    backbone = write_keras_file(tmp_path / "tiny.keras", tiny_network(32))
    others = scan(tmp_path / "other").examples

    def share_right(**source: Any) -> float:
        name = "with" if source else "without"
        config = TrainingConfig.of(
            image_dir=parts, backbone=str(backbone), out=tmp_path / name, **source
        )
        result = train(
            replace(
                config,
                split=SPLIT,
                augmentation=AugmentConfig(random_translation=10),
                head=HeadConfig(augmented_copies=24),
                finetuning=tuning,
            ),
        )
        predictor = Predictor(result.bundle.path)
        answers = [predictor.predict(one.path).predictions[0].label for one in others]
        return float(np.mean([a == one.label for a, one in zip(answers, others, strict=True)]))

    assert share_right() <= 0.5
    assert share_right(mask_dir=masks_of(parts), background_dir=belts) > 0.9


# From a photo of the empty scene


def scene(width: int = 480, height: int = 360, *, seed: int = 0, noise: float = 4) -> np.ndarray:
    """A belt, lit unevenly, float64 (height, width, 3)."""
    rows, columns = np.mgrid[:height, :width]
    belt = (110 + 40 * columns / width - 30 * rows / height)[..., None] * (1.0, 0.95, 0.85)
    return belt + np.random.default_rng(seed).normal(0, noise, size=(height, width, 3))


def as_photo(light: np.ndarray) -> np.ndarray:
    return np.clip(light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [1, 4, 10])
@pytest.mark.parametrize("gain", [(1, 1, 1), (1.15, 1.1, 1.1), (0.8, 0.85, 0.95)])
def test_differing_part__is_the_part_in_other_light(
    gain: tuple[float, float, float], noise: float
) -> None:
    photo = scene(seed=1, noise=noise)
    expected = np.zeros((360, 480), bool)
    expected[100:250, 150:300] = True
    photo[expected] = (170, 30, 40)
    photo[160:190, 200:240] = scene(seed=1, noise=noise)[160:190, 200:240]  # a hole: a stud's top
    photo[20:25, 20:24] = 255  # a speck of dust
    found = foreground_mask(as_photo(photo * gain), as_photo(scene(seed=2, noise=noise)))
    assert (found.dtype, set(np.unique(found))) == (np.uint8, {0, 255})
    either, both = (found > 0) | expected, (found > 0) & expected
    assert both.sum() / either.sum() > 0.95
    assert not found[:60, :60].any()


def test_differing_part__reaches_the_edge_of_the_photo() -> None:
    photo = scene(seed=1)
    photo[:80, :90] = (170, 30, 40)
    found = foreground_mask(as_photo(photo), as_photo(scene(seed=2)))
    assert found[:75, :85].all()
    assert not found[90:, :].any()


def test_differing_part__nothing_and_everything() -> None:
    empty = as_photo(scene(seed=2))
    assert not foreground_mask(as_photo(scene(seed=1)), empty).any()
    other = as_photo(np.random.default_rng(0).uniform(0, 255, size=(12, 16, 3)))
    elsewhere = np.asarray(Image.fromarray(other).resize((480, 360), Image.Resampling.NEAREST))
    assert foreground_mask(elsewhere, empty).all()


def test_find_cutouts__from_the_empty_scene(
    parts: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty, elsewhere = tmp_path / "empty.png", parts / "red" / "17.png"
    Image.new("RGB", (48, 40), LIGHT).save(empty)
    Image.new("RGB", (48, 40), LIGHT).save(parts / "red" / "16.png")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(elsewhere)
    with caplog.at_level(logging.WARNING):
        cutouts = found_in(parts, mask_dir=None, empty_scene=empty)
    assert cutouts is not None
    (message,) = caplog.messages
    assert message.startswith(f"2 photos that differ nowhere or everywhere from {empty}: they keep")
    for number in range(16):
        _, expected = draw_part("red", LIGHT, number)
        image = cutouts.cut_out(np.zeros((40, 48, 3), np.uint8), parts / "red" / f"{number}.png")
        found, box = image[..., 3] > 0, np.asarray(expected) > 0
        assert (found & box).sum() / (found | box).sum() > 0.7  # a pixel more all around, of 15

    with caplog.at_level(logging.WARNING):
        both = found_in(parts, empty_scene=empty)
    assert both is not None
    _, expected = draw_part("red", LIGHT, 3)
    image = both.cut_out(np.zeros((40, 48, 3), np.uint8), parts / "red" / "3.png")
    np.testing.assert_array_equal(image[..., 3], np.asarray(expected))


def test_find_cutouts__refuses_an_empty_scene_that_is_not_theirs(
    parts: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.png"
    Image.new("RGB", (96, 40), LIGHT).save(empty)
    with pytest.raises(ConfigError, match=r"--empty_scene: .* is 96 x 40 pixels and .* 48 x 40"):
        found_in(parts, mask_dir=None, empty_scene=empty)
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(noise).save(empty)
    with pytest.raises(ConfigError, match=r"no object to put .*: 32 photos that differ nowhere or"):
        found_in(parts, mask_dir=None, empty_scene=empty)


def test_find_cutouts__compares_what_was_rounded_otherwise(parts: Path, tmp_path: Path) -> None:
    """A JPEG is decoded at an eighth, whose sides are rounded up; a PNG is not."""
    for path in [example.path for example in scan(parts).examples]:
        photo, _ = draw_part(path.parent.name, LIGHT, int(path.stem))
        photo.resize((4800, 4097)).save(path.with_suffix(".jpg"))
        path.unlink()
        if int(path.stem) > 2:
            path.with_suffix(".jpg").unlink()
    empty = tmp_path / "empty.png"
    Image.new("RGB", (4800, 4097), LIGHT).save(empty)
    cutouts = found_in(parts, mask_dir=None, empty_scene=empty)
    assert cutouts is not None
    assert len(cutouts.masks) == 6
