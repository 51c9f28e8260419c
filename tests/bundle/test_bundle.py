"""The model folder: what is written is what is read, and damage is named."""

import codecs
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bricksight.bundle import (
    FORMAT_VERSION,
    Head,
    Manifest,
    new_bundle,
    open_bundle,
    read_labels,
    write_manifest,
)
from bricksight.config import InputSpec
from bricksight.errors import BundleError

MANIFEST = Manifest(
    labels=("Ébène", "brick 2x4"),
    input=InputSpec(height=32, width=48, resize="letterbox"),
    backbone={"reference": "test:tiny"},
    unknown_threshold=0.25,
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    with new_bundle(path) as folder:
        (folder / "model.tflite").write_bytes(b"a model")
        (folder / "saved_model").mkdir()
        (folder / "saved_model" / "saved_model.pb").write_bytes(b"another")
        write_manifest(folder, MANIFEST)
    return path


def test_open_bundle__returns_what_was_written(bundle: Path) -> None:
    manifest = open_bundle(bundle).manifest
    assert manifest.labels == MANIFEST.labels
    assert manifest.input == MANIFEST.input
    assert manifest.unknown_threshold == 0.25
    assert sorted(manifest.files) == [
        "model.tflite",
        "output_labels.txt",
        "saved_model/saved_model.pb",
    ]
    assert manifest.format_version == FORMAT_VERSION


def test_write_manifest__the_labels_file_is_one_label_a_line(bundle: Path) -> None:
    assert (bundle / "output_labels.txt").read_bytes() == "Ébène\nbrick 2x4\n".encode()
    assert read_labels(bundle / "output_labels.txt") == MANIFEST.labels


def test_file__another_content_is_refused(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.file("model.tflite").read_bytes() == b"a model"
    (bundle / "model.tflite").write_bytes(b"a modem")
    with pytest.raises(BundleError, match=r"model\.tflite is not the file that was written"):
        opened.file("model.tflite")


def test_file__one_that_was_never_there_names_those_that_are(bundle: Path) -> None:
    there = r"model\.tflite, output_labels\.txt, saved_model\.$"
    with pytest.raises(BundleError, match=rf"has no file model\.onnx\. It has {there}"):
        open_bundle(bundle).file("model.onnx")


def test_file__one_that_is_gone_is_named_alone(bundle: Path) -> None:
    (bundle / "model.tflite").unlink()
    with pytest.raises(BundleError, match=r"model\.tflite is missing") as caught:
        open_bundle(bundle).file("model.tflite")
    assert "saved_model" not in str(caught.value)


@pytest.mark.parametrize(("column", "test"), [("split", "test"), ("bucket", "testing")])
def test_trained_on__is_what_is_not_kept_for_the_test(
    tmp_path: Path, column: str, test: str
) -> None:
    """Bundles before 0.1.0 have other names for the column and the test split."""
    with new_bundle(tmp_path / "bundle") as folder:
        rows = ['"a,b.jpg",x,training,g,11', f"c.jpg,x,{test},h,22", "d.jpg,x,validation,i,33"]
        (folder / "photos.csv").write_text("\n".join([f"path,label,{column},group,sha256", *rows]))
        write_manifest(folder, MANIFEST)
    assert open_bundle(tmp_path / "bundle").trained_on() == {"11", "33"}


def test_trained_on__is_not_known_to_older_bundles(bundle: Path) -> None:
    assert open_bundle(bundle).trained_on() == frozenset()


def test_open_bundle__keys_of_a_later_version_are_ignored(bundle: Path) -> None:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text()) | {"colour": "red"}
    content["input"]["note"] = "new"
    path.write_text(json.dumps(content))
    assert open_bundle(bundle).manifest.input == MANIFEST.input
    assert open_bundle(bundle).labels == MANIFEST.labels


def test_open_bundle__an_older_manifest_names_the_backbone_module(bundle: Path) -> None:
    content = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    content["module"] = content.pop("backbone")
    (bundle / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    assert open_bundle(bundle).manifest.backbone == {"reference": "test:tiny"}


def test_open_bundle__a_newer_format_is_refused_with_both_numbers(bundle: Path) -> None:
    path = bundle / "manifest.json"
    content = json.loads(path.read_text()) | {"format_version": FORMAT_VERSION + 1}
    path.write_text(json.dumps(content))
    with pytest.raises(
        BundleError, match=rf"has format version {FORMAT_VERSION + 1}.*up to {FORMAT_VERSION}"
    ):
        open_bundle(bundle)


@pytest.mark.parametrize("content", ["{", "[]", '{"format_version": 1}', '{"format_version": "x"}'])
def test_open_bundle__a_damaged_manifest_is_named(bundle: Path, content: str) -> None:
    (bundle / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        open_bundle(bundle)


def test_open_bundle__a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: it has no manifest\.json"):
        open_bundle(tmp_path)
    with pytest.raises(BundleError, match="is not a folder"):
        open_bundle(tmp_path / "missing")


def test_new_bundle__nothing_is_left_of_a_block_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="midway"), new_bundle(tmp_path / "bundle") as folder:
        (folder / "model.tflite").write_bytes(b"half")
        raise RuntimeError("midway")
    assert list(tmp_path.iterdir()) == [tmp_path / "bricksight-cache"] or not list(
        tmp_path.iterdir()
    )


def test_new_bundle__overwrites_nothing(bundle: Path) -> None:
    with pytest.raises(BundleError, match="exists already"), new_bundle(bundle):
        pass
    assert open_bundle(bundle).labels == MANIFEST.labels


def test_open_bundle__a_moved_folder_is_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(bundle, moved)
    assert open_bundle(moved).file("model.tflite").read_bytes() == b"a model"


def test_head__save_keeps_both_arrays(tmp_path: Path) -> None:
    head = Head(kernel=np.ones((3, 2), np.float32), bias=np.zeros(2, np.float32))
    head.save(tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["kernel"], head.kernel)
        np.testing.assert_array_equal(arrays["bias"], head.bias)


@pytest.mark.parametrize(
    "content",
    [
        "a\nb c\nÉ\n".encode(),
        "a\nb c\nÉ".encode(),
        "\ufeffa\r\nb c\r\nÉ\r\n".encode(),
        "a\rb c\rÉ\r".encode(),
        "a\nb c\nÉ\n\n\r\n\n".encode(),
        "a\nb c\nÉ\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "a\r\nb c\r\nÉ\r\n".encode("utf-16-be"),
    ],
)
def test_read_labels__as_editors_write_them(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    assert read_labels(path) == ("a", "b c", "É")


def test_read_labels__only_line_ends_separate_them(tmp_path: Path) -> None:
    labels = ("a\u2028b", "c\x85d", "e\x0cf", "g\x0bh", "i\x1cj", "k\u2029l", " m ")
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    assert read_labels(path) == labels


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"a\n\nb\n", "Line 2 .* is empty"),
        (b"a\n \t\nb\n", "Line 2 .* is empty"),
        (b"a\0b\0c\0", "Line 1 .* NUL"),
        ("a\nb".encode("utf-16-le"), "NUL"),
        (b"caf\xe9\n", "not UTF-8 text"),
        (b"\xff\xfea\0b", "not UTF-8 text"),
    ],
)
def test_read_labels__anything_else_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=reason):
        read_labels(path)
    with pytest.raises(BundleError, match=r"cannot be read \(Is a directory\)"):
        read_labels(tmp_path)
