"""Answers that are the mean over turned copies of a photo: asked for, chosen, exported."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import frozen_graph, resolve, with_rotation_tta
from bricksight.bundle import Head, open_bundle
from bricksight.config import FineTuneConfig, TrainingConfig
from bricksight.formats import (
    FORMATS,
    Choices,
    ParityReference,
    Request,
    build_classifier,
    export_bundle,
)
from bricksight.formats.tflite import tflite
from bricksight.predict import Predictor
from bricksight.training import TrainingResult, train
from bricksight.training.augmentation_policy import select_tta
from bricksight.training.context import TrainingContext
from helpers.fine_tuning import TINY
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import noise, write_keras_file
from helpers.tiny_bundle import SPLIT
from helpers.training_context import context_of, featurized

pytestmark = pytest.mark.tf


def uneven_network() -> Any:
    """Two resolutions, padded on one side, so that a turned photo has other features."""
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(2)
    images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(images)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))


def run(folder: Path, *, tuning: FineTuneConfig | None = None, **settings: Any) -> TrainingResult:
    write_photo_folder(folder / "photos", per_class=12)
    network = write_keras_file(folder / "network.keras", uneven_network())
    config = TrainingConfig.of(
        image_dir=folder / "photos",
        backbone=f"saved_model:{network}@scales=2",
        out=folder / "bundle",
        **settings,
    )
    return train(replace(config, split=SPLIT, finetuning=tuning or FineTuneConfig()))


@pytest.fixture(scope="module")
def turned_run(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    folder = tmp_path_factory.mktemp("turned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(folder / "cache"))
        return run(folder, tta=4)


def answer(predictor: Predictor, picture: Image.Image, folder: Path) -> np.ndarray:
    path = folder / "picture.png"
    picture.save(path)
    found = {one.label: one.probability for one in predictor.predict(path, top_k=3).predictions}
    return np.array([found[label] for label in predictor.labels])


def test_rotation_tta__answers_are_the_same_however_a_photo_lies(
    turned_run: TrainingResult, tmp_path: Path
) -> None:
    predictor = Predictor(turned_run.bundle.path)
    photo = Image.open(turned_run.findings.data.examples[0].path).convert("RGB").resize((32, 32))
    upright = answer(predictor, photo, tmp_path)
    for quarter in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180):
        np.testing.assert_allclose(
            answer(predictor, photo.transpose(quarter), tmp_path), upright, atol=1e-5
        )
    mirrored = answer(predictor, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), tmp_path)
    assert np.abs(mirrored - upright).max() > 1e-4


def test_rotation_tta__are_told(turned_run: TrainingResult) -> None:
    manifest = turned_run.bundle.manifest
    assert manifest.backbone["title"].endswith(", 2 scales, 4 rotations")
    assert manifest.settings["chosen"]["tta"] == 4
    assert manifest.settings["chosen"]["num_scales"] == 2
    assert manifest.settings["backbone"]["tta"] == 4


@pytest.mark.parametrize("format_name", sorted(set(FORMATS) - {"jetson"}))  # it is an ONNX file
def test_rotation_tta__every_format_gives_the_same_answers(
    turned_run: TrainingResult, tmp_path: Path, format_name: str
) -> None:
    bundle = open_bundle(turned_run.bundle.path)
    out = tmp_path / FORMATS[format_name].file_name
    assert export_bundle(bundle, format_name, out=out).agreement.largest_difference < 1e-4


@pytest.mark.parametrize(
    ("format_name", "choices"),
    [
        ("onnx", Choices(batch="dynamic")),
        ("onnx", Choices(layout="nhwc")),
        ("tflite", Choices(precision="int8")),
        ("openvino", Choices(batch="dynamic")),
    ],
)
def test_rotation_tta__further_choices_of_a_format(
    turned_run: TrainingResult, tmp_path: Path, format_name: str, choices: Choices
) -> None:
    bundle = open_bundle(turned_run.bundle.path)
    out = tmp_path / FORMATS[format_name].file_name
    found = export_bundle(bundle, format_name, choices=choices, out=out)
    assert found.agreement.top1_agreement > 0.9


def test_rotation_tta__int8_keeps_the_range_of_images() -> None:
    """The network begins by a factor of 255, whose range an image must not get."""
    backbone = with_rotation_tta(resolve("packaged:mobilenet_v2_bricks@size=64"), 4)
    head = Head(kernel=np.zeros((1280, 2), "f4"), bias=np.zeros(2, "f4"))
    reference = ParityReference(
        photos=[], probabilities=np.empty(0), labels=("one", "other"), spec=backbone.input_spec
    )
    photos = partial(noise, size=64)
    request = Request(reference=reference, precision="int8", io="uint8", calibration=photos)
    content = tflite.convert(build_classifier(frozen_graph(backbone), head), request)
    (entrance,) = Interpreter(model_content=content).get_input_details()
    assert entrance["quantization"] == (pytest.approx(1 / 255, rel=0.01), 0)


def halves(folder: Path, *, by_place: bool) -> Path:
    """Photos that are brighter above or below; a class is that, or how bright both are together."""
    rng = np.random.default_rng(0)
    for label, sign in (("one", 1), ("other", -1)):
        for number in range(20):
            more = sign * int(rng.integers(30, 60)) if by_place else int(rng.integers(-40, 40))
            level = 70 if by_place else 70 + 10 * sign
            pixels = np.full((32, 32, 3), level - more, np.uint8)
            pixels[:16] = level + more
            path = folder / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder


def context_of_halves(folder: Path, *, by_place: bool) -> TrainingContext:
    """Photos for a network that sees nothing of what is below."""
    layers = require_tensorflow().keras.layers
    images = layers.Input((32, 32, 3))
    above = layers.GlobalAveragePooling2D()(layers.Cropping2D(((0, 16), (0, 0)))(images))
    network = require_tensorflow().keras.Model(images, above)
    return context_of(
        image_dir=halves(folder / "photos", by_place=by_place),
        backbone=f"saved_model:{write_keras_file(folder / 'net.keras', network)}",
        split=SPLIT,
        recipe="best",
    )


@pytest.mark.parametrize(("by_place", "chosen"), [(False, 4), (True, 1)])
def test_select_tta__takes_them_where_they_help(
    tmp_path: Path, *, by_place: bool, chosen: int
) -> None:
    context = context_of_halves(tmp_path, by_place=by_place)
    photos = featurized(context)
    found, losses = select_tta(photos, [], context)
    assert found.backbone.num_rotations == chosen
    assert min(losses, key=losses.__getitem__) == str(chosen)
    assert np.array_equal(found.features, photos.features) == (chosen == 1)
    config = replace(context.config, finetuning=FineTuneConfig())
    unasked, none = select_tta(photos, [], replace(context, config=config))
    assert (unasked, none) == (photos, {})


def test_rotation_tta__of_a_network_that_is_trained(tmp_path: Path) -> None:
    """Its answers to validation photos, by which it is cooled and compared, are of turned ones."""
    result = run(tmp_path, tuning=replace(TINY, patience=3), tta=4)
    findings = result.findings
    assert findings.compiled.backbone.title.endswith("fine-tuned, 4 rotations")
    assert findings.trained.choices["tta"] == 4
    predictor = Predictor(result.bundle.path)
    validation = findings.data.in_split("validation")
    answers = [answer(predictor, Image.open(one.path), tmp_path) for one in validation]
    np.testing.assert_allclose(np.stack(answers), findings.trained.held_out, atol=1e-4)


def test_rotation_tta__the_best_recipe_chooses(tmp_path: Path) -> None:
    tuning = replace(TINY, fine_tune=False, recipe="best", fine_tune_epochs=2)
    chosen = run(tmp_path, tuning=tuning).findings.trained.choices
    losses = chosen["held_out_cross_entropy_by_tta"]
    assert set(losses) == {"1", "4"}
    assert str(chosen["tta"]) == min(losses, key=losses.__getitem__)
