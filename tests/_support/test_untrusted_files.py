"""Manifests, descriptions and lists of photos by strangers: every value is checked."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.filesystem.files import sha256_of
from bricksight._support.untrusted.folders import stays_inside
from bricksight._support.untrusted.json_files import MOST_BYTES, read_json
from bricksight.bundle import Bundle, Manifest, new_bundle, open_bundle, write_manifest
from bricksight.config import MOST_PATTERN_CHARACTERS, InputSpec, SplitConfig
from bricksight.dataset import group_keys
from bricksight.errors import BundleError, ConfigError, DataError
from bricksight.predict import Predictor
from bricksight.predict._outputs import require_probabilities
from bricksight.predict._sidecar import (
    Sidecar,
    read_sidecar,
    require_checksums,
    sidecar_path,
    write_sidecar,
)

LABELS = ("a", "b", "c")
INPUT = InputSpec(height=32, width=32)
COLUMNS = "path,label,split,group,sha256\n"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    with new_bundle(path) as folder:
        (folder / "model.tflite").write_bytes(b"a model")
        (folder / "exports" / "tfjs").mkdir(parents=True)
        for name in ("model.xml", "model.bin", "tfjs/model.json", "tfjs/shard.bin"):
            (folder / "exports" / name).write_bytes(name.encode())
        (folder / "photos.csv").write_text(COLUMNS + "a/1.jpg,a,testing,a/1.jpg,11\n")
        write_manifest(folder, Manifest(labels=LABELS, input=INPUT, backbone={}))
    return path


def changed(bundle: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return bundle


def put(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("input", value=[]), r"input is \[\]; it must be an object"),
        (put("input", "height", value=96.5), "input.height is 96.5; it must be a whole number"),
        (put("input", "height", value=True), "input.height is True"),
        (put("input", "width", value=10**9), "input.width is 1000000000; .* from 8 to 4096"),
        (put("input", "width", value="32"), "input.width is '32'"),
        (put("input", "resize", value="evil"), "input.resize is 'evil'; .* 'letterbox'"),
        (put("input", "resize", value=["stretch"]), "input.resize is"),
        (put("labels", value="abc"), "labels is 'abc'; it must be a list"),
        (put("labels", value=[]), "labels is"),
        (put("labels", value=[None, [1], {"a": 1}]), r"labels\[0\] is None"),
        (put("labels", 1, value="a"), r"labels\[1\] is 'a'; .* another name than labels\[0\]"),
        (put("labels", 1, value="b\nc"), r"labels\[1\] is .* one line"),
        (put("labels", 1, value=" "), r"labels\[1\] is ' '"),
        (put("labels", 1, value="x" * 5000), r"labels\[1\] is"),
        (put("labels", 1, value="\ud800"), r"'\\ud800' is not valid Unicode"),
        (put("labels", 1, value="caf\udce9"), r"labels\[1\] is .* one line of text"),
        (put("settings", value={"x": ["\udc00"]}), "is not valid Unicode"),
        (put("settings", value=5), "settings is 5"),
        (put("settings", value={"retrain": {"image_dir": 5}}), "settings.retrain.image_dir is 5"),
        (put("settings", value={"data": {"image_dir": 5}}), "settings.data.image_dir is 5"),
        (put("settings", value={"split": [1]}), r"settings.split is \[1\]"),
        (put("settings", value={"split": {"group_by": 1}}), "settings.split.group_by is 1"),
        (
            put("settings", value={"split": {"testing_percentage": "1"}}),
            "testing_percentage is '1'",
        ),
        (put("unknown_threshold", value="x"), "unknown_threshold is 'x'"),
        (put("unknown_threshold", value=float("nan")), "unknown_threshold is nan"),
        (put("unknown_threshold", value=1.5), "unknown_threshold is 1.5; .* from 0 to 1"),
        (put("unknown_threshold", value=True), "unknown_threshold is True"),
        (put("files", value=None), "files is None"),
        (put("files", value=["model.tflite"]), "files is "),
        (put("files", "model.tflite", value="AB"), "64 hexadecimal digits"),
        (put("files", "model.tflite", value=5), "64 hexadecimal digits"),
        (put("files", "../x", value="0" * 64), r"A name of files is '\.\./x'"),
        (put("files", "/etc/passwd", value="0" * 64), "A name of files is"),
        (put("files", "C:\\x", value="0" * 64), "A name of files is"),
        (put("output_layer", value=3), "output_layer is 3"),
        (put("metrics", value=[]), "metrics is"),
        (put("format_version", value="1"), "format_version is '1'"),
        (put("format_version", value=0), "format_version is 0"),
        (lambda content: content.pop("labels"), "labels is missing"),
    ],
)
def test_open_bundle__a_wrong_value_is_told_with_key_value_and_expectation(
    bundle: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(BundleError, match=rf"manifest\.json is damaged: .*{message}"):
        open_bundle(changed(bundle, change))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"data": ' + b"[" * 80 + b"]" * 80 + b"}", "deeper than 50 levels"),
        (b'{"labels": ["a"], "labels": ["b"]}', "has the key 'labels' twice"),
        (b"\xff\xfe{}", "can't decode"),
        (b"", "Expecting value"),
        (b"\0" * 64, "Expecting value"),
    ],
    ids=["brackets", "levels", "twice", "utf-16", "empty", "zeros"],
)
def test_open_bundle__what_no_bricksight_writes_is_told(
    bundle: Path, content: bytes, message: str
) -> None:
    (bundle / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=rf"manifest\.json is damaged: .*{message}"):
        open_bundle(bundle)


def test_open_bundle__a_manifest_of_any_size_is_not_read(
    bundle: Path,
) -> None:
    with (bundle / "manifest.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(BundleError, match="larger than 32 MiB"):
        open_bundle(bundle)


def test_open_bundle__a_byte_order_mark_is_passed_over(bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert open_bundle(bundle).labels == LABELS


def test_open_bundle__figures_without_a_value_are_no_damage(bundle: Path) -> None:
    opened = open_bundle(changed(bundle, put("metrics", value={"accuracy": float("nan")})))
    assert np.isnan(opened.manifest.metrics["accuracy"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_read_json__a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(ValueError, match="not a regular file"):
        read_json(tmp_path / "model.json")


@pytest.mark.parametrize("name", ["a.jpg", "a/b.jpg", "a\\b", "a b/c..d/.e", "ü/日本.png"])
def test_stays_inside__names_below_a_folder(name: str) -> None:
    assert stays_inside(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "/a", "a/../b", "../a", "a//b", "a/", "./a", "a\0b"),
        *("\\a", "a\\..\\b", "C:/a", "C:a", "\\\\host\\share\\a"),
    ],
)
def test_stays_inside__names_that_lead_out_on_any_system(name: str) -> None:
    assert not stays_inside(name)


@pytest.mark.parametrize(
    ("asked", "altered"),
    [
        ("exports/model.xml", "exports/model.bin"),
        ("exports/tfjs/model.json", "exports/tfjs/shard.bin"),
    ],
)
def test_file__what_belongs_to_a_model_is_compared_too(
    bundle: Path, asked: str, altered: str
) -> None:
    opened = open_bundle(bundle)
    assert opened.file(asked) == bundle / asked
    (bundle / altered).write_bytes(b"other weights")
    with pytest.raises(BundleError, match=rf"{Path(altered).name} is not the file that was wri"):
        opened.file(asked)
    (bundle / altered).unlink()
    with pytest.raises(BundleError, match=rf"{altered} is missing"):
        opened.file(asked)


def test_file__a_link_that_leads_out_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.tflite").rename(tmp_path / "elsewhere.tflite")
    (bundle / "model.tflite").symlink_to(tmp_path / "elsewhere.tflite")
    with pytest.raises(BundleError, match="is a link that leads out"):
        open_bundle(bundle).file("model.tflite")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"a,b\n1,2\n", "a row has no value for 'path'"),
        (b"path,label,split,group,sha256\na/1.jpg,a\n", "a row has no value for 'split'"),
        (b"path,label,split,group,sha256\n\xff,a,testing,c,d\n", "can't decode"),
        (b"path,label,split,group,sha256\n" + b"A" * 200_000 + b",a,b,c,d\n", "field larger"),
        (b"path,label,split,group,sha256\na/1.jpg,a,nobucket,c,d\n", "split .* 'nobucket'"),
        (b"path,label,split,group,sha256\n/etc/x.jpg,a,test,c,d\n", "leads out"),
        (b"path,label,split,group,sha256\na/../../x.jpg,a,test,c,d\n", "leads out"),
    ],
    ids=["columns", "short", "latin-1", "endless", "split", "absolute", "up"],
)
def test_photos__a_damaged_list_is_told(bundle: Path, lines: bytes, message: str) -> None:
    path = bundle / "photos.csv"
    path.write_bytes(lines)
    opened = open_bundle(changed(bundle, put("files", "photos.csv", value=sha256_of(path))))
    with pytest.raises(BundleError, match=rf"photos\.csv is damaged: .*{message}"):
        opened.trained_on()


@pytest.fixture
def lone(tmp_path: Path) -> Path:
    """OpenVINO's two files with their description."""
    path = tmp_path / "model.xml"
    files = {}
    for file in (path, tmp_path / "model.bin"):
        file.write_bytes(file.name.encode())
        files[file.name] = sha256_of(file)
    write_sidecar(path, Sidecar(labels=LABELS, input=INPUT, format="openvino", files=files))
    return path


