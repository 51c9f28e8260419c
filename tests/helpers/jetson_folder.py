"""A Jetson folder of the tiny bundle, made once for all tests."""

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bricksight.backbones import frozen_graph
from bricksight.formats import ParityReference, build_classifier
from bricksight.formats import jetson as writer
from bricksight.formats.request import Request
from bricksight.predict import Predictor
from bricksight.training import TrainingResult


def request_of(run: TrainingResult) -> Request:
    photos = [record.path for record in run.findings.data.examples[::3]]
    rows = np.stack(list(Predictor(run.bundle.path).probabilities_of(photos)))
    spec = run.bundle.manifest.input
    return Request(
        reference=ParityReference(
            photos=photos, probabilities=rows, labels=run.bundle.labels, spec=spec
        )
    )


@pytest.fixture(scope="session")
def jetson_folder(tiny_run: TrainingResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    folder = tmp_path_factory.mktemp("jetson") / "board"
    classifier = build_classifier(
        frozen_graph(tiny_run.findings.compiled.backbone), tiny_run.findings.trained.head
    )
    writer.write(classifier, folder, request_of(tiny_run))
    return folder


def load_program(folder: Path) -> ModuleType:
    """Returns the folder's classify.py as a module."""
    spec = importlib.util.spec_from_file_location("classify", folder / "classify.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def replace_model(folder: Path, content: bytes) -> None:
    """Puts another model in place of the folder's, as a new export would."""
    (folder / "model.onnx").write_bytes(content)
    path = folder / "preprocess.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described["model_sha256"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(described), encoding="utf-8")
