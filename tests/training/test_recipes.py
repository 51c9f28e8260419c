"""Recipes, and how many epochs fit into a time."""

import dataclasses
import logging
from pathlib import Path

import pytest

from bricksight.config import FineTuneConfig
from bricksight.errors import ConfigError
from bricksight.finetuning import Stage, Trainer, TrainerOptions
from bricksight.finetuning.time_budget import (
    FEWEST_EPOCHS,
    Costs,
    EpochPlan,
    Work,
    measure_costs,
    plan_epochs,
)
from helpers.fine_tuning import TINY, batch_generator, image_set, keras_network, tune

COSTS = Costs(first_step=10, step=0.25, full_size_step=0.5)
WORK = Work(
    steps_per_epoch=40,
    extra_steps_per_epoch=0,
    full_size_share=0.25,
    num_validation=80,
    num_photos=1000,
    batch_size=32,
)


def planned(seconds: float, *, most: int = 40, extra: int = 12, work: Work = WORK) -> EpochPlan:
    return plan_epochs(seconds, COSTS, work, max_epochs=most, max_extra_epochs=extra)


def test_plan__takes_as_many_epochs_as_fit() -> None:
    plan = planned(400)
    assert plan.seconds <= 400
    # Three quarters at a quarter of a second a step, the rest at half a second.
    one_more = 40 * (0.75 * 0.25 + 0.25 * 0.5)
    assert plan.seconds + one_more > 400
    assert FEWEST_EPOCHS <= plan.epochs < 40


def test_plan__takes_no_more_than_the_recipe_and_none_where_they_are_too_few() -> None:
    assert planned(10_000).epochs == 40
    assert planned(10_000).seconds < 700
    assert planned(60).epochs == 0
    assert planned(60).seconds > 20  # what is gone without an epoch
    assert planned(10_000, most=2).epochs == 2


def test_plan__parts_the_time_with_the_extra_photos() -> None:
    work = dataclasses.replace(WORK, extra_steps_per_epoch=100)
    plan = planned(600, work=work)
    assert 0 < plan.extra_epochs < 12
    assert plan.epochs >= FEWEST_EPOCHS
    assert 0.3 * 600 < plan.extra_epochs * 100 * COSTS.step < 0.45 * 600
    assert plan.seconds <= 600
    assert planned(10_000, work=work).extra_epochs == 12


@pytest.mark.tf
def test_measure_costs__leaves_the_trainer_as_it_was() -> None:
    trainer = Trainer(keras_network(), 2, TrainerOptions())
    photos = batch_generator(image_set("red", "blue"))
    trainer.run(Stage(batch_generator=photos, epochs=1, size=32, rate=1e-2))
    before = trainer.get_weights()
    costs = measure_costs(trainer, photos, size=32, full_size=64)
    for one, other in zip(trainer.get_weights(), before, strict=True):
        assert (one == other).all()
    assert 0 < costs.step < costs.first_step
    assert costs.full_size_step == pytest.approx(4 * costs.step)


@pytest.mark.parametrize(
    ("config", "trains", "epochs"),
    [
        (FineTuneConfig(), False, None),
        (FineTuneConfig(recipe="fast"), False, None),
        (FineTuneConfig(recipe="balanced"), True, 40),
        (FineTuneConfig(recipe="best"), True, 100),
        (FineTuneConfig(recipe="best", fine_tune_epochs=7), True, 7),
        (FineTuneConfig(fine_tune=True), True, 40),
    ],
)
def test_recipes(config: FineTuneConfig, trains: bool, epochs: int | None) -> None:
    assert config.trains_network == trains
    resolved = config.resolved
    assert (resolved.fine_tune, resolved.fine_tune_epochs) == (trains, epochs)
    assert resolved.resolved == resolved


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5 h", 5400)])
def test_time_budget__is_read(text: str, seconds: float) -> None:
    assert FineTuneConfig(recipe="best", time_budget=text).budget_seconds == seconds


def test_time_budget__refuses_what_makes_no_sense() -> None:
    for text in ("10", "soon", "0m", "-3m", "5d"):
        with pytest.raises(ConfigError, match=r"--time_budget is '.*it must be a time such as"):
            FineTuneConfig(recipe="best", time_budget=text)
    with pytest.raises(ConfigError, match="Add --recipe balanced or --recipe best"):
        FineTuneConfig(time_budget="10m")
    with pytest.raises(
        ConfigError, match=r"--teacher model has no effect without fine-tuning\. Add .*--fine_tune"
    ):
        FineTuneConfig(teacher=Path("model"))
    with pytest.raises(ConfigError, match="--recipe fast trains the head only"):
        FineTuneConfig(recipe="fast", fine_tune=True)


@pytest.mark.tf
def test_retrain__within_a_long_time_trains_all_epochs(tmp_path: Path) -> None:
    result = tune(tmp_path, dataclasses.replace(TINY, time_budget="5h"))
    settings = result.bundle.manifest.settings["finetuning"]
    assert (settings["fine_tune"], settings["fine_tune_epochs"]) == (True, 30)
    assert result.bundle.manifest.settings["chosen"]["epochs"] == 30
    assert len(result.findings.trained.history.measurements) == 27
    assert "Timing a training step" in result.seconds


@pytest.mark.tf
def test_retrain__with_too_little_time_trains_the_layer_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = tune(tmp_path, dataclasses.replace(TINY, time_budget="1s"))
    assert "--time_budget 1s is too short for fine-tuning here" in caplog.text
    assert not result.bundle.manifest.backbone["title"].endswith("fine-tuned")
    assert ">Head</h" in (result.bundle.path / "report.html").read_text(encoding="utf-8")
    assert result.findings.test.accuracy is not None
