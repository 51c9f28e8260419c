"""The Jetson folder: what lies in it, and that its files say the same."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight.errors import ConfigError, ExportError
from bricksight.formats import Classifier, jetson
from bricksight.formats.onnx.onnx import IMAGENET_MEAN, IMAGENET_STD
from bricksight.images import load_input
from bricksight.training import TrainingResult
from helpers.jetson_folder import jetson_folder as jetson_folder
from helpers.jetson_folder import request_of

pytestmark = pytest.mark.tf

UNUSED = Classifier(graph_def_bytes=b"", input_layer="", output_layer="")


def run_onnx(path: Path, inputs: np.ndarray) -> np.ndarray:
    ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["output_0"], {"input_0": inputs.astype(np.float32)})[0]


def test_folder__holds_what_the_board_needs(jetson_folder: Path) -> None:
    names = {path.relative_to(jetson_folder).as_posix() for path in jetson_folder.rglob("*")}
    golden = {name for name in names if name.startswith("golden/")}
    assert names - golden == {
        "README.md",
        "build.sh",
        "classify.py",
        "golden",
        "labels.txt",
        "model.jetson_inference.onnx",
        "model.onnx",
        "preprocess.json",
    }
    assert (jetson_folder / "build.sh").stat().st_mode & 0o100
    assert (jetson_folder / "labels.txt").read_bytes() == b"blue\ngreen\nred\n"
    said = json.loads((jetson_folder / "preprocess.json").read_text())
    assert (said["height"], said["width"], said["resize"]) == (32, 32, "stretch")
    assert (said["input"], said["output"], said["range"]) == ("input_0", "output_0", [0.0, 1.0])


def test_golden__expects_the_answers_of_the_very_files(jetson_folder: Path) -> None:
    golden = json.loads((jetson_folder / "golden" / "golden.json").read_text())["photos"]
    assert {path.name for path in (jetson_folder / "golden").glob("*.jpg")} == {
        one["file"] for one in golden
    }
    answers = set()
    for one in golden:
        path = jetson_folder / "golden" / one["file"]
        inputs = load_input(path, request_spec(jetson_folder))[None].transpose(0, 3, 1, 2)
        found = run_onnx(jetson_folder / "model.onnx", inputs)[0]
        np.testing.assert_allclose(found, one["probabilities"], atol=1e-5)
        answers.add(int(found.argmax()))
        with Image.open(path) as image:
            assert max(image.size) <= 640
            assert not image.getexif()
    assert len(answers) == len(golden) > 1


def request_spec(folder: Path):  # type: ignore[no-untyped-def]
    from bricksight.config import InputSpec

    said = json.loads((folder / "preprocess.json").read_text())
    return InputSpec(height=said["height"], width=said["width"], resize=said["resize"])


def test_jetson_inference__takes_its_normalisation_back(jetson_folder: Path) -> None:
    photo = np.random.default_rng(0).random((1, 3, 32, 32))
    mean, std = (np.reshape(value, (1, 3, 1, 1)) for value in (IMAGENET_MEAN, IMAGENET_STD))
    plain = run_onnx(jetson_folder / "model.onnx", photo)
    adapted = run_onnx(jetson_folder / "model.jetson_inference.onnx", (photo - mean) / std)
    np.testing.assert_allclose(adapted, plain, atol=1e-5)


def test_readme__is_filled_in_and_names_what_is_there(jetson_folder: Path) -> None:
    text = (jetson_folder / "README.md").read_text(encoding="utf-8")
    assert "{{" not in text and "{%" not in text
    assert "These files have not run on a board" in text
    assert (
        "imagenet --model=model.jetson_inference.onnx --labels=labels.txt "
        "--input_blob=input_0 --output_blob=output_0 csi://0" in text
    )
    program = (jetson_folder / "classify.py").read_text()
    options = set(re.findall(r"(?:classify\.py|build\.sh)[^\n`]*?(--[a-z]+)", text))
    assert {"--camera", "--csi", "--workspace"} <= options
    options.discard("--help")  # argparse's own
    assert all(f'"{option}"' in program for option in options), options


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"precision": "int8"}, "requested as int8, batch 1, nchw"),
        ({"batch": None}, "requested as float32, batch dynamic, nchw"),
        ({"layout": "nhwc"}, "requested as float32, batch 1, nhwc"),
    ],
)
def test_write__refuses_what_tensorrt_does_not_take(
    tiny_run: TrainingResult, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    request = replace(request_of(tiny_run), **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=said):
        jetson.write(UNUSED, tmp_path / "board", request)
    assert not (tmp_path / "board").exists()


def test_write__a_label_of_two_lines(tiny_run: TrainingResult, tmp_path: Path) -> None:
    request = request_of(tiny_run)
    reference = replace(request.reference, labels=["blue", "gre\nen", "red"])
    with pytest.raises(ConfigError, match=r"The label 'gre\\nen' contains a line break"):
        jetson.write(UNUSED, tmp_path / "board", replace(request, reference=reference))


def test_golden_photos__one_of_each_answer_and_none_that_cannot_be_read(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    request = request_of(tiny_run)
    gone = replace(
        request.reference, photos=[tmp_path / "gone.jpg"] * len(request.reference.photos)
    )
    with pytest.raises(ExportError, match="No photo can be read"):
        jetson._golden_photos(replace(request, reference=gone))
    found = jetson._golden_photos(request)
    assert {path.parent.name for path in found} == {"blue", "green", "red"}


def test_golden_photos__are_those_where_a_change_shows_most(tiny_run: TrainingResult) -> None:
    request = request_of(tiny_run)
    photos = request.reference.photos[:4]
    rows = np.array([[0.99, 0.01, 0], [0.4, 0.6, 0], [0.7, 0.3, 0], [0.05, 0.95, 0]])
    reference = replace(request.reference, photos=photos, probabilities=rows)
    found = jetson._golden_photos(replace(request, reference=reference))
    assert found == [photos[1], photos[2]]
