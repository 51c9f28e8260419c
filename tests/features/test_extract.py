"""Photos to features: right values, whatever came from the cache, on however many threads."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from bricksight import images
from bricksight.backbones import Backbone, frozen_graph, resolve
from bricksight.config import AugmentConfig, InputSpec
from bricksight.dataset import Dataset, scan
from bricksight.features import (
    ORIGINAL,
    AugmentedCopies,
    CompiledBackbone,
    compile_backbone,
    default_cache_path,
    extract,
)
from helpers import photos
from helpers.tiny_backbones import tiny_network, write_saved_model

pytestmark = pytest.mark.tf

RANDOM = AugmentedCopies(
    num_random=3, augment=AugmentConfig(flip_left_right=True, random_crop=20), seed=5
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = write_saved_model(tmp_path_factory.mktemp("module") / "tiny", tiny_network())
    return resolve(f"saved_model:{folder}")


@pytest.fixture
def data(photo_folder: Path) -> Dataset:
    return scan(photo_folder)


def inputs_of(data: Dataset, spec: InputSpec) -> np.ndarray:
    return np.stack([images.load_input(example.path, spec) for example in data.examples])


@pytest.fixture(scope="module")
def compiled(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> CompiledBackbone:
    """The network compiled once for all tests, in a cache folder of its own."""
    data = scan(photos.write_photo_folder(tmp_path_factory.mktemp("compiled") / "photos"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return compile_backbone(backbone, images=lambda spec: inputs_of(data, spec)[:4])


def test_extract__equals_the_network_on_each_photo(
    compiled: CompiledBackbone, data: Dataset
) -> None:
    expected = np.asarray(
        frozen_graph(compiled.backbone).load()(inputs_of(data, compiled.backbone.input_spec))
    )
    found = extract(data.examples, compiled=compiled)
    assert found.features.shape == (24, 1, 6)
    assert found.features.dtype == np.float32
    np.testing.assert_allclose(found.features[:, 0], expected, atol=1e-5)
    assert found.examples == data.examples
    assert found.failures == {}


def test_extract__the_second_time_everything_comes_from_the_cache(
    compiled: CompiledBackbone, data: Dataset
) -> None:
    path = default_cache_path()
    first = extract(data.examples, compiled=compiled, copies=RANDOM, cache_path=path)
    second = extract(data.examples, compiled=compiled, copies=RANDOM, cache_path=path)
    assert (first.num_computed, second.num_computed) == (24 * 4, 0)
    np.testing.assert_array_equal(first.features, second.features)


def test_extract__more_views_add_to_those_that_are_there(
    compiled: CompiledBackbone, data: Dataset
) -> None:
    path = default_cache_path()
    few = extract(data.examples, compiled=compiled, copies=RANDOM, cache_path=path)
    more = AugmentedCopies(num_random=5, augment=RANDOM.augment, seed=RANDOM.seed)
    many = extract(data.examples, compiled=compiled, copies=more, cache_path=path)
    assert many.num_computed == 24 * 2
    np.testing.assert_array_equal(many.features[:, :4], few.features)


def test_extract__a_changed_photo_is_computed_anew_and_a_renamed_one_is_not(
    compiled: CompiledBackbone, data: Dataset, photo_folder: Path
) -> None:
    path = default_cache_path()
    extract(data.examples, compiled=compiled, cache_path=path)
    photos.draw("red", 99).save(photo_folder / "red" / "photo_00.jpg")
    (photo_folder / "blue" / "photo_00.jpg").rename(photo_folder / "blue" / "renamed.jpg")
    again = extract(scan(photo_folder).examples, compiled=compiled, cache_path=path)
    assert again.num_computed == 1


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_extract__the_number_of_threads_does_not_matter(
    compiled: CompiledBackbone, data: Dataset, workers: int
) -> None:
    alone = extract(data.examples, compiled=compiled, copies=RANDOM, workers=1)
    several = extract(data.examples, compiled=compiled, copies=RANDOM, workers=workers)
    np.testing.assert_array_equal(alone.features, several.features)


def test_extract__a_view_depends_on_the_photo_and_the_seed_alone(
    compiled: CompiledBackbone, data: Dataset
) -> None:
    whole = extract(data.examples, compiled=compiled, copies=RANDOM).features
    part = extract(data.examples[10:12], compiled=compiled, copies=RANDOM).features
    np.testing.assert_array_equal(part, whole[10:12])
    other = AugmentedCopies(num_random=3, augment=RANDOM.augment, seed=6)
    assert not np.array_equal(
        extract(data.examples, compiled=compiled, copies=other).features[:, 1:], whole[:, 1:]
    )


def test_extract__bad_photos_are_set_aside_by_name(
    compiled: CompiledBackbone, faulty_folder: Path
) -> None:
    data = scan(faulty_folder)
    found = extract(data.examples, compiled=compiled)
    assert sorted(found.failures) == ["red/text.jpg", "red/truncated.jpg"]
    assert "truncated" in found.failures["red/truncated.jpg"]
    assert len(found.examples) == len(found.features) == len(data.examples) - 2


def test_extract__tells_of_every_photo(compiled: CompiledBackbone, data: Dataset) -> None:
    counts: list[int] = []
    extract(data.examples, compiled=compiled, advance=counts.append)
    assert sum(counts) == 24


def test_extract__an_interruption_keeps_what_was_computed(
    compiled: CompiledBackbone, data: Dataset
) -> None:
    path = default_cache_path()
    told = 0

    def stop_after_ten(_: int) -> None:
        nonlocal told
        told += 1
        if told == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(data.examples, compiled=compiled, cache_path=path, advance=stop_after_ten)
    again = extract(data.examples, compiled=compiled, cache_path=path)
    assert again.num_computed == 14


def test_views__plain_alone_and_random_without_plain() -> None:
    assert ORIGINAL.keys == ["plain-2"]
    assert len(RANDOM.keys) == 4
    without = AugmentedCopies(num_random=3, include_original=False, augment=RANDOM.augment, seed=5)
    assert without.keys == RANDOM.keys[1:]


def test_views__5_and_5_0_are_the_same() -> None:
    whole, fraction = (
        AugmentedCopies(num_random=1, augment=AugmentConfig(random_crop=n)) for n in (5, 5.0)
    )
    assert whole.keys == fraction.keys
    assert AugmentedCopies(num_random=1, augment=AugmentConfig(random_crop=5.5)).keys != whole.keys


def test_compile_module__is_done_once_and_again_when_the_file_is_gone(
    backbone: Backbone, data: Dataset
) -> None:
    first = compile_backbone(backbone, images=lambda spec: inputs_of(data, spec)[:4])

    def fail(_: InputSpec) -> np.ndarray:
        raise AssertionError("compiled again")

    assert compile_backbone(backbone, images=fail) == first
    assert first.runtime == "litert"
    assert first.largest_difference < 1e-4
    assert first.path is not None
    first.path.unlink()
    again = compile_backbone(backbone, images=lambda spec: inputs_of(data, spec)[:4])
    assert again.path is not None
    assert again.path.exists()


def test_compile_module__an_operation_litert_lacks_is_named_and_tensorflow_runs_it(
    tmp_path: Path, data: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    import tensorflow as tf  # noqa: TID251

    model = tf.Module()

    def features(images: tf.Tensor) -> tf.Tensor:
        small = tf.image.adjust_hue(images, 0.3)[:, ::8, ::8, :]
        return tf.reshape(small, (-1, 48))

    signature = tf.TensorSpec((None, 32, 32, 3), tf.float32, name="images")
    model.features = tf.function(features, input_signature=[signature])
    tf.saved_model.save(
        model, str(tmp_path / "hue"), signatures={"serving_default": model.features}
    )
    backbone = resolve(f"saved_model:{tmp_path / 'hue'}")
    with caplog.at_level(logging.WARNING):
        compiled = compile_backbone(backbone, images=lambda spec: inputs_of(data, spec)[:4])
    assert compiled.runtime == "tensorflow"
    assert "tf.AdjustHue" in caplog.text
    assert "TensorFlow computes its features" in caplog.text
    found = extract(data.examples[:3], compiled=compiled)
    expected = features(tf.constant(inputs_of(data, backbone.input_spec)[:3]))
    np.testing.assert_allclose(found.features[:, 0], expected, atol=1e-5)


def test_compile_module__real_mobilenet_agrees_with_tensorflow(
    shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(shared_dir / "modules" / "tfhub_cache"))
    backbone = resolve("https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3")
    paths = sorted((shared_dir / "data" / "lego_bricks" / "3001").iterdir())[:4]
    compiled = compile_backbone(
        backbone, images=lambda spec: np.stack([images.load_input(path, spec) for path in paths])
    )
    assert compiled.runtime == "litert"
    assert compiled.num_features == 1280
    assert 0 < compiled.largest_difference < 1e-4


def test_compile_module__file_that_was_cut_short_is_made_again(
    compiled: CompiledBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compiled.path is not None
    kept = tmp_path / "cache" / "compiled" / compiled.path.parent.name
    shutil.copytree(compiled.path.parent, kept)
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(tmp_path / "cache"))

    def no_images(_: InputSpec) -> np.ndarray:
        raise AssertionError("it is compiled again")

    assert compile_backbone(compiled.backbone, images=no_images).path == kept / "features.tflite"
    os.truncate(kept / "features.tflite", 1000)
    with pytest.raises(AssertionError, match="compiled again"):
        compile_backbone(compiled.backbone, images=no_images)
