"""Multi-scale features."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import feature_dimensions, frozen_graph, resolve
from bricksight.errors import BackboneError
from helpers.tiny_backbones import noise, tiny_network, write_keras_file, write_saved_model

pytestmark = pytest.mark.tf


def stepped_network() -> Any:
    """Three resolutions; at the middle one the widest map is not the last."""
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(1)
    layers = keras.layers
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="fine")(images)
    x = layers.ZeroPadding2D()(x)
    x = layers.Conv2D(9, 3, strides=2, activation="relu", name="wide")(x)
    x = layers.Conv2D(5, 1, activation="relu", name="narrow")(x)
    x = layers.Conv2D(7, 3, strides=2, padding="same", activation="relu", name="coarse")(x)
    return keras.Model(images, layers.GlobalAveragePooling2D()(x))


def test_multi_scale__are_the_widest_maps_of_the_next_resolutions(tmp_path: Path) -> None:
    keras, network = require_tensorflow().keras, stepped_network()
    path = write_keras_file(tmp_path / "net.keras", network)
    images = noise()
    own = np.asarray(network(images))
    maps = keras.Model(
        network.input, [network.get_layer(name).output for name in ("wide", "fine")]
    )(images)
    wide, fine = (
        np.concatenate([np.mean(one, axis=(1, 2)), np.max(one, axis=(1, 2))], axis=1)
        for one in maps
    )
    two, three = (resolve(f"saved_model:{path}@scales={number}") for number in (2, 3))
    np.testing.assert_allclose(
        np.asarray(two.load()(images)), np.concatenate([own, wide], axis=1), atol=1e-5
    )
    expected = np.concatenate([own, wide, fine], axis=1)
    np.testing.assert_allclose(np.asarray(three.network()(images)), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(frozen_graph(three).load()(images)), expected, atol=1e-5)
    fingerprints = {one.fingerprint for one in (resolve(f"saved_model:{path}"), two, three)}
    assert len(fingerprints) == 3
    assert three.title.endswith(", 3 scales")


def test_multi_scale__1_is_the_network_unchanged(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "net.keras", stepped_network())
    plain, one = resolve(f"saved_model:{path}"), resolve(f"saved_model:{path}@scales=1")
    assert one.fingerprint == plain.fingerprint
    assert (plain.num_scales, one.num_scales) == (None, 1)


def test_feature_dimensions__add_up_to_the_features(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "net.keras", stepped_network())
    widths = feature_dimensions(resolve(f"saved_model:{path}"))
    assert widths == (7, 2 * 9, 2 * 4)
    deepest = resolve(f"saved_model:{path}@scales=3")
    assert frozen_graph(deepest).num_features == sum(widths)


def test_feature_dimensions__are_cached(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "net.keras", stepped_network())
    backbone = resolve(f"saved_model:{path}")
    found = feature_dimensions(backbone)

    def build() -> Any:
        raise AssertionError("the network is built again")

    assert feature_dimensions(dataclasses.replace(backbone, network_builder=build)) == found


@pytest.mark.parametrize("scales", ["0", "5", "many"])
def test_multi_scale__refuses_other_numbers(tmp_path: Path, scales: str) -> None:
    path = write_keras_file(tmp_path / "net.keras", tiny_network())
    with pytest.raises(BackboneError, match=f"has scales={scales}; expected a number from 1 to 4"):
        resolve(f"saved_model:{path}@scales={scales}")


def test_multi_scale__refuses_too_few_resolutions(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "net.keras", tiny_network())
    with pytest.raises(BackboneError, match="1 resolution, too few for scales=2"):
        resolve(f"saved_model:{path}@scales=2").load()
    folder = write_saved_model(tmp_path / "graph", tiny_network())
    with pytest.raises(BackboneError, match="graph without Keras layers"):
        resolve(f"saved_model:{folder}@scales=2")
