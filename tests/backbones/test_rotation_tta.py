"""The mean over turned copies of a photo, as part of the network."""

from pathlib import Path

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import frozen_graph, resolve, with_rotation_tta
from bricksight.errors import BackboneError
from bricksight.features import compile_backbone
from helpers.tiny_backbones import noise, tiny_network, write_hub_module, write_keras_file

pytestmark = pytest.mark.tf


@pytest.mark.parametrize(("num_rotations", "quarters"), [(2, (0, 2)), (4, (0, 1, 2, 3))])
def test_turns__give_the_mean_over_turned_copies(
    tmp_path: Path, num_rotations: int, quarters: tuple[int, ...]
) -> None:
    backbone = resolve(f"saved_model:{write_keras_file(tmp_path / 'net.keras', tiny_network())}")
    once, images = frozen_graph(backbone).load(), noise()
    expected = np.mean(
        [np.asarray(once(np.rot90(images, number, axes=(1, 2)))) for number in quarters], axis=0
    )
    with_rotations = with_rotation_tta(backbone, num_rotations)
    np.testing.assert_allclose(np.asarray(with_rotations.load()(images)), expected, atol=1e-5)
    compiled = compile_backbone(with_rotations, images=lambda _: images)
    assert compiled.runtime == "litert"
    assert not np.allclose(expected, np.asarray(once(images)), atol=1e-3)
    for count in (3, 1):
        np.testing.assert_allclose(compiled.open()(images[:count]), expected[:count], atol=1e-5)
    assert with_rotations.title.endswith(f", {num_rotations} rotations")
    assert with_rotations.fingerprint != backbone.fingerprint


def test_turns__of_a_graph_without_layers(tmp_path: Path) -> None:
    backbone = resolve(f"saved_model:{write_hub_module(tmp_path / 'hub')}")
    images = noise()
    with_rotations = np.asarray(with_rotation_tta(backbone, 4).load()(images))
    again = np.asarray(with_rotation_tta(backbone, 4).load()(np.rot90(images, axes=(1, 2))))
    np.testing.assert_allclose(with_rotations, again, atol=1e-5)


def test_turns__1_is_the_network_as_it_is(tmp_path: Path) -> None:
    backbone = resolve(f"saved_model:{write_keras_file(tmp_path / 'net.keras', tiny_network())}")
    assert with_rotation_tta(backbone, 1) is backbone


def test_turns__a_quarter_takes_square_images(tmp_path: Path) -> None:
    layers = require_tensorflow().keras.layers
    inputs = layers.Input((32, 48, 3))
    maps = layers.Conv2D(6, 3, strides=2)(inputs)
    network = require_tensorflow().keras.Model(inputs, layers.GlobalAveragePooling2D()(maps))
    oblong = resolve(f"saved_model:{write_keras_file(tmp_path / 'net.keras', network)}")
    with pytest.raises(BackboneError, match="images of 32x48 pixels, but --tta 4"):
        with_rotation_tta(oblong, 4)
    images = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)
    assert np.asarray(with_rotation_tta(oblong, 2).load()(images)).shape == (2, 6)


def test_turns__have_no_layers_to_train(tmp_path: Path) -> None:
    backbone = resolve(f"saved_model:{write_keras_file(tmp_path / 'net.keras', tiny_network())}")
    with pytest.raises(BackboneError, match="without Keras layers"):
        with_rotation_tta(backbone, 2).trainable()