def test_sidecar__says_what_was_written(lone: Path) -> None:
    described = read_sidecar(lone)
    assert described.labels == LABELS and described.input == INPUT
    assert sorted(described.files) == ["model.bin", "model.xml"]
    require_checksums(lone, described)


def test_sidecar__a_photo_where_the_model_belongs_is_no_model(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"pixels")
    with pytest.raises(BundleError, match="is not a model that bricksight can run"):
        read_sidecar(photo)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_sidecar__a_pipe_where_the_model_belongs_is_told(lone: Path) -> None:
    lone.unlink()
    os.mkfifo(lone)
    with pytest.raises(BundleError, match="is a pipe, a socket or a device"):
        read_sidecar(lone)


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_sidecar__changed_weights_are_refused(lone: Path, name: str) -> None:
    (lone.parent / name).write_bytes(b"others")
    with pytest.raises(BundleError, match=rf"{name} is not the file that was written"):
        require_checksums(lone, read_sidecar(lone))


def test_sidecar__a_renamed_model_is_compared_all_the_same(lone: Path) -> None:
    new = lone.with_name("bricks.xml")
    lone.rename(new)
    lone.with_suffix(".bin").rename(new.with_suffix(".bin"))
    sidecar_path(lone).rename(sidecar_path(new))
    require_checksums(new, read_sidecar(new))
    new.with_suffix(".bin").write_bytes(b"others")
    with pytest.raises(BundleError, match=r"bricks\.bin is not the file"):
        require_checksums(new, read_sidecar(new))


