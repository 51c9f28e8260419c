"""Training of a network that is interrupted, stopped early, or shown mixed views."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight._support.progress import ProgressEvent
from bricksight.config import AugmentConfig, FineTuneConfig, InputSpec, SplitConfig, TrainingConfig
from bricksight.errors import ConfigError
from bricksight.finetuning import BatchGenerator, ImageSet
from bricksight.training import TrainingResult, train
from helpers.photos import draw, write_photo_folder
from helpers.tensorboard_events import read_events
from helpers.tiny_backbones import write_keras_file, write_reusable_saved_model
from helpers.tiny_bundle import SPLIT, model_files

TINY = FineTuneConfig(
    fine_tune=True,
    fine_tune_epochs=10,
    fine_tune_size=32,
    fine_tune_learning_rate=1e-2,
    fine_tune_batch_size=8,
    fine_tune_extra_epochs=2,
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("bricksight.finetuning.checkpoint._SECONDS_BETWEEN", 0.0)


class Interrupting:
    """A reporter that interrupts the training of the network after so many steps."""

    def __init__(self, after: int | None = None) -> None:
        self.steps = self._done = 0
        self._after = after

    def __call__(self, event: ProgressEvent) -> None:
        # An event without a further item tells a metric.
        if event.kind == "advanced" and event.stage == "Training the backbone":
            done, self._done = event.done - self._done, event.done
            self.steps += done
            if done and self.steps == self._after:
                raise KeyboardInterrupt


def network() -> Any:
    """With dropout, whose random state has to go on too."""
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(3)
    images = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(images)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.2, seed=5)(keras.layers.Conv2D(12, 1, activation="relu")(x))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))


def tune(
    folder: Path,
    out: str,
    plan: FineTuneConfig = TINY,
    *,
    split: SplitConfig = SPLIT,
    reporter: Interrupting | None = None,
    **settings: Any,
) -> TrainingResult:
    if not (folder / "photos").exists():
        write_photo_folder(folder / "photos", per_class=12)
        write_keras_file(folder / "network.keras", network())
    config = TrainingConfig.of(
        **{
            "image_dir": folder / "photos",
            "backbone": f"saved_model:{folder / 'network.keras'}",
            "out": folder / out,
            **settings,
        }
    )
    return train(replace(config, split=split, finetuning=plan), reporter=reporter)


def assert_equal(found: TrainingResult, expected: TrainingResult) -> None:
    """Bit by bit."""
    ours, other = found.findings, expected.findings
    assert ours.compiled.backbone.fingerprint == other.compiled.backbone.fingerprint
    np.testing.assert_array_equal(ours.trained.head.kernel, other.trained.head.kernel)
    np.testing.assert_array_equal(ours.trained.head.bias, other.trained.head.bias)
    np.testing.assert_array_equal(ours.trained.held_out, other.trained.held_out)
    assert ours.trained.history == other.trained.history
    files = model_files(found)
    assert len(files) >= 6
    assert [name for name, content in model_files(expected).items() if files[name] != content] == []


def write_renders(folder: Path) -> Path:
    for seed in range(8):
        for label in ("red", "blue", "green"):
            path = folder / label / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(label, 500 + seed).save(path)
    return folder


@pytest.mark.tf
def test_resume__gives_the_network_of_an_uninterrupted_run(tmp_path: Path) -> None:
    """Interrupted in each part: of renders, of small images, of large ones, of all photos."""
    settings = {
        "extra_train_dir": write_renders(tmp_path / "renders"),
        "checkpoint_path": tmp_path / "kept" / "checkpoint",
    }
    plan = replace(TINY, mixup=0.2, cutmix=1.0)
    whole_reporter = Interrupting()
    whole = tune(tmp_path, "whole", plan, reporter=whole_reporter, **settings)
    assert whole.findings.trained.choices["resumed_at_step"] is None
    (kept,) = (tmp_path / "cache" / "tuned").iterdir()
    kept.unlink()
    done = 0
    num_steps = whole_reporter.steps
    for after in (5, 12, num_steps - 14, num_steps - 2):
        reporter = Interrupting(after - done)
        with pytest.raises(KeyboardInterrupt):
            tune(tmp_path, "bundle", plan, reporter=reporter, resume=done > 0, **settings)
        assert reporter.steps == after - done
        done = _steps_kept(tmp_path / "kept" / "checkpoint.npz", first=6)
        assert 0 < done < after
    reporter = Interrupting()
    resumed = tune(tmp_path, "bundle", plan, reporter=reporter, resume=True, **settings)
    assert reporter.steps == num_steps - done
    assert resumed.findings.trained.choices["resumed_at_step"] == done - 6
    assert_equal(resumed, whole)
    events = read_events(resumed.bundle.path / "summaries" / "validation")
    steps = [one.step for one in whole.findings.trained.history.measurements]
    assert [one.step for one in events.Scalars("accuracy")] == steps
    assert list((tmp_path / "kept").iterdir()) == []


def _steps_kept(path: Path, *, first: int) -> int:
    """Returns the steps that the checkpoint has, the ``first`` ones of the extra photos too."""
    with np.load(path) as state:
        progress = json.loads(str(state["described"]))["state"]
    return progress["steps_before"] + progress["step"] + (first if progress["phase"] else 0)


@pytest.mark.tf
def test_resume__of_a_saved_model_that_stops_early(tmp_path: Path) -> None:
    graph = write_reusable_saved_model(tmp_path / "graph")
    settings = {"backbone": f"saved_model:{graph}"}
    plan = replace(TINY, patience=3)
    whole = tune(tmp_path, "whole", plan, **settings)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, "bundle", plan, reporter=Interrupting(15), **settings)
    resumed = tune(tmp_path, "bundle", plan, resume=True, **settings)
    assert resumed.findings.trained.choices["resumed_at_step"] > 0
    assert_equal(resumed, whole)


@pytest.mark.tf
def test_resume__other_settings_begin_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, "bundle", reporter=Interrupting(9), checkpoint_path=checkpoint)
    other = replace(TINY, fine_tune_epochs=3)
    again = tune(tmp_path, "bundle", other, checkpoint_path=checkpoint, resume=True)
    assert f"There is nothing to resume: {checkpoint}.npz" in caplog.text
    assert again.findings.trained.choices["resumed_at_step"] is None


@pytest.mark.tf
def test_early_stopping__keeps_the_best_step(tmp_path: Path) -> None:
    """At this rate the network gets worse again, and the last step is not the best one."""
    plan = replace(TINY, fine_tune_epochs=60, fine_tune_learning_rate=0.3, patience=2)
    result = tune(tmp_path, "bundle", plan)
    trained, data = result.findings.trained, result.findings.data
    losses = {one.step: one.validation_cross_entropy for one in trained.history.measurements}
    best = min(losses, key=lambda step: losses[step])  # type: ignore[arg-type, return-value]
    assert trained.history.best_step == best < max(losses)
    assert len(losses) < 60
    assert trained.choices["fitted_to"] == "training"
    # What is kept gives that loss, before its temperature.
    logits = np.log(trained.held_out) * trained.choices["temperature"]
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = data.label_indices(data.in_split("validation"))
    found = -logits[np.arange(len(labels)), labels].mean()
    assert found == pytest.approx(losses[best], rel=1e-3)


@pytest.mark.tf
def test_early_stopping__needs_validation_photos(tmp_path: Path) -> None:
    split = SplitConfig(testing_percentage=20, validation_percentage=0)
    with pytest.raises(ConfigError, match=r"--patience 3 needs validation photos"):
        tune(tmp_path, "bundle", replace(TINY, patience=3), split=split)


# Mixed views.

SPEC = InputSpec(height=20, width=30)


def black_and_white(**settings: Any) -> BatchGenerator:
    """Black photos of class 0 and white ones of class 1: the mean says how much is of which."""
    pixels = [np.full((20, 30, 3), value, np.uint8) for value in (0, 255) for _ in range(8)]
    photos = ImageSet(pixels=pixels, labels=np.repeat([0, 1], 8))
    return BatchGenerator(
        photos=photos, augments=(AugmentConfig(),), batch_size=16, seed=0, **settings
    )


@pytest.mark.parametrize("settings", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1}])
def test_mixture__labels_say_what_is_in_the_views(settings: dict[str, float]) -> None:
    batch_generator = black_and_white(**settings)
    shares, blended = set(), set()
    for step in range(30):
        batch = batch_generator.batch(step, SPEC)
        white = batch.share * batch.labels + (1 - batch.share) * batch.other_labels
        np.testing.assert_allclose(batch.images.mean(axis=(1, 2, 3)), white, atol=1e-5)
        assert 0.5 <= batch.share <= 1
        shares.add(batch.share)
        inner = (batch.images > 0.01) & (batch.images < 0.99)
        if (batch.labels != batch.other_labels).any() and 0.5 < batch.share < 0.99:
            blended.add(bool(inner.any()))
    assert len(shares) > 15
    expected = {bool(settings.get("mixup"))} if len(settings) == 1 else {False, True}
    assert blended == expected


def test_mixture__the_teacher_answers_the_mixed_views() -> None:
    def teacher(views: np.ndarray) -> np.ndarray:
        white = views.mean(axis=(1, 2, 3))
        return np.stack([1 - white, white], axis=1)

    batch = black_and_white(mixup=1.0, teacher=teacher).batch(0, SPEC)
    assert batch.answers is not None
    np.testing.assert_array_equal(batch.answers, teacher(batch.images))
    assert ((batch.answers > 0.01) & (batch.answers < 0.99)).any()


def test_mixture__without_mixing_is_as_it_was() -> None:
    batch = black_and_white().batch(0, SPEC)
    np.testing.assert_array_equal(batch.labels, batch.other_labels)
    assert batch.share == 1
    assert set(np.unique(batch.images)) == {0, 1}


@pytest.mark.tf
def test_retrain__learns_from_mixed_views(tmp_path: Path) -> None:
    plan = replace(TINY, fine_tune_epochs=30, mixup=0.2, cutmix=1.0)
    result = tune(tmp_path, "bundle", plan)
    assert result.findings.test.accuracy is not None
    assert result.findings.test.accuracy > 0.8
