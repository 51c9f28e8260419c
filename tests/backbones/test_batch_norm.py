"""Normalisations that know the photos, and who gets them."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import Backbone, batch_norm_adapted, frozen_graph, resolve
from bricksight.config import FineTuneConfig, HeadConfig, TrainingConfig
from bricksight.errors import BackboneError
from bricksight.features import FeaturizedDataset
from bricksight.training import train
from bricksight.training.batch_norm_adaptation import adapt_batch_norm
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import noise, tiny_network, write_hub_module, write_keras_file
from helpers.tiny_bundle import SPLIT
from helpers.training_context import context_of, featurized, with_base

pytestmark = pytest.mark.tf


@pytest.fixture
def backbone(tmp_path: Path) -> Backbone:
    return resolve(f"saved_model:{write_keras_file(tmp_path / 'net.keras', tiny_network())}")


def norm_of(network: Any) -> Any:
    norm_type = require_tensorflow().keras.layers.BatchNormalization
    (norm,) = (layer for layer in network.layers if isinstance(layer, norm_type))
    return norm


def met_by_norm(network: Any, images: np.ndarray) -> np.ndarray:
    keras = require_tensorflow().keras
    return np.asarray(keras.Model(network.inputs[0], norm_of(network).input)(images))


@pytest.mark.parametrize(("count", "share"), [(64, 0.2), (256, 0.5)])
def test_adapted__mixes_what_photos_have_with_what_was_there(
    backbone: Backbone, count: int, share: float
) -> None:
    images = np.linspace(0.2, 1, count, dtype=np.float32)[:, None, None, None] * noise(count=count)
    before = backbone.network()
    after = batch_norm_adapted(backbone, lambda: images, key="a").network()
    met = met_by_norm(before, images)
    old, new = norm_of(before), norm_of(after)
    mean = (1 - share) * old.moving_mean.numpy() + share * met.mean((0, 1, 2))
    variance = (1 - share) * old.moving_variance.numpy() + share * met.var((0, 1, 2))
    np.testing.assert_allclose(new.moving_mean.numpy(), mean, atol=1e-5)
    np.testing.assert_allclose(new.moving_variance.numpy(), variance, atol=1e-3)
    assert not np.allclose(mean, old.moving_mean.numpy(), atol=1e-2)
    for one, other in zip(
        before.trainable_variables, after.trainable_variables, strict=True
    ):  # what was learned
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_adapted__is_one_network_in_every_form(backbone: Backbone) -> None:
    looked = Counter[str]()

    def images() -> np.ndarray:
        looked["times"] += 1
        return 0.3 * noise(count=32)

    one = batch_norm_adapted(backbone, images, key="a")
    assert not looked  # a network that is in the cache needs no photo
    seen = noise(count=5)
    expected = np.asarray(one.network()(seen))
    np.testing.assert_allclose(np.asarray(one.load()(seen)), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(frozen_graph(one).load()(seen)), expected, atol=1e-5)
    assert not np.allclose(np.asarray(backbone.load()(seen)), expected, atol=1e-3)
    assert looked["times"] == 1
    again = batch_norm_adapted(backbone, images, key="a")
    other = batch_norm_adapted(backbone, images, key="b")
    assert one.fingerprint == again.fingerprint
    assert len({one.fingerprint, other.fingerprint, backbone.fingerprint}) == 3


def test_adapted__needs_layers(tmp_path: Path) -> None:
    graph = resolve(f"saved_model:{write_hub_module(tmp_path / 'hub')}")
    with pytest.raises(BackboneError, match="graph without Keras layers"):
        batch_norm_adapted(graph, noise, key="a")


def opened(
    folder: Path, network: Path, *, extra: Path | None = None, is_of_renders: bool = True
) -> FeaturizedDataset:
    context = context_of(
        image_dir=folder,
        backbone=f"saved_model:{network}",
        extra_train_dir=extra,
        split=SPLIT,
    )
    return with_base(featurized(context, multi_scale=True), is_of_renders=is_of_renders)


def adapted(photos: FeaturizedDataset) -> FeaturizedDataset:
    return adapt_batch_norm(photos, context_of())


def test_adapted__to_training_photos_of_a_network_that_knows_renders(tmp_path: Path) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=12)
    network = write_keras_file(tmp_path / "net.keras", tiny_network())
    assert (ordinary := opened(folder, network, is_of_renders=False)) is adapted(ordinary)
    photos = opened(folder, network)
    found = adapted(photos)
    assert not np.allclose(found.features, photos.features, atol=1e-3)
    training, testing = photos.data.in_split("training"), photos.data.in_split("test")
    Image.new("RGB", (40, 40), "red").save(testing[0].path)
    assert (
        adapted(opened(folder, network)).backbone.base.fingerprint
        == found.backbone.base.fingerprint
    )
    Image.new("RGB", (40, 40), "red").save(training[0].path)
    assert (
        adapted(opened(folder, network)).backbone.base.fingerprint
        != found.backbone.base.fingerprint
    )


def test_adapted__keeps_depths_and_extra_photos(tmp_path: Path) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=12)
    extra = write_photo_folder(tmp_path / "extra", per_class=4)
    for path in extra.rglob("*.*"):
        ImageOps.mirror(Image.open(path)).save(path)  # no photo is there twice
    keras = require_tensorflow().keras
    images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(images)
    x = keras.layers.Conv2D(6, 3, strides=2)(keras.layers.BatchNormalization()(x))
    two_depths = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
    photos = opened(folder, write_keras_file(tmp_path / "net.keras", two_depths), extra=extra)
    found = adapted(photos)
    assert found.backbone.features_per_scale == photos.backbone.features_per_scale == (6, 16)
    first = context_of().extractor.with_scales(found, 1).backbone.single_view
    assert first.backbone.network().output_shape == (None, 6)
    for name in ("features", "extra_features"):
        before, after = getattr(photos, name), getattr(found, name)
        assert before.shape == after.shape
        assert not np.allclose(before, after, atol=1e-3)


@pytest.mark.parametrize(
    ("tuning", "title"),
    [
        (FineTuneConfig(), "MobileNetV2 for bricks, 64 px, batch norm adapted"),
        # What renders have taught is kept for all photos to come, so that it begins as it is.
        (
            FineTuneConfig(fine_tune=True, fine_tune_epochs=1, fine_tune_size=64),
            "MobileNetV2 for bricks, 64 px, fine-tuned",
        ),
    ],
)
def test_retrain__adapts_the_network_for_bricks_if_it_is_not_trained(
    tmp_path: Path, tuning: FineTuneConfig, title: str
) -> None:
    config = TrainingConfig.of(
        image_dir=write_photo_folder(tmp_path / "photos", per_class=12),
        backbone="packaged:mobilenet_v2_bricks@size=64",
        out=tmp_path / "bundle",
    )
    result = train(
        replace(config, split=SPLIT, finetuning=tuning, head=HeadConfig(augmented_copies=0))
    )
    found = result.findings.compiled.backbone.title
    assert re.sub(r", \d scales", "", found) == title
