"""What users see of the public classes: help, reprs, JSON."""

import inspect
import json
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import bricksight as bs
from bricksight.training import TrainingResult

NAMES = sorted({*bs.__all__, "CrossValidationResult", "TrainingResult"} - {"__version__"})
CLASSES = {name: getattr(bs, name) for name in NAMES if inspect.isclass(getattr(bs, name))}
MAX_REPR = 100


@pytest.mark.parametrize("name", CLASSES)
def test_class__help_describes_every_field_and_property(name: str) -> None:
    kind = CLASSES[name]
    text = inspect.getdoc(kind) or ""
    attributes = text.partition("Attributes:\n")[2]
    described = set(re.findall(r"^ {4}(\w+): \S", attributes, re.MULTILINE))
    named = {one.name for one in fields(kind)} if is_dataclass(kind) else set()
    assert named <= described
    for member, value in inspect.getmembers(kind, lambda one: isinstance(one, property)):
        assert member in described or inspect.getdoc(value), member


@pytest.mark.parametrize("name", CLASSES)
def test_class__public_methods_are_described(name: str) -> None:
    kinds = (inspect.isfunction, inspect.ismethod)  # the latter are class methods
    methods = [one for kind in kinds for one in inspect.getmembers(CLASSES[name], kind)]
    for member, value in methods:
        assert member.startswith("_") or inspect.getdoc(value), member


@pytest.fixture(scope="module")
def examples(tiny_run: TrainingResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An object of each public class, as users get them."""
    photos = tiny_run.findings.data.image_dir
    path = tiny_run.findings.data.examples[0].path
    model = bs.load(tiny_run.bundle.path)
    out = tmp_path_factory.mktemp("out") / "model.tflite"
    answer = model.predict(path)
    return {
        "Answer": answer,
        "Bundle": tiny_run.bundle,
        "CheckReport": bs.check(photos),
        "CrossValidationResult": bs.cross_validate(
            photos,
            folds=2,
            seeds=1,
            head="lda",
            backbone=tiny_run.bundle.manifest.backbone["reference"],
        ),
        "ExportedFile": bs.export(model, "tflite", out=out),
        "ModelEvaluation": bs.evaluate(model, photos),
        "ObjectAnswer": model.predict_object([path, b"no photo"]),
        "Prediction": answer.predictions[0],
        "Predictor": model,
        "TrainingConfig": bs.TrainingConfig.of(photos, group_by="x" * 200),
        "TrainingResult": tiny_run,
        **{
            name: kind()
            for name, kind in CLASSES.items()
            if name.endswith("Config") and name not in ("DataConfig", "TrainingConfig")
        },
        "DataConfig": bs.DataConfig(image_dir=photos),
    }


def test_examples__are_of_every_public_class(examples: dict[str, Any]) -> None:
    assert set(CLASSES) - set(examples) == {name for name in CLASSES if name.endswith("Error")}


@pytest.mark.parametrize("name", [name for name in CLASSES if not name.endswith("Error")])
def test_repr__is_one_short_line(examples: dict[str, Any], name: str) -> None:
    shown = repr(examples[name])
    assert name in shown
    assert "\n" not in shown
    assert len(shown) < MAX_REPR


def test_repr__tells_what_matters(examples: dict[str, Any]) -> None:
    answer = bs.Answer((bs.Prediction("3001", 0.932), bs.Prediction("3002", 0.05)), False)
    assert repr(answer) == "<Answer: 3001 93.2 %>"
    assert repr(replace(answer, is_unknown=True)) == "<Answer: unknown, perhaps 3001 93.2 %>"
    assert repr(bs.SplitConfig(group_by="(a)")) == "SplitConfig(group_by='(a)')"
    assert repr(bs.SplitConfig()) == "SplitConfig()"
    assert repr(examples["Predictor"]) == "<Predictor: 3 classes, model.tflite in litert>"
    assert repr(examples["Bundle"]) == "<Bundle: bundle, 3 classes>"


RESULTS = (
    "Answer",
    "CheckReport",
    "CrossValidationResult",
    "ExportedFile",
    "ModelEvaluation",
    "ObjectAnswer",
    "Prediction",
    "TrainingConfig",
    "TrainingResult",
)


@pytest.mark.parametrize("name", RESULTS)
def test_to_dict__holds_plain_values(examples: dict[str, Any], name: str) -> None:
    values = examples[name].to_dict()
    assert values
    assert json.loads(json.dumps(values, allow_nan=False)).keys() == values.keys()


def test_to_dict__of_a_training_is_its_metrics_file(examples: dict[str, Any]) -> None:
    result = examples["TrainingResult"]
    values = json.loads(json.dumps(result.to_dict()))
    assert Path(values.pop("bundle")) == result.bundle.path
    written = json.loads((result.bundle.path / "metrics.json").read_text(encoding="utf-8"))
    del values["seconds"], written["seconds"]  # measured on until the last file is written
    assert values == written


def test_to_dict__of_an_object_names_votes_and_unreadable_photos(examples: dict[str, Any]) -> None:
    values = examples["ObjectAnswer"].to_dict()
    assert values["votes"] == 1
    first, second = values["answers"]
    assert first["label"] == examples["Answer"].label
    assert set(second) == {"error"} and "not an image" in second["error"]
