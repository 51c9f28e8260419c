"""Keras Applications: their weights, and that they are used as Keras uses them."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import resolve
from bricksight.backbones.sources import keras_applications
from bricksight.backbones.sources._applications import APPLICATIONS, Application
from bricksight.backbones.sources.keras_applications import build_network
from bricksight.config import InputSpec
from bricksight.errors import BackboneError
from helpers.file_server import Answer, FileServer, serving
from helpers.tiny_backbones import noise

BY_NAME = {one.name: one for one in APPLICATIONS}


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as one:
        yield one


def own_weights(application: Application, path: Path, *, alpha: float = 1.0) -> None:
    """Write weights of the network's shape that are neither zeros nor ones anywhere."""
    require_tensorflow().keras.utils.set_random_seed(3)
    network = build_network(application, alpha=alpha, size=96)
    generator = np.random.default_rng(3)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights(
                [generator.uniform(0.7, 1.3, array.shape) for array in layer.get_weights()]
            )
        if type(layer).__name__ == "Normalization":
            # What the real files of EfficientNet hold: the deviation in place of the variance.
            layer.adapt_mean.assign([0.485, 0.456, 0.406])
            layer.adapt_variance.assign([0.229, 0.224, 0.225])
    # The format of the files that Keras Applications download; Keras itself only reads it now.
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group  # noqa: TID251

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)


@pytest.mark.tf
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined:UserWarning")  # in Keras
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0"])
def test_keras__equals_what_keras_does_with_its_imagenet_weights(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    application = BY_NAME[name]
    path = keras_home / "models" / application.weights_file(alpha=1.0, size=96)
    own_weights(application, path)
    keras = require_tensorflow().keras
    monkeypatch.setattr(
        f"keras.src.applications.{application.package}.file_utils.get_file",
        lambda *_args, **_options: str(path),  # the download is the edge that is not real here
    )
    reference = getattr(keras.applications, name)(
        weights="imagenet", include_top=False, pooling="avg", input_shape=(96, 96, 3)
    )
    package = getattr(keras.applications, application.package)
    images = noise(size=96)
    expected = reference(package.preprocess_input(images * 255.0), training=False)
    backbone = resolve(f"keras:{name}@size=96")
    found = np.asarray(backbone.load()(images))
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-4, rtol=1e-4)
    assert found.shape[1] == backbone.num_features
    assert found.std() > 1e-3


def test_keras__file_names_are_those_of_keras() -> None:
    names = {
        ("MobileNetV2", 1.0, 224): (
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
        ),
        ("MobileNetV2", 0.35, 96): (
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
        ),
        ("MobileNet", 0.75, 160): "mobilenet_7_5_160_tf_no_top.h5",
        ("MobileNetV3Large", 0.75, 224): ("weights_mobilenet_v3_large_224_0.75_float_no_top_v2.h5"),
        ("ResNet50", 1.0, 224): "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ("NASNetMobile", 1.0, 224): "nasnet_mobile_no_top.h5",
    }
    for (name, alpha, size), file in names.items():
        assert BY_NAME[name].weights_file(alpha=alpha, size=size) == file


def test_keras__checksums_belong_to_files() -> None:
    for application in APPLICATIONS:
        files = {
            application.weights_file(alpha=alpha, size=application.size)
            for alpha in application.num_features
        }
        assert set(application.md5) <= files, application.name


HDF5 = b"\x89HDF\r\n\x1a\n".ljust(40, b"\0") + (100).to_bytes(8, "little") + bytes(52)
"""The beginning of a file of 100 bytes; what follows is read when it is loaded."""


