"""Networks in .keras files, whole and damaged."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import resolve
from bricksight.errors import BackboneError
from helpers.tiny_backbones import noise, write_keras_file

pytestmark = pytest.mark.tf


def two_resolutions(*, pooled: bool = True) -> Any:
    """A network whose layers have the names that Keras chooses first in every process."""
    keras = require_tensorflow().keras
    keras.utils.clear_session()
    images = keras.Input((32, 32, 3), name="images")
    x = images
    for width in (4, 6):
        x = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(x)
    if pooled:
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = keras.layers.Concatenate()([x, x])
    return keras.Model(images, x)


def test_keras_file__names_of_its_layers_may_be_those_that_keras_chooses(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "net.keras", two_resolutions())
    require_tensorflow().keras.utils.clear_session()  # as in a new process
    features = resolve(f"{path}@scales=2").load()(noise())
    assert features.shape == (3, 12 + 2 * 4)


def test_keras_file__a_feature_map_is_averaged_in_training_too(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "net.keras", two_resolutions(pooled=False))
    backbone = resolve(str(path))
    assert backbone.trainable().output_shape == (None, 6)
    np.testing.assert_allclose(backbone.network()(noise()), backbone.load()(noise()), atol=1e-6)


@pytest.mark.parametrize("damage", ["cut", "no weights", "no layers", "list", "empty", "text"])
def test_keras_file__a_damaged_one_is_named(tmp_path: Path, damage: str) -> None:
    path = write_keras_file(tmp_path / "net.keras", two_resolutions())
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if damage == "no weights":
        del files["model.weights.h5"]
    elif damage == "no layers":
        files["config.json"] = b'{"config": {"layers": []}}'
    elif damage == "list":
        files["config.json"] = b"[1]"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    whole = {"cut": content[: len(content) // 2], "empty": b"", "text": b"no model"}
    if damage in whole:
        path.write_bytes(whole[damage])
    with pytest.raises(BackboneError, match=r"net\.keras"):
        resolve(f"{path}@size=32").load()