def test_sidecar__of_another_kind_of_file_is_refused(lone: Path) -> None:
    other = lone.with_suffix(".pb")
    other.write_bytes(b"a graph")
    sidecar_path(lone).rename(sidecar_path(other))
    with pytest.raises(BundleError, match=r"describes model\.xml, model\.bin, not model\.pb"):
        require_checksums(other, read_sidecar(other))


def test_sidecar__in_a_bundle_of_an_earlier_version_the_manifest_has_the_checksums(
    bundle: Path,
) -> None:
    path = bundle / "exports" / "model.xml"
    write_sidecar(path, Sidecar(labels=LABELS, input=INPUT, format="openvino"))
    require_checksums(path, read_sidecar(path))
    path.with_suffix(".bin").write_bytes(b"others")
    with pytest.raises(BundleError, match=r"model\.bin is not the file that was written"):
        require_checksums(path, read_sidecar(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("layers", value=["a"]), r"layers is \['a'\]"),
        (put("layers", value={"output_layer": 3}), "layers.output_layer is 3"),
        (put("labels", value=[1]), r"labels\[0\] is 1"),
        (put("input", "height", value=None), "input.height is None"),
        (put("unknown_threshold", value=-1), "unknown_threshold is -1"),
        (put("files", value=["../x"]), r"A name of files is '\.\./x'"),
        (put("files", value={"../x": "0" * 64}), r"A name of files is '\.\./x'"),
        (lambda content: content.pop("format"), "format is missing"),
    ],
)
def test_sidecar__a_wrong_value_is_told(
    lone: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = sidecar_path(lone)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=rf"does not describe a model: .*{message}"):
        read_sidecar(lone)


def test_sidecar__a_resize_that_is_not_named_is_the_default(lone: Path) -> None:
    path = sidecar_path(lone)
    content = json.loads(path.read_text())
    del content["input"]["resize"]
    path.write_text(json.dumps(content))
    assert read_sidecar(lone).input.resize == "stretch"