def test_keras__size_without_weights_of_its_own(keras_home: Path) -> None:
    path = keras_home / "models" / BY_NAME["MobileNetV2"].weights_file(alpha=0.5, size=224)
    path.write_bytes(HDF5)
    backbone = resolve("keras:MobileNetV2@alpha=0.50,size=256")
    assert backbone.title == "MobileNetV2, alpha 0.5, 256 px (weights trained at 224 px)"
    assert backbone.location == path
    assert backbone.input_spec == InputSpec(height=256, width=256)
    usual = resolve("keras:MobileNetV2@alpha=0.5")
    assert usual.title == "MobileNetV2, alpha 0.5, 224 px"
    assert usual.fingerprint != backbone.fingerprint


@pytest.mark.tf
def test_keras__weights_of_another_network(keras_home: Path) -> None:
    (keras_home / "models" / "efficientnetv2-b0_notop.h5").write_bytes(HDF5)
    with pytest.raises(BackboneError, match=r"do not fit the network .*Remove the file"):
        resolve("keras:EfficientNetV2B0@size=64").load()


def test_keras__downloads_its_weights(
    server: FileServer, keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = dataclasses.replace(BY_NAME["NASNetMobile"], url=f"{server.url}/nasnet", md5={})
    monkeypatch.setattr(keras_applications, "APPLICATIONS", (here,))
    server.answers["/nasnet/NASNet-mobile-no-top.h5"] = [Answer(HDF5)]
    backbone = resolve("keras:NASNetMobile")
    assert backbone.location == keras_home / "models" / "nasnet_mobile_no_top.h5"
    assert backbone.location.read_bytes() == HDF5


@pytest.mark.parametrize("found", [b"", HDF5[:60], HDF5[:99], b"<html>blocked</html>" * 9])
def test_keras__weights_that_were_cut_short_are_fetched_again(
    server: FileServer, keras_home: Path, monkeypatch: pytest.MonkeyPatch, found: bytes
) -> None:
    here = dataclasses.replace(BY_NAME["NASNetMobile"], url=f"{server.url}/nasnet", md5={})
    monkeypatch.setattr(keras_applications, "APPLICATIONS", (here,))
    path = keras_home / "models" / "nasnet_mobile_no_top.h5"
    path.write_bytes(found)
    with pytest.raises(BackboneError, match=rf"{path} is incomplete.* answers 404"):
        resolve("keras:NASNetMobile")
    server.answers["/nasnet/NASNet-mobile-no-top.h5"] = [Answer(HDF5)]
    assert resolve("keras:NASNetMobile").location == path
    assert path.read_bytes() == HDF5


def test_keras__download_with_another_checksum(
    server: FileServer, keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = dataclasses.replace(BY_NAME["NASNetMobile"], url=f"{server.url}/nasnet")
    monkeypatch.setattr(keras_applications, "APPLICATIONS", (here,))
    server.answers["/nasnet/NASNet-mobile-no-top.h5"] = [Answer(b"<html>blocked</html>")]
    with pytest.raises(BackboneError, match=r"MD5 checksum.*Copy nasnet_mobile_no_top.h5 to"):
        resolve("keras:NASNetMobile")
    assert not (keras_home / "models" / "nasnet_mobile_no_top.h5").exists()


@pytest.mark.tf
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined:UserWarning")  # in Keras
def test_keras__untrained_weights_are_the_same_every_time() -> None:
    text = "keras:MobileNetV2@alpha=0.35,size=96,weights=random"
    backbones = [resolve(text) for _ in range(2)]
    assert backbones[0].location is None
    assert backbones[0].title == "MobileNetV2, alpha 0.35, 96 px, untrained"
    found = [np.asarray(backbone.load()(noise(size=96))) for backbone in backbones]
    np.testing.assert_array_equal(*found)
    assert found[0].shape == (3, 1280)
    assert backbones[0].fingerprint == backbones[1].fingerprint
    other = resolve(text.replace("size=96", "size=128"))
    assert other.fingerprint != backbones[0].fingerprint


def test_keras__refuses_other_weights() -> None:
    with pytest.raises(BackboneError, match="weights=noisy; expected imagenet or random"):
        resolve("keras:MobileNetV2@weights=noisy")
