"""Stages, parameters and multiply-adds, counted on real networks with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import (
    Backbone,
    Description,
    describe,
    frozen_graph,
    list_backbones,
    resolve,
)
from bricksight.backbones.sources._applications import APPLICATIONS
from bricksight.backbones.sources.keras_applications import build_network
from helpers.tiny_backbones import as_backbone, noise

pytestmark = pytest.mark.tf

# Sandler et al. 2018, arXiv:1801.04381, table 2, without the classification layer:
# rows and columns, channels, operator, t, c, n, s.
MOBILENET_V2 = [
    (224, 3, "conv2d", None, 32, 1, 2),
    (112, 32, "bottleneck", 1, 16, 1, 1),
    (112, 16, "bottleneck", 6, 24, 2, 2),
    (56, 24, "bottleneck", 6, 32, 3, 2),
    (28, 32, "bottleneck", 6, 64, 4, 2),
    (14, 64, "bottleneck", 6, 96, 3, 1),
    (14, 96, "bottleneck", 6, 160, 3, 2),
    (7, 160, "bottleneck", 6, 320, 1, 1),
    (7, 320, "conv2d 1x1", None, 1280, 1, 1),
    (7, 1280, "avgpool 7x7", None, None, 1, None),
]


def random_backbone(name: str, *, alpha: float = 1.0, size: int = 224) -> Backbone:
    """Return a network of Keras Applications with random weights."""
    (application,) = [one for one in APPLICATIONS if one.name == name]
    network = build_network(application, alpha=alpha, size=size)
    return as_backbone(network, name=f"{name}-{alpha}", size=size)


def rows(description: Description) -> list[tuple[object, ...]]:
    return [
        (
            stage.input_shape[0],
            stage.input_shape[2],
            stage.operator,
            stage.expansion,
            stage.num_channels,
            stage.num_blocks,
            stage.stride,
        )
        for stage in description.stages
    ]


def assert_is_mobilenet_v2(description: Description) -> None:
    assert rows(description) == MOBILENET_V2
    # With a layer of 1,000 classes these are the paper's 300 M and Keras's 3,538,984.
    assert description.num_multiply_adds == 299_494_272
    assert description.num_parameters == 2_257_984


def test_describe__mobilenet_v2_of_keras() -> None:
    assert_is_mobilenet_v2(describe(random_backbone("MobileNetV2")))


@pytest.mark.slow
def test_mobilenet_v2__real_backbones_agree_with_the_paper_and_with_each_other(
    shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(shared_dir / "modules" / "tfhub_cache"))
    monkeypatch.setenv("KERAS_HOME", str(shared_dir / "modules" / "keras_home"))
    handle = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector"
    images = noise(size=224, count=2)
    features = []
    for reference in (f"{handle}/3", f"{handle}/5", "keras:MobileNetV2"):
        backbone = resolve(reference)
        assert (backbone.num_features, backbone.input_spec.height) == (1280, 224)
        assert_is_mobilenet_v2(describe(backbone))
        features.append(np.asarray(frozen_graph(backbone).load()(images)))
    np.testing.assert_allclose(features[1], features[0], atol=1e-4)
    np.testing.assert_allclose(features[2], features[0], atol=1e-4)
    assert features[0].std() > 0.1


def test_describe__narrow_mobilenet_v2() -> None:
    description = describe(random_backbone("MobileNetV2", alpha=0.35, size=96))
    assert [row[2:] for row in rows(description)] == [
        ("conv2d", None, 16, 1, 2),
        ("bottleneck", 1, 8, 1, 1),
        ("bottleneck", 6, 8, 2, 2),
        ("bottleneck", 6, 16, 3, 2),
        ("bottleneck", 6, 24, 4, 2),
        ("bottleneck", 6, 32, 3, 1),
        ("bottleneck", 6, 56, 3, 2),
        ("bottleneck", 6, 112, 1, 1),
        ("conv2d 1x1", None, 1280, 1, 1),
        ("avgpool 3x3", None, None, 1, None),
    ]
    assert description.num_parameters == 410_208
    stages = description.stages
    assert sum(stage.num_parameters for stage in stages) == description.num_parameters
    assert sum(stage.num_multiply_adds for stage in stages) == description.num_multiply_adds
    assert (description.height, description.width, description.num_features) == (96, 96, 1280)


def test_describe__efficientnet_lite0_names_its_kernels() -> None:
    description = describe(resolve("packaged:efficientnet_lite0"))
    assert [row[2:] for row in rows(description)] == [
        ("conv2d", None, 32, 1, 2),
        ("bottleneck", 1, 16, 1, 1),
        ("bottleneck", 6, 24, 2, 2),
        ("bottleneck 5x5", 6, 40, 2, 2),
        ("bottleneck", 6, 80, 3, 2),
        ("bottleneck 5x5", 6, 112, 3, 1),
        ("bottleneck 5x5", 6, 192, 4, 2),
        ("bottleneck", 6, 320, 1, 1),
        ("conv2d 1x1", None, 1280, 1, 1),
        ("avgpool 7x7", None, None, 1, None),
    ]
    (spec,) = [one for one in list_backbones() if one.reference == description.reference]
    assert description.num_parameters == spec.num_parameters
    assert description.num_multiply_adds == spec.num_multiply_adds


def test_describe__mobilenet_v1_is_separable() -> None:
    description = describe(random_backbone("MobileNet"))
    assert [row[2:] for row in rows(description)] == [
        ("conv2d", None, 32, 1, 2),
        ("separable", None, 64, 1, 1),
        ("separable", None, 128, 2, 2),
        ("separable", None, 256, 2, 2),
        ("separable", None, 512, 6, 2),
        ("separable", None, 1024, 2, 2),
        ("avgpool 7x7", None, None, 1, None),
    ]
    # Howard et al. 2017, arXiv:1704.04861, table 4: 569 M with the classification layer.
    assert description.num_multiply_adds + 1_024_000 == pytest.approx(569e6, rel=1e-3)
    assert description.num_parameters == 3_228_864


def test_describe__squeeze_excite_is_part_of_its_block() -> None:
    description = describe(random_backbone("MobileNetV3Small"))
    # Howard et al. 2019, arXiv:1905.02244, table 2: sizes, kernels and widths of MobileNetV3-Small.
    assert [(row[2], row[4], row[5], row[6]) for row in rows(description)] == [
        ("conv2d", 16, 1, 2),
        ("bottleneck", 16, 1, 2),
        ("bottleneck", 24, 1, 2),
        ("bottleneck", 24, 1, 1),
        ("bottleneck 5x5", 40, 1, 2),
        ("bottleneck 5x5", 40, 2, 1),
        ("bottleneck 5x5", 48, 2, 1),
        ("bottleneck 5x5", 96, 3, 2),
        ("conv2d 1x1", 576, 1, 1),
        ("avgpool 7x7", None, 1, None),
    ]
    assert description.num_parameters == 939_120


def test_describe__residual_networks() -> None:
    keras = require_tensorflow().keras

    def block(x: Any, width: int, stride: int = 1) -> Any:
        """A block of ResNet50: three convolutions, and one on the way around where it must."""
        way = x
        if stride > 1 or x.shape[-1] != width:
            way = keras.layers.Conv2D(width, 1, strides=stride)(x)
        for kernel, channels, step in ((1, width // 4, stride), (3, width // 4, 1)):
            x = keras.layers.Conv2D(channels, kernel, strides=step, padding="same")(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.Conv2D(width, 1)(x)
        return keras.layers.ReLU()(keras.layers.Add()([way, x]))

    images = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(8, 7, strides=2, padding="same", activation="relu")(images)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = block(block(block(x, 16), 16), 16)
    x = block(block(x, 32, stride=2), 32)
    network = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
    description = describe(as_backbone(network, name="residual", size=64))
    assert rows(description) == [
        (64, 3, "conv2d 7x7", None, 8, 1, 2),
        (32, 8, "maxpool 3x3", None, None, 1, 2),
        (16, 8, "residual 1x1+3x3+1x1", None, 16, 3, 1),
        (16, 16, "residual 1x1+3x3+1x1", None, 32, 2, 2),
        (8, 32, "avgpool 8x8", None, None, 1, None),
    ]
    assert description.num_parameters == network.count_params()


def test_describe__branches_side_by_side_are_counted_by_resolution() -> None:
    layers = require_tensorflow().keras.layers
    images = layers.Input((64, 64, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(images)
    for _ in range(3):
        x = layers.Concatenate()([x, layers.Conv2D(4, 3, padding="same", activation="relu")(x)])
    x = layers.AveragePooling2D(2)(layers.Conv2D(10, 1)(x))
    x = layers.Concatenate()([x, layers.Conv2D(6, 1)(layers.BatchNormalization()(x))])
    network = require_tensorflow().keras.Model(images, layers.GlobalAveragePooling2D()(x))
    description = describe(as_backbone(network, name="dense", size=64))
    assert rows(description) == [
        (64, 3, "convolutions", None, 20, 5, 2),
        (32, 10, "convolutions", None, 16, 1, 2),
        (16, 16, "avgpool 16x16", None, None, 1, None),
    ]
    assert description.num_parameters == network.count_params()
