"""SavedModels, TF1 Hub modules and Keras files, of a few hundred weights each."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import find, frozen_graph, resolve
from bricksight.backbones.sources._signature import read_meta_graphs
from bricksight.errors import BackboneError
from helpers.tiny_backbones import noise, tiny_network, write_hub_module, write_saved_model

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_saved_model(tmp_path_factory.mktemp("modules") / "tiny", tiny_network())


@pytest.fixture(scope="module")
def hub_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hub_module(tmp_path_factory.mktemp("modules") / "hub")


def features(reference: str, images: np.ndarray) -> np.ndarray:
    return np.asarray(frozen_graph(resolve(reference)).load()(images))


def test_saved_model__gives_the_features_of_the_network(saved_model: Path) -> None:
    backbone = resolve(str(saved_model))
    assert backbone.source == "saved_model"
    assert (backbone.input_spec.height, backbone.input_spec.width) == (32, 32)
    assert backbone.num_features == 6
    assert backbone.location == saved_model
    expected = np.asarray(tiny_network()(noise()))
    np.testing.assert_allclose(np.asarray(backbone.load()(noise())), expected, atol=1e-5)
    np.testing.assert_allclose(features(str(saved_model), noise()), expected, atol=1e-5)


def test_saved_model__both_spellings_are_one_backbone(saved_model: Path) -> None:
    bare, prefixed = resolve(str(saved_model)), resolve(f"saved_model:{saved_model}")
    assert bare.fingerprint == prefixed.fingerprint
    assert find(f"saved_model:{saved_model}") == saved_model


def test_tf1_hub_module__untagged_graph(hub_backbone: Path) -> None:
    backbone = resolve(f"saved_model:{hub_backbone}")
    assert backbone.num_features == 5
    found = features(f"saved_model:{hub_backbone}", noise())
    tf = require_tensorflow()
    kernel = np.random.RandomState(0).normal(size=(3, 3, 3, 5)).astype("f4")
    maps = tf.nn.relu6(tf.nn.conv2d(noise(), kernel, strides=2, padding="SAME"))
    np.testing.assert_allclose(found, np.mean(maps, axis=(1, 2)), atol=1e-5)


def test_fingerprint__follows_the_bytes_and_not_the_place(
    saved_model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(saved_model, copy)
    fingerprint = resolve(str(saved_model)).fingerprint
    assert resolve(str(copy)).fingerprint == fingerprint
    values = copy / "variables" / "variables.data-00000-of-00001"
    data = bytearray(values.read_bytes())
    data[len(data) // 2] ^= 1
    values.write_bytes(data)
    assert resolve(str(copy)).fingerprint != fingerprint


def test_resolve__does_not_load_tensorflow_and_is_the_same_in_each_process(
    saved_model: Path,
) -> None:
    code = (
        "import sys; from bricksight.backbones import resolve;"
        f"print(resolve({str(saved_model)!r}).fingerprint, 'tensorflow' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [resolve(str(saved_model)).fingerprint, "False"]


def test_frozen_graph__is_written_once_and_read_back(
    saved_model: Path, own_cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = resolve(str(saved_model))
    first = frozen_graph(backbone)
    monkeypatch.setattr("bricksight.backbones.freeze.require_tensorflow", None)
    assert frozen_graph(backbone) == first
    names = sorted(path.name for path in own_cache_dir.glob("backbones/*/*"))
    assert names == ["backbone.json", "graph.pb"]


def test_frozen_graph__damaged_cache_is_written_again(
    saved_model: Path, own_cache_dir: Path
) -> None:
    backbone = resolve(str(saved_model))
    first = frozen_graph(backbone)
    (path,) = own_cache_dir.glob("backbones/*/graph.pb")
    path.write_bytes(path.read_bytes()[:-1])
    assert frozen_graph(backbone) == first, "to the byte, whatever was frozen before"


def test_frozen_graph__holds_nothing_but_the_network(saved_model: Path) -> None:
    frozen = frozen_graph(resolve(str(saved_model)))
    tf = require_tensorflow()
    nodes = tf.compat.v1.GraphDef.FromString(frozen.graph_def_bytes).node
    operations = [node.op for node in nodes]
    assert operations.count("Placeholder") == 1
    assert "NoOp" not in operations
    assert operations.count("Identity") == 1, "the one that names the output"
    assert not [name for node in nodes for name in node.input if name.startswith("^")]
    (convolution, *_) = [node for node in nodes if node.op == "Conv2D"]
    assert "dilations" not in convolution.attr, "its default is not written"
    assert (frozen.input_name, frozen.output_name) == ("images:0", "features:0")


def test_saved_model__feature_map_is_averaged(tmp_path: Path) -> None:
    folder = write_saved_model(tmp_path / "map", tiny_network(pooled=False))
    expected = np.asarray(tiny_network()(noise()))
    np.testing.assert_allclose(features(str(folder), noise()), expected, atol=1e-5)


def test_saved_model__any_size(tmp_path: Path) -> None:
    folder = write_saved_model(tmp_path / "any", tiny_network(None))
    with pytest.raises(BackboneError, match=f"any size. Choose one: {folder}@size=224"):
        resolve(str(folder))
    backbone = resolve(f"{folder}@size=48")
    assert (backbone.input_spec.height, backbone.input_spec.width) == (48, 48)
    assert backbone.fingerprint != resolve(f"{folder}@size=32").fingerprint
    found = features(f"{folder}@size=48", noise(size=48))
    np.testing.assert_allclose(found, np.asarray(tiny_network(None)(noise(size=48))), atol=1e-5)


def test_saved_model__another_size_than_its_own(saved_model: Path) -> None:
    with pytest.raises(BackboneError, match=r"size=64, but the network takes only 32x32"):
        resolve(f"{saved_model}@size=64")


def export(folder: Path, function: Any, *specs: Any, **signatures: Any) -> Path:
    tf = require_tensorflow()
    root = tf.Module()
    concrete = tf.function(function, input_signature=specs)
    tf.saved_model.save(root, str(folder), signatures={"serving_default": concrete, **signatures})
    return folder


def test_saved_model__that_takes_no_images(tmp_path: Path) -> None:
    tf = require_tensorflow()
    spec = tf.TensorSpec((None, 10), tf.float32, name="numbers")
    folder = export(tmp_path / "m", lambda numbers: {"y": 2 * numbers}, spec)
    with pytest.raises(
        BackboneError, match=r"inputs \{'numbers': \(None, 10\)\}; expected one float"
    ):
        resolve(str(folder))


def test_saved_model__several_outputs(tmp_path: Path) -> None:
    tf = require_tensorflow()
    spec = tf.TensorSpec((None, 32, 32, 3), tf.float32, name="images")

    def two(images: Any) -> dict[str, Any]:
        mean = tf.reduce_mean(images, axis=(1, 2))
        return {"mean": mean, "twice": 2 * mean}

    folder = export(tmp_path / "two", two, spec)
    with pytest.raises(BackboneError, match=r"outputs .*'mean': .*'twice': .*expected one float32"):
        resolve(str(folder))
    folder = export(
        tmp_path / "default", lambda images: two(images) | {"default": images[:, 0, 0]}, spec
    )
    np.testing.assert_allclose(features(str(folder), noise()), noise()[:, 0, 0], atol=1e-6)


def test_saved_model__object_without_signatures(tmp_path: Path) -> None:
    tf = require_tensorflow()
    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    root = tf.Module()
    root.__call__ = tf.function(
        lambda images: tf.reduce_max(images, axis=(1, 2)), input_signature=[spec]
    )
    tf.saved_model.save(root, str(tmp_path / "bare"))
    found = features(f"{tmp_path / 'bare'}@size=32", noise())
    np.testing.assert_allclose(found, noise().max(axis=(1, 2)), atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
def test_keras_file__network_and_features(tmp_path: Path) -> None:
    path = tmp_path / "tiny.keras"
    tiny_network().save(path)
    backbone = resolve(str(path))
    assert (backbone.input_spec.height, backbone.location) == (32, path)
    np.testing.assert_allclose(
        features(str(path), noise()), np.asarray(tiny_network()(noise())), atol=1e-5
    )
    assert backbone.network().output_shape == (None, 6)


def test_keras_file__that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "tiny.keras"
    path.write_bytes(b"not a zip file")
    with pytest.raises(BackboneError, match=r"is not a \.keras file of Keras 3: "):
        resolve(str(path))


def test_network__graph_has_no_layers(saved_model: Path) -> None:
    with pytest.raises(BackboneError, match=r"graph without Keras layers.*keras:NAME"):
        resolve(str(saved_model)).network()


def test_load__weights_are_missing(saved_model: Path, tmp_path: Path) -> None:
    shutil.copytree(saved_model, tmp_path / "broken")
    (tmp_path / "broken" / "variables" / "variables.index").unlink()
    with pytest.raises(BackboneError, match=r"cannot load"):
        resolve(str(tmp_path / "broken")).load()


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_read_meta_graphs__cut_off(saved_model: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes((saved_model / "saved_model.pb").read_bytes()[:-cut])
    with pytest.raises(BackboneError, match=r"cannot be read as a SavedModel"):
        read_meta_graphs(path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 30, b"<html></html>"])
def test_read_meta_graphs__other_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes(data)
    with pytest.raises(BackboneError, match=r"SavedModel"):
        read_meta_graphs(path)


def test_read_meta_graphs__agrees_with_tensorflow(saved_model: Path) -> None:
    (graph,) = read_meta_graphs(saved_model / "saved_model.pb")
    signature = graph.signatures["serving_default"]
    loaded = require_tensorflow().saved_model.load(str(saved_model)).signatures["serving_default"]
    (name,) = loaded.structured_input_signature[1]
    assert graph.tags == {"serve"}
    assert signature.inputs[name].shape == (None, 32, 32, 3)
    assert {n: s.shape for n, s in signature.outputs.items()} == {
        n: tuple(t.shape) for n, t in loaded.structured_outputs.items()
    }
