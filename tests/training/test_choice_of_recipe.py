"""The recipes keep the head alone where the network has learned less."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bricksight.config import FineTuneConfig, Recipe, TrainingConfig
from bricksight.errors import BackboneError
from bricksight.predict import Predictor
from bricksight.training import TrainingResult, train
from bricksight.training.recipes import FINE_TUNED, HEAD_ONLY
from helpers.fine_tuning import TINY
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import tiny_network, write_hub_module, write_keras_file
from helpers.tiny_bundle import SPLIT

BALANCED = replace(TINY, fine_tune=False, recipe="balanced")


def blind_network() -> Any:
    """Sees nothing, but can learn to: its features are constant, and their gradients are not 0."""
    network = tiny_network()
    *others, kernel, bias = network.get_weights()
    network.set_weights([*others, 0 * kernel, 0 * bias + 0.5])
    return network


def run(
    folder: Path, network: Any, tuning: FineTuneConfig, *, photos: Path | None = None
) -> TrainingResult:
    folder.mkdir(exist_ok=True)
    photos = photos or write_photo_folder(folder / "photos", per_class=12)
    reference = f"saved_model:{write_keras_file(folder / 'network.keras', network)}"
    config = TrainingConfig.of(image_dir=photos, backbone=reference, out=folder / "bundle")
    return train(replace(config, split=SPLIT, finetuning=tuning))


def losses_of(result: TrainingResult) -> dict[str, float]:
    found: dict[str, float] = result.findings.trained.choices["held_out_cross_entropy_by_training"]
    return found


@pytest.mark.tf
@pytest.mark.parametrize(
    ("network", "rate", "kept"),
    [(tiny_network, 1e-9, HEAD_ONLY), (blind_network, 1e-2, FINE_TUNED)],
)
def test_recipe__keeps_what_answers_validation_photos_better(
    tmp_path: Path, network: Any, rate: float, kept: str
) -> None:
    result = run(tmp_path, network(), replace(BALANCED, fine_tune_learning_rate=rate))
    losses = losses_of(result)
    assert min(losses, key=losses.__getitem__) == kept
    assert result.bundle.manifest.backbone["title"].endswith("fine-tuned") == (kept == FINE_TUNED)
    assert ("epochs" in result.findings.trained.choices) == (kept == FINE_TUNED)
    # What is exported, drawn and told is of what was kept.
    predictor, tested = Predictor(result.bundle.path), result.findings.data.in_split("test")
    answers = [predictor.predict(one.path).predictions[0].label for one in tested]
    right = sum(answer == one.label for answer, one in zip(answers, tested, strict=True))
    assert right / len(tested) == result.findings.test.accuracy
    assert right / len(tested) > 0.4
    assert list((result.bundle.path / "summaries" / "train").iterdir())
    assert result.findings.trained.history.measurements


@pytest.mark.tf
@pytest.mark.parametrize(("recipe", "trains"), [("balanced", False), ("best", True)])
def test_recipe__leaves_a_network_that_has_next_to_nothing_to_gain(
    tmp_path: Path, recipe: Recipe, trains: bool
) -> None:
    photos = write_photo_folder(tmp_path / "photos", per_class=60)
    (photos / "blue" / "photo_01.jpg").unlink()  # the grey one
    result = run(tmp_path, tiny_network(), replace(BALANCED, recipe=recipe), photos=photos)
    assert ("held_out_cross_entropy_by_training" in result.findings.trained.choices) == trains
    assert result.findings.test.accuracy == 1


@pytest.mark.tf
def test_recipe__trains_both_within_a_long_time_and_the_layer_alone_within_a_short_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = run(tmp_path / "long", blind_network(), replace(BALANCED, time_budget="5h"))
    assert "Timing a training step" in long.seconds
    assert long.findings.trained.choices["epochs"] == BALANCED.fine_tune_epochs
    assert set(losses_of(long)) == {HEAD_ONLY, FINE_TUNED}

    with caplog.at_level(logging.WARNING):
        short = run(tmp_path / "short", tiny_network(), replace(BALANCED, time_budget="1s"))
    assert "--time_budget 1s is too short for fine-tuning here" in caplog.text
    assert "epochs" not in short.findings.trained.choices
    assert list((short.bundle.path / "summaries" / "train").iterdir())


@pytest.mark.tf
def test_fine_tune__keeps_the_network_whatever_it_has_learned(tmp_path: Path) -> None:
    tuning = replace(TINY, fine_tune_learning_rate=1e-9, fine_tune_epochs=1)
    result = run(tmp_path, tiny_network(), tuning)
    assert result.bundle.manifest.backbone["title"].endswith("fine-tuned")
    assert "held_out_cross_entropy_by_training" not in result.findings.trained.choices


@pytest.mark.tf
def test_recipe__refuses_what_cannot_be_trained_before_any_work(tmp_path: Path) -> None:
    photos = write_photo_folder(tmp_path / "photos", per_class=12)
    backbone = write_hub_module(tmp_path / "hub")
    config = TrainingConfig.of(
        image_dir=photos, backbone=f"saved_model:{backbone}", out=tmp_path / "bundle"
    )
    with pytest.raises(BackboneError, match="graph of TensorFlow 1"):
        train(replace(config, split=SPLIT, finetuning=BALANCED))
    assert not (tmp_path / "bundle").exists()