def test_sidecar__names_of_layers_alone_are_taken(lone: Path) -> None:
    path = sidecar_path(lone)
    content = json.loads(path.read_text())
    content["layers"] = {"input_layer": "x", "threads": 3, "path": "/etc/passwd"}
    content["files"] = ["variables/variables.index"]  # as the first versions wrote it
    path.write_text(json.dumps(content))
    assert read_sidecar(lone).layers == {"input_layer": "x"}
    assert read_sidecar(lone).files == {"variables/variables.index": ""}


def checked(rows: list[list[float]], *, step: float = 0.0) -> np.ndarray:
    return require_probabilities(
        np.array(rows, np.float32), num_rows=1, num_labels=3, source="m.onnx in ort", step=step
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[np.nan] * 3], "m.onnx in ort gives nan, nan, nan .* finite"),
        ([[0.5, np.nan, 0.5]], "gives 0.5, nan, 0.5"),
        ([[np.inf, 0, 0]], "gives inf"),
        ([[-4, 2, 3]], "gives -4, 2, 3"),
        ([[0.9, 0.9, 0.9]], "with a sum of 2.7"),
        ([[0.0, 0.0, 0.0]], "with a sum of 0"),
        ([[0.5, 0.5]], r"shape \(1, 2\), but there are 3 labels"),
        ([[1, 0, 0], [1, 0, 0]], "for 1 images"),
    ],
)
def test_outputs__what_are_no_probabilities_is_an_error(
    rows: list[list[float]], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        checked(rows)


def test_outputs__coarse_steps_are_allowed_for() -> None:
    row = [[21 / 64, 21 / 64, 20 / 64]]
    assert checked(row, step=1 / 64).tolist() == row
    with pytest.raises(BundleError, match=r"with a sum of 0\.9688"):
        checked(row)


class _Answering:
    """A runtime that takes 16 pixels and fails."""

    input_size = (16, 16)

    def run(self, images: np.ndarray) -> np.ndarray:
        raise RuntimeError("the driver said no\nat line 3")


def test_predictor__a_description_of_another_size_is_refused() -> None:
    with pytest.raises(BundleError, match=r"takes images of 16x16 pixels, .* says 32x32"):
        Predictor.from_runtime(_Answering(), LABELS, INPUT)


def test_predictor__an_error_of_a_runtime_names_the_model() -> None:
    predictor = Predictor.from_runtime(
        _Answering(), LABELS, InputSpec(height=16, width=16), source="m.tflite in litert"
    )
    with pytest.raises(
        BundleError,
        match=r"^m\.tflite in litert cannot classify photos: RuntimeError: the driver said",
    ):
        predictor.warm_up()


@pytest.mark.parametrize(
    "group_by", [r"(a|aa)+$!", r"((a{1,99}){1,99}){1,99}!", r"^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_group_keys__an_expression_without_end_is_ended(
    group_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bricksight.dataset._groups._SECONDS", 0.2)
    paths = [f"a/{'a' * 60}{index}.jpg" for index in range(20)]
    with pytest.raises(DataError, match=r"takes too long|matches none of"):
        group_keys(paths, group_by=group_by)


@pytest.mark.parametrize(
    ("group_by", "path"),
    [
        (r"/x(\d+)(?=_)", "x/x12_nohash_3.jpg"),
        (r"(\w)/\1", "x/x12.jpg"),  # which engines of linear time do not understand
        (r"x{e<=1}", "a/x{e<=1}.jpg"),  # no fuzzy matching
        (r"\{1{1,2}[{]\\{1}", "a/{11{\\.jpg"),
        (r"1{,2}2{}", "a/1112{}.jpg"),
    ],
)
def test_group_keys__understands_what_re_does(group_by: str, path: str) -> None:
    match = re.search(group_by, path)
    assert match is not None
    expected = match[1] if match.re.groups else match[0]
    assert group_keys([path], group_by=group_by) == ([expected], [])


def test_split_config__an_endless_expression_is_refused() -> None:
    with pytest.raises(ConfigError, match="has 1,001 characters; it may have at most 1,000"):
        SplitConfig(group_by="a" * (MOST_PATTERN_CHARACTERS + 1))


def test_bundle__keeps_what_is_not_checked(bundle: Path) -> None:
    opened = open_bundle(changed(bundle, put("settings", value={"head": {"seed": 3}})))
    assert opened.manifest.settings == {"head": {"seed": 3}}
    assert replace(opened, path=bundle) == Bundle(bundle, opened.manifest)
