"""The functions of ``import bricksight as bs``."""

import ast
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bricksight as bs
from bricksight.training import TrainingResult
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import tiny_network, write_saved_model

FUNCTIONS = (bs.train, bs.load, bs.evaluate, bs.cross_validate, bs.export, bs.check)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions__every_argument_is_described(function: object) -> None:
    text = inspect.getdoc(function) or ""
    for name in inspect.signature(function).parameters:  # type: ignore[arg-type]
        assert f"{name}: " in text, name


@pytest.mark.tf
def test_train_and_evaluate__strings_in_plain_values_out(tmp_path: Path) -> None:
    photos = str(write_photo_folder(tmp_path / "photos", per_class=12))
    network = write_saved_model(tmp_path / "tiny", tiny_network())
    result = bs.train(
        photos, out=str(tmp_path / "model"), backbone=f"saved_model:{network}", head="lda"
    )
    assert result.bundle.path == tmp_path / "model"
    model = bs.load(str(tmp_path / "model"))
    assert repr(model).startswith("<Predictor: 3 classes, ")
    measured = bs.evaluate(model, photos)
    assert measured.accuracy is not None
    assert measured.num_trained_on == 36 - len(result.findings.data.in_split("test"))
    assert json.loads(json.dumps(measured.to_dict()))["accuracy"] == measured.accuracy
    held_out = bs.evaluate(str(tmp_path / "model"), photos, split="test")
    assert held_out.num_trained_on == 0
    assert held_out.evaluation.num_images == len(result.findings.data.in_split("test"))


def test_load__answers_photos_of_any_kind(tiny_run: TrainingResult) -> None:
    model = bs.load(tiny_run.bundle.path)
    path = tiny_run.findings.data.examples[0].path
    with Image.open(path) as image:
        answers = [
            model.predict(photo)
            for photo in (str(path), path.read_bytes(), image, np.asarray(image))
        ]
    assert len({answer.label for answer in answers}) == 1
    plain = answers[0].to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["predictions"][0]["label"] == answers[0].predictions[0].label


@pytest.mark.tf
def test_export__what_was_loaded(tiny_run: TrainingResult, tmp_path: Path) -> None:
    out = tmp_path / "model.pb"
    written = bs.export(bs.load(tiny_run.bundle.path), "frozen_graph", out=str(out))
    assert written.path == out
    assert written.agreement.top1_agreement == 1
    with pytest.raises(bs.ConfigError, match="--layout is 'nchw' for the format frozen_graph"):
        bs.export(tiny_run.bundle, "frozen_graph", layout="nchw")


def test_check__by_name(tmp_path: Path) -> None:
    photos = write_photo_folder(tmp_path / "photos", per_class=4)
    assert len(bs.check(str(photos)).dataset.examples) == 12
    with pytest.raises(bs.ConfigError, match=r"SplitConfig has no setting groups.*group_by"):
        bs.check(photos, groups="x")
    split = bs.SplitConfig(testing_percentage=50)
    assert sum(one.test for one in bs.check(photos, split=split).classes) == 6
    with pytest.raises(bs.ConfigError, match="group_by is given beside a SplitConfig"):
        bs.check(photos, split=split, group_by="x")


def test_evaluate__settings_that_do_not_fit(tiny_run: TrainingResult, tmp_path: Path) -> None:
    folder = tiny_run.bundle.path
    with pytest.raises(bs.ConfigError, match=r"SplitConfig has no setting groups.*group_by"):
        bs.evaluate(folder, tmp_path, groups="x")
    with pytest.raises(bs.ConfigError, match="the model is loaded already"):
        bs.evaluate(bs.load(folder), tmp_path, runtime="litert")


def test_train__settings_beside_a_configuration(tmp_path: Path) -> None:
    config = bs.TrainingConfig.of(tmp_path)
    with pytest.raises(bs.ConfigError, match="seed is given beside a TrainingConfig"):
        bs.train(config, seed=3)
    with pytest.raises(
        bs.ConfigError, match="recipee is not a setting of the training\\. Did you mean recipe"
    ):
        bs.cross_validate(tmp_path, recipee="best")


def test_docs__name_what_there_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tutorials" / "python.md").read_text(
        encoding="utf-8"
    )
    named = set(re.findall(r"\bbs\.(\w+)", page))
    assert {"train", "load"} < named <= set(bs.__all__)
    call = re.search(r"^result = (bs\.train\(.*\))$", page, re.MULTILINE)
    assert call is not None
    settings = ast.parse(call[1], mode="eval").body.keywords  # type: ignore[attr-defined]
    bs.TrainingConfig.of("photos", **{one.arg: ast.literal_eval(one.value) for one in settings})
