"""Model files by strangers: what does more than compute is refused before anything runs."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.filesystem.files import sha256_of
from bricksight._support.optional import require_tensorflow
from bricksight._support.untrusted.graphs import require_pure_graph, require_pure_saved_model
from bricksight._support.untrusted.keras_files import require_standard_layers
from bricksight._support.untrusted.tflite_files import require_tflite_operations
from bricksight.backbones import resolve
from bricksight.bundle import Bundle, open_bundle
from bricksight.cli import main
from bricksight.errors import BackboneError, BundleError, ExportError, UntrustedModelError
from bricksight.formats import export_bundle
from bricksight.predict import Predictor
from bricksight.predict.runtimes.litert import LiteRT
from bricksight.predict.runtimes.onnx import OnnxRuntime
from bricksight.predict.runtimes.tensorflow import FrozenGraph, Keras, SavedModel
from bricksight.predict.runtimes.tfjs import TensorFlowJs
from bricksight.training import TrainingResult
from helpers.tiny_backbones import (
    noise,
    tiny_network,
    write_hub_module,
    write_keras_file,
    write_saved_model,
)

pytestmark = pytest.mark.tf

SIZE = 32


def written(folder: Path) -> Path:
    return folder / "PWNED.txt"


def answers(images: Any) -> Any:
    tf = require_tensorflow()
    return tf.tile(tf.constant([[0.5, 0.3, 0.2]]), [tf.shape(images)[0], 1])


def reading(path: Path) -> Callable[[Any], Any]:
    """Returns a network that also writes a file."""
    tf = require_tensorflow()

    def network(images: Any) -> Any:
        done = tf.io.write_file(str(written(path)), "gotcha")
        with tf.control_dependencies([done]):
            return tf.identity(answers(images))

    return network


def frozen(path: Path, network: Callable[[Any], Any]) -> Path:
    tf = require_tensorflow()
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (None, SIZE, SIZE, 3), name="Placeholder")
        tf.identity(network(images), name="final_result")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def saved(folder: Path, network: Callable[[Any], Any]) -> Path:
    tf = require_tensorflow()
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    spec = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32)
    module.call = tf.function(
        lambda images: {"prediction": network(images) * module.weight}, input_signature=[spec]
    )
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function())
    return folder


@pytest.fixture
def evil_bundle(tiny_run: TrainingResult, tmp_path: Path) -> Bundle:
    folder = shutil.copytree(tiny_run.bundle.path, tmp_path / "evil")
    graph = frozen(folder / "output_graph.pb", reading(tmp_path))
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content["files"]["output_graph.pb"] = sha256_of(graph)
    path.write_text(json.dumps(content))
    return open_bundle(folder)


def test_classify__a_graph_that_writes_files_is_refused_unless_trusted(
    evil_bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(
        UntrustedModelError, match=r"output_graph\.pb has operations that .* 'WriteFile"
    ):
        Predictor(evil_bundle.path, runtime="tensorflow")
    assert not written(tmp_path).exists()
    Predictor(evil_bundle.path, runtime="tensorflow", trust=True).warm_up()
    assert written(tmp_path).read_text() == "gotcha"


def test_export__a_graph_that_writes_files_is_refused(evil_bundle: Bundle, tmp_path: Path) -> None:
    for name in ("keras", "saved_model", "frozen_graph"):
        with pytest.raises(UntrustedModelError, match="WriteFile"):
            export_bundle(evil_bundle, name)
    assert not written(tmp_path).exists()
    assert not (evil_bundle.path / "exports").exists()


def test_export__a_graph_without_the_nodes_is_told(evil_bundle: Bundle) -> None:
    graph = evil_bundle.path / "output_graph.pb"
    for content, message in ((b"\x0a\xff\xff", "is not a frozen"), (b"", "has no node Placehol")):
        graph.write_bytes(content)
        evil_bundle.manifest.files["output_graph.pb"] = sha256_of(graph)  # type: ignore[index]
        with pytest.raises(BundleError, match=message):
            export_bundle(evil_bundle, "frozen_graph")


def test_export__a_link_out_of_the_photos_leads_to_photos_of_the_training_alone(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    known, other = (record.path for record in tiny_run.findings.data.examples[:2])
    folder, secret = tmp_path / "photos", tmp_path / "secret.jpg"
    link = folder / known.parent.name / known.name
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    opened = Bundle(
        shutil.copytree(tiny_run.bundle.path, tmp_path / "bundle"),
        replace(tiny_run.bundle.manifest, settings={"retrain": {"image_dir": str(folder)}}),
    )
    shutil.copy(other, secret)
    with pytest.raises(ExportError, match="no longer holds its photos"):
        export_bundle(opened, "frozen_graph")
    shutil.copy(known, secret)
    assert export_bundle(opened, "frozen_graph").agreement.num_photos == 1


def test_command__trust_is_what_it_takes(
    evil_bundle: Bundle,
    tiny_run: TrainingResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo = str(tiny_run.findings.data.examples[0].path)
    words = ["classify", str(evil_bundle.path), photo, "--runtime", "tensorflow"]
    assert main(words) == 1
    assert "add --trust" in capsys.readouterr().err
    old = ["--graph", str(evil_bundle.path / "output_graph.pb")]
    old += ["--labels", str(evil_bundle.path / "output_labels.txt")]
    assert main(["classify", photo, *old]) == 1
    assert not written(tmp_path).exists()
    assert main([*words, "--trust"]) == 0
    assert main(["classify", photo, *old, "--trust"]) == 0
    assert written(tmp_path).exists()


@pytest.mark.parametrize(
    ("operation", "make"),
    [
        ("ReadFile", lambda tf: tf.io.read_file("/etc/hostname")),
        ("MatchingFiles", lambda tf: tf.io.matching_files("/etc/*")),
        ("PyFunc", lambda tf: tf.compat.v1.py_func(lambda: 1.0, [], tf.float32)),
        ("EagerPyFunc", lambda tf: tf.py_function(lambda: 1.0, [], tf.float32)),
        ("PyFuncStateless", lambda tf: tf.numpy_function(lambda: 1.0, [], tf.float32, False)),
        ("PrintV2", lambda tf: tf.print("x", output_stream="file:///tmp/x")),
        ("SaveV2", lambda tf: tf.raw_ops.SaveV2(
            prefix="/tmp/x", tensor_names=["a"], shape_and_slices=[""], tensors=[1.0])),
        ("RestoreV2", lambda tf: tf.raw_ops.RestoreV2(
            prefix="/tmp/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])),
        ("MergeV2Checkpoints", lambda tf: tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=["/tmp/x"], destination_prefix="/tmp/y")),
        ("InitializeTableFromTextFileV2", lambda tf: tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                "/etc/passwd", tf.string, 0, tf.int64, 1), -1).size()),
        ("ImmutableConst", lambda tf: tf.raw_ops.ImmutableConst(
            dtype=tf.uint8, shape=[4], memory_region_name="/etc/hostname")),
        ("DecodeProtoV2", lambda tf: tf.io.decode_proto(
            [b""], "x.Y", ["z"], [tf.int32], descriptor_source="/etc/x")),
        ("DebugIdentityV2", lambda tf: tf.raw_ops.DebugIdentityV2(
            input=1.0, debug_urls=["file:///tmp/x"])),
        ("DebugIdentity", lambda tf: tf.raw_ops.DebugIdentity(
            input=1.0, debug_urls=["file:///tmp/x"])),
        ("TFRecordDataset", lambda tf: tf.raw_ops.TFRecordDataset(
            filenames=["/tmp/x"], compression_type="", buffer_size=0)),
        ("WholeFileReaderV2", lambda tf: tf.raw_ops.WholeFileReaderV2()),
    ],
)  # fmt: skip
def test_graph__operations_that_reach_out_are_refused_wherever_they_are(
    operation: str, make: Callable[[Any], Any], tmp_path: Path
) -> None:
    tf = require_tensorflow()
    with tf.Graph().as_default() as graph:
        make(tf)
    graph_def = graph.as_graph_def()
    assert operation in {node.op for node in graph_def.node}
    with pytest.raises(UntrustedModelError, match=f"'{operation}'"):
        require_pure_graph(graph_def, tmp_path)
    hidden = tf.compat.v1.GraphDef()
    function = hidden.library.function.add()
    function.signature.name = "helper"
    function.node_def.extend(graph_def.node)
    with pytest.raises(UntrustedModelError, match=f"'{operation}'"):
        require_pure_graph(hidden, tmp_path)


def test_graph__an_operation_named_as_a_function_is_refused(tmp_path: Path) -> None:
    tf = require_tensorflow()
    graph_def = tf.compat.v1.GraphDef()
    node = graph_def.node.add(name="x", op="PartitionedCall")
    node.attr["f"].func.name = "ReadFile"
    with pytest.raises(UntrustedModelError, match="'ReadFile'"):
        require_pure_graph(graph_def, tmp_path)


def test_graph__what_a_classifier_needs_passes(tmp_path: Path) -> None:
    tf = require_tensorflow()

    def network(images: Any) -> Any:
        shown = tf.map_fn(lambda image: tf.image.resize(image, (8, 8), antialias=True), images)
        shown = tf.cond(tf.reduce_any(shown > 2), lambda: shown / 255, lambda: shown)
        maps = tf.nn.conv2d(shown, tf.random.normal((3, 3, 3, 3)), 1, "SAME")
        rows = tf.einsum("bhwc->bc", tf.gather_nd(maps[None], [[0]])[0])
        return tf.nn.softmax(tf.debugging.check_numerics(rows, "finite"))

    FrozenGraph(frozen(tmp_path / "g.pb", network))


def test_saved_model__a_function_that_writes_files_is_refused_unless_trusted(
    tmp_path: Path,
) -> None:
    folder = saved(tmp_path / "model", reading(tmp_path))
    with pytest.raises(UntrustedModelError, match="'WriteFile'"):
        SavedModel(folder)
    with pytest.raises(BackboneError, match="'WriteFile'"):
        resolve(f"saved_model:{folder}").load()
    assert not written(tmp_path).exists()
    trusted = resolve(f"saved_model:{folder}", trust=True)
    assert trusted.fingerprint != resolve(f"saved_model:{folder}").fingerprint
    np.asarray(trusted.load()(noise()))
    assert written(tmp_path).exists()


def test_saved_model__only_its_own_saver_may_write_variables(tmp_path: Path) -> None:
    tf = require_tensorflow()

    def network(images: Any) -> Any:
        saver = tf.raw_ops.SaveV2(
            prefix=str(written(tmp_path)),
            tensor_names=["a"],
            shape_and_slices=[""],
            tensors=[tf.constant(1.0)],
        )
        with tf.control_dependencies([saver]):
            return tf.identity(answers(images))

    folder = saved(tmp_path / "model", network)
    with pytest.raises(UntrustedModelError, match="'SaveV2'"):
        SavedModel(folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_saved_model__of_tensorflow_1_reads_only_its_own_variables(tmp_path: Path) -> None:
    tf = require_tensorflow()
    v1 = tf.compat.v1

    def write(folder: Path, *, writes: bool) -> Path:
        with tf.Graph().as_default(), v1.Session() as session:
            images = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3))
            weight = v1.get_variable("weight", initializer=1.0, use_resource=True)
            found = answers(images) * weight
            if writes:
                saver = tf.raw_ops.SaveV2(
                    prefix="/tmp/x",
                    tensor_names=["a"],
                    shape_and_slices=[""],
                    tensors=[tf.constant(1.0)],
                )
                with tf.control_dependencies([saver]):
                    found = tf.identity(found)
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(folder), {"image": images}, {"out": found})
        return folder

    SavedModel(write(tmp_path / "good", writes=False))
    with pytest.raises(UntrustedModelError, match="'SaveV2'"):
        SavedModel(write(tmp_path / "bad", writes=True))


def test_saved_model__real_ones_pass(tmp_path: Path, tiny_run: TrainingResult) -> None:
    require_pure_saved_model(tiny_run.bundle.path / "saved_model")
    require_pure_saved_model(write_saved_model(tmp_path / "keras", tiny_network()))
    require_pure_saved_model(write_hub_module(tmp_path / "hub"))


def test_saved_model__networks_of_tensorflow_hub_pass(shared_dir: Path) -> None:
    found = [path.parent for path in shared_dir.glob("modules/tfhub_cache/*/saved_model.pb")]
    if not found:
        pytest.skip("no network of TensorFlow Hub is here")
    for folder in found:
        require_pure_saved_model(folder)


def test_keras__standard_layers_pass_and_give_answers(tmp_path: Path) -> None:
    keras = require_tensorflow().keras
    images = keras.Input((SIZE, SIZE, 3))
    values = keras.layers.RandomFlip()(keras.ops.flip(images, axis=1) * 2 - 1)
    values = keras.layers.Conv2D(3, 3, activation="gelu", kernel_regularizer="l2")(values)
    values = keras.layers.Softmax()(keras.ops.mean(values, axis=(1, 2)))
    path = write_keras_file(tmp_path / "m.keras", keras.Model(images, values))
    assert Keras(path).run(noise(size=SIZE)).shape == (3, 3)


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Returns a copy of a .keras file with another description."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                described = json.loads(data)
                change(described)
                data = json.dumps(described).encode()
            new.writestr(name, data)
    copy = path.with_name("changed.keras")
    copy.write_bytes(content.getvalue())
    return copy


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras.layers", "Lambda"),
        ("keras.layers", "TFSMLayer"),
        ("keras.layers", "StringLookup"),
        ("keras.utils", "get_file"),
        ("keras.src.saving.saving_lib", "load_model"),
        ("os", "system"),
        ("builtins", "eval"),
        (["os"], "system"),
        ("keras.layers", ["Dense"]),
    ],
)
def test_keras__other_layers_are_refused(tmp_path: Path, module: Any, name: Any) -> None:
    path = write_keras_file(tmp_path / "m.keras", tiny_network())

    def change(described: dict[str, Any]) -> None:
        described["config"]["layers"][1] |= {"module": module, "class_name": name}

    with pytest.raises(UntrustedModelError, match="layers that may run code or read files"):
        require_standard_layers(rewritten(path, change))


def test_keras__a_lambda_layer_runs_only_when_trusted(tmp_path: Path) -> None:
    keras = require_tensorflow().keras
    images = keras.Input((SIZE, SIZE, 3))
    network = keras.Model(images, keras.layers.Lambda(lambda x: x[:, 0, 0], (3,))(images))
    path = write_keras_file(tmp_path / "m.keras", network)
    with pytest.raises(UntrustedModelError, match="Lambda"):
        Keras(path)
    with pytest.raises(BackboneError, match="Lambda"):
        resolve(f"saved_model:{path}").load()
    assert Keras(path, trust=True).run(noise(size=SIZE)).shape == (3, 3)


def test_keras__files_that_would_grow_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(50 << 20))
    with pytest.raises(BundleError, match=r"bytes would be unpacked to 52,42"):
        Keras(path)
    with pytest.raises(BackboneError, match=r"bytes would be unpacked to 52,42"):
        resolve(f"saved_model:{path}")


@pytest.mark.parametrize("kind", ["huge", "external", "link"])
def test_keras__weights_that_are_not_in_the_file_are_refused(tmp_path: Path, kind: str) -> None:
    h5py = pytest.importorskip("h5py")
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        if kind == "huge":
            file.create_dataset("kernel", (1 << 14, 1 << 14), "f4", chunks=(64, 64))
        elif kind == "external":
            file.create_dataset("kernel", (4,), "u1", external=[("/etc/hostname", 0, 4)])
        else:
            file["kernel"] = h5py.ExternalLink("/etc/x.h5", "kernel")
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights.getvalue())
    found = r"would be unpacked|in another file|are a link"
    with pytest.raises(ValueError, match=found):
        require_standard_layers(path)
    with pytest.raises(BundleError, match=found):
        Keras(path)


@pytest.fixture
def tfjs(tmp_path: Path) -> Path:
    """A TensorFlow.js model that gives the mean of each colour; its weights are the two axes."""
    folder = tmp_path / "model"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"shard{number}.bin").write_bytes(np.int32(number).tobytes())
    (tmp_path / "secret.bin").write_bytes(bytes(4))
    kinds = {"T": {"type": "DT_FLOAT"}, "Tidx": {"type": "DT_INT32"}}
    nodes = [
        {"name": "image", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}},
        {"name": "axes", "op": "Const", "attr": {"dtype": {"type": "DT_INT32"}}},
        {"name": "mean", "op": "Mean", "input": ["image", "axes"], "attr": kinds},
    ]
    weights = [{"name": "axes", "shape": [2], "dtype": "int32"}]
    model = {
        "signature": {"inputs": {"x": {"name": "image:0"}}, "outputs": {"y": {"name": "mean:0"}}},
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["shard1.bin", "shard2.bin"], "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder


def test_tfjs__weights_in_several_files_are_read(tfjs: Path) -> None:
    images = noise(size=SIZE)
    np.testing.assert_allclose(TensorFlowJs(tfjs).run(images), images.mean((1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda group: group["paths"].__setitem__(0, "/dev/zero"), "the plain name of a file"),
        (lambda group: group["paths"].__setitem__(0, "../secret.bin"), "the plain name of a file"),
        (lambda group: group["paths"].__setitem__(0, 5), "must be text"),
        (lambda group: group["paths"].append(group["paths"][0]), "bytes of weights, not"),
        (lambda group: group["weights"][0].__setitem__("shape", [1 << 30, 1 << 30]), "bytes of"),
        (lambda group: group["weights"][0].__setitem__("shape", [-1]), "a whole number"),
        (lambda group: group["weights"][0].__setitem__("dtype", "object"), "the type of"),
        (lambda group: group["weights"][0].__setitem__("quantization", {}), "not quantised"),
    ],
)
def test_tfjs__weights_are_plain_files_as_large_as_the_shapes_say(
    tfjs: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    model = json.loads((tfjs / "model.json").read_text())
    change(model["weightsManifest"][0])
    (tfjs / "model.json").write_text(json.dumps(model))
    with pytest.raises(BundleError, match=message):
        TensorFlowJs(tfjs)


def test_tfjs__weights_behind_a_link_that_leads_out_are_refused(tfjs: Path) -> None:
    (tfjs / "shard1.bin").unlink()
    (tfjs / "shard1.bin").symlink_to(tfjs.parent / "secret.bin")
    with pytest.raises(BundleError, match="the plain name of a file in the folder"):
        TensorFlowJs(tfjs)


def test_tfjs__operations_that_reach_out_are_refused(tfjs: Path) -> None:
    model = json.loads((tfjs / "model.json").read_text())
    model["modelTopology"]["node"] += [
        {"name": "path", "op": "Placeholder", "attr": {"dtype": {"type": "DT_STRING"}}},
        {"name": "read", "op": "ReadFile", "input": ["path"]},
    ]
    (tfjs / "model.json").write_text(json.dumps(model))
    with pytest.raises(UntrustedModelError, match="'ReadFile'"):
        TensorFlowJs(tfjs)


def tflite(path: Path, function: Callable[..., Any], *specs: Any, flex: bool = False) -> Path:
    tf = require_tensorflow()
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if flex:
        kinds = tf.lite.OpsSet
        converter.target_spec.supported_ops = [kinds.TFLITE_BUILTINS, kinds.SELECT_TF_OPS]
    path.write_bytes(converter.convert())
    return path


def test_litert__models_of_another_shape_or_type_are_told(tmp_path: Path) -> None:
    tf = require_tensorflow()
    image = tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)

    def mean(images: Any) -> Any:
        return tf.reduce_mean(images, axis=(1, 2))

    path = tmp_path / "m.tflite"
    for function, specs, message in (
        (lambda a, b: mean(a) + mean(b), (image, image), "has 2 inputs"),
        (lambda a: (mean(a), mean(a) + 1), (image,), "has 2 outputs"),
        (
            lambda a: a[:, :1, :1] * 2,
            (image,),
            r"\[1, 1, 1, 3\]; expected \(num_images",
        ),
        (lambda a: a * 2, (tf.TensorSpec((1, 3), tf.float32),), r"expected \(num_images, height"),
        (lambda a: tf.cast(mean(a), tf.int64), (image,), "gives int64 of shape"),
        (
            lambda a: mean(tf.cast(a, tf.float32)),
            (tf.TensorSpec((1, SIZE, SIZE, 3), tf.int32),),
            "int32",
        ),
    ):
        with pytest.raises(BundleError, match=message):
            LiteRT(tflite(path, function, *specs))


def test_litert__operations_of_tensorflow_are_not_run(tmp_path: Path) -> None:
    tf = require_tensorflow()
    image = tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)

    def network(images: Any) -> Any:
        done = tf.io.write_file(str(written(tmp_path)), "gotcha")
        with tf.control_dependencies([done]):
            return tf.reduce_mean(images, axis=(1, 2))

    path = tflite(tmp_path / "m.tflite", network, image, flex=True)
    with pytest.raises(BundleError, match="is not a model that LiteRT can run"):
        LiteRT(path).run(noise(size=SIZE))
    assert not written(tmp_path).exists()
    # Some versions of LiteRT run them where TensorFlow is loaded.
    with pytest.raises(ValueError, match=r"operations of TensorFlow: WriteFile$"):
        require_tflite_operations(path)


@pytest.mark.parametrize("location", ["../secret.bin", "/dev/zero", "gone.bin", "short.bin"])
def test_onnx__weights_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "short.bin").write_bytes(bytes(8))
    weights = onnx.TensorProto(name="w", data_type=1, dims=[3, 3], data_location=1)
    for key, value in (("location", location), ("offset", "0"), ("length", "36")):
        weights.external_data.add(key=key, value=value)
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3])],
        [helper.make_tensor_value_info("y", 1, [1, 3])],
        [weights],
    )
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(BundleError, match=r"not a file in its folder|extend beyond the end"):
        OnnxRuntime(path)
