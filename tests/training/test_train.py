"""The road from photos to a bundle, on a network of a few hundred weights."""

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bricksight._support.optional import require_tensorflow
from bricksight._support.progress import ProgressEvent
from bricksight.bundle import open_bundle
from bricksight.cli._result import result_json
from bricksight.config import AugmentConfig, HeadConfig, RandomFlip, SplitConfig, TrainingConfig
from bricksight.errors import (
    BricksightError,
    BundleError,
    ConfigError,
    DataError,
    ExportError,
    OutputError,
)
from bricksight.evaluation import evaluate, warnings_of
from bricksight.features import list_entries
from bricksight.heads import BOLDEST_POLICY, POLICIES, HeadChoice
from bricksight.predict import Predictor
from bricksight.training import TrainingResult, train
from helpers.photos import draw, write_photo_folder
from helpers.tensorboard_events import read_events
from helpers.tiny_backbones import write_keras_file
from helpers.tiny_bundle import SPLIT, STEPS, model_files, train_tiny

pytestmark = pytest.mark.tf

FEW_STEPS = dataclasses.replace(STEPS, how_many_training_steps=20)
RECIPE = HeadConfig()


class Notes:
    """A reporter that keeps the stages, and calls back for each item of the training."""

    def __init__(self, on_step: Callable[[int], None] = lambda _: None) -> None:
        self.stages: list[str] = []
        self.said: list[str] = []
        self.steps = 0
        self._on_step = on_step

    def __call__(self, event: ProgressEvent) -> None:
        if event.kind == "started":
            self.stages.append(event.stage)
        elif event.kind == "message":
            self.said.append(event.message)
        elif event.kind == "advanced" and event.stage == "Training by gradient descent":
            self._on_step(self.steps)
            self.steps += 1


def again(run: TrainingResult, out: Path, **changes: Any) -> TrainingResult:
    """The photos and the network of ``run`` once more, with other settings."""
    head, augment, split = (
        changes.pop(name, default)
        for name, default in (("head", STEPS), ("augment", AugmentConfig()), ("split", SPLIT))
    )
    reporter = changes.pop("reporter", None)
    settings = {
        "image_dir": run.findings.data.image_dir,
        "backbone": run.findings.compiled.backbone.reference,
        "rejection_rate": run.findings.settings["data"]["rejection_rate"],
        "out": out,
        **changes,
    }
    config = TrainingConfig.of(**settings)
    return train(replace(config, split=split, head=head, augmentation=augment), reporter=reporter)


def metrics_of(run: TrainingResult) -> dict[str, Any]:
    """metrics.json without what differs from run to run."""
    content = json.loads((run.bundle.path / "metrics.json").read_text(encoding="utf-8"))
    return {name: content[name] for name in ("test", "validation", "unknown_threshold", "history")}


def head_of(run: TrainingResult) -> np.ndarray:
    with np.load(run.bundle.path / "head.npz", allow_pickle=False) as arrays:
        return np.vstack([arrays["kernel"], arrays["bias"]])


def assert_equal_runs(one: TrainingResult, other: TrainingResult) -> None:
    np.testing.assert_array_equal(head_of(one), head_of(other))
    files = model_files(one)
    assert [name for name, content in model_files(other).items() if files[name] != content] == []
    assert metrics_of(one) == metrics_of(other)


# The bundle.


def test_bundle__holds_every_file(tiny_run: TrainingResult) -> None:
    folder = tiny_run.bundle.path
    for name in ("output_graph.pb", "model.tflite", "report.html", "metrics.json", "head.npz"):
        assert (folder / name).stat().st_size > 500, name
    assert (folder / "saved_model" / "saved_model.pb").is_file()
    for side in ("train", "validation"):
        assert len(list((folder / "summaries" / side).glob("events.out.tfevents.*"))) == 1
    assert (folder / "output_labels.txt").read_bytes() == b"blue\ngreen\nred\n"
    on_disk = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {"manifest.json"}
    assert on_disk == set(tiny_run.bundle.manifest.files)


def test_bundle__nothing_is_left_beside_it(tiny_run: TrainingResult) -> None:
    hidden = [path.name for path in tiny_run.bundle.path.parent.iterdir() if path.name[0] == "."]
    assert hidden == []


def test_bundle__can_be_read_by_others(tiny_run: TrainingResult) -> None:
    """It is made in a temporary folder, which only its owner may enter."""
    assert tiny_run.bundle.path.stat().st_mode & 0o055 == 0o055


def test_manifest__says_what_was_trained_and_how(tiny_run: TrainingResult) -> None:
    manifest = tiny_run.bundle.manifest
    assert manifest.labels == ("blue", "green", "red")
    assert manifest.backbone["reference"].startswith("saved_model:")
    assert manifest.backbone["runtime"] == "litert"
    assert manifest.settings["head"]["how_many_training_steps"] == 300
    assert manifest.settings["split"] == dataclasses.asdict(SPLIT)
    groups = {one.name for one in dataclasses.fields(TrainingConfig)} | {"chosen"}
    assert set(manifest.settings) == groups
    counts = manifest.data["num_photos"]
    assert [sum(of_class.values()) for of_class in counts.values()] == [12, 12, 12]
    assert all(min(of_class.values()) > 0 for of_class in counts.values())
    assert manifest.unknown_threshold == tiny_run.findings.unknown_threshold
    assert manifest.metrics["accuracy"] == tiny_run.findings.test.accuracy


def test_metrics_json__keys_and_figures(tiny_run: TrainingResult) -> None:
    content = json.loads((tiny_run.bundle.path / "metrics.json").read_text(encoding="utf-8"))
    assert set(content) == {
        "test",
        "validation",
        "warnings",
        "unknown_threshold",
        "known_rejected",
        "outliers_rejected",
        "history",
        "seconds",
        "versions",
    }
    counts = tiny_run.bundle.manifest.data["num_photos"].values()
    for side, split in (("test", "test"), ("validation", "validation")):
        assert content[side]["num_images"] == sum(of_class[split] for of_class in counts)
        assert 0 <= content[side]["accuracy"] <= 1
    assert content["history"]["best_step"] == 300
    steps = [one["step"] for one in content["history"]["measurements"]]
    assert steps == [*range(0, 300, 10), 299]
    assert {"bricksight", "Python", "tensorflow", "numpy"} <= set(content["versions"])
    seconds = content["seconds"]
    assert {"Reading photos", "Training the head", "Writing files", "Writing the report"} < set(
        seconds
    )
    total = seconds.pop("Total")
    assert sum(seconds.values()) <= total <= tiny_run.seconds["Total"]


def test_photos_csv__holds_every_photo_with_its_side(tiny_run: TrainingResult) -> None:
    with (tiny_run.bundle.path / "photos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [dataclasses.asdict(example) for example in tiny_run.findings.data.examples]
    for row, example in zip(rows, expected, strict=True):
        assert row.pop("path") == example["relative_path"]
        assert row == {name: example[name] for name in row}
    assert list(rows[0]) == ["label", "split", "group", "sha256"]


def test_warnings__are_in_the_manifest_and_the_metrics(tiny_run: TrainingResult) -> None:
    said = [dataclasses.asdict(warning) for warning in tiny_run.findings.warnings]
    for warning in said:
        warning["paths"] = list(warning["paths"])
    assert "small_test" in [warning["kind"] for warning in said]
    assert json.loads((tiny_run.bundle.path / "metrics.json").read_text())["warnings"] == said
    assert tiny_run.bundle.manifest.metrics["warnings"] == said
    assert result_json(tiny_run)["warnings"] == list(
        map(dataclasses.asdict, tiny_run.findings.warnings)
    )


def test_result__learnt_more_than_chance(tiny_run: TrainingResult) -> None:
    measured = tiny_run.findings.trained.history.measurements
    assert measured[-1].train_cross_entropy < 0.8 * measured[0].train_cross_entropy
    assert tiny_run.findings.test.accuracy > 0.5


def test_report__tells_of_this_run(tiny_run: TrainingResult) -> None:
    page = (tiny_run.bundle.path / "report.html").read_text(encoding="utf-8")
    for text in ("blue", "green", "red", tiny_run.findings.compiled.backbone.reference):
        assert text in page


# The flags that write beside the bundle; they change nothing about the model.


@dataclasses.dataclass(frozen=True)
class FlagRun:
    result: TrainingResult
    folder: Path


@pytest.fixture(scope="module")
def flag_run(tmp_path_factory: pytest.TempPathFactory, tiny_run: TrainingResult) -> FlagRun:
    """The same photos, network and seed elsewhere, with every flag that names a place."""
    folder = tmp_path_factory.mktemp("flags")
    shutil.copytree(tiny_run.findings.data.image_dir, folder / "photos")
    (folder / "logs" / "earlier").mkdir(parents=True)
    (folder / "logs" / "earlier" / "notes.txt").write_text("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(folder / "cache"))
        result = train_tiny(
            folder,
            out=folder / "model",
            feature_cache_dir=folder / "bottleneck",
            output_graph=folder / "deep" / "graph.pb",
            output_labels=folder / "deep" / "labels.txt",
            saved_model_dir=folder / "saved",
            summaries_dir=folder / "logs",
            intermediate_store_frequency=120,
            intermediate_output_graphs_dir=folder / "intermediate",
        )
    return FlagRun(result, folder)


def test_retrain__one_seed_one_model(tiny_run: TrainingResult, flag_run: FlagRun) -> None:
    assert_equal_runs(tiny_run, flag_run.result)


def test_bottleneck_dir__holds_the_features(flag_run: FlagRun) -> None:
    (entry,) = list_entries(flag_run.folder / "bottleneck" / "features.sqlite")
    assert entry.num_views == 36
    assert not (flag_run.folder / "cache" / "features.sqlite").exists()


def test_output_files__are_those_of_the_bundle(flag_run: FlagRun) -> None:
    folder, bundle = flag_run.folder, flag_run.result.bundle.path
    assert (folder / "deep" / "graph.pb").read_bytes() == (bundle / "output_graph.pb").read_bytes()
    assert (folder / "deep" / "labels.txt").read_text() == "blue\ngreen\nred\n"
    assert sorted(path.name for path in (folder / "deep").iterdir()) == ["graph.pb", "labels.txt"]
    model = require_tensorflow().saved_model.load(str(folder / "saved"))
    assert sorted(model.signatures) == ["serving_array", "serving_bytes", "serving_default"]


def test_summaries_dir__gets_a_folder_of_the_run_and_keeps_the_others(flag_run: FlagRun) -> None:
    logs = flag_run.folder / "logs"
    assert sorted(path.name for path in logs.iterdir()) == ["earlier", "model"]
    assert (logs / "earlier" / "notes.txt").read_text() == "kept"
    assert not (flag_run.result.bundle.path / "summaries").exists()


@pytest.mark.parametrize("side", ["train", "validation"])
def test_summaries__tensorboard_reads_the_scalars(flag_run: FlagRun, side: str) -> None:
    events = read_events(flag_run.folder / "logs" / "model" / side)
    measured = flag_run.result.findings.trained.history.measurements
    for tag in ("accuracy", "cross_entropy"):
        values = events.Scalars(tag)
        assert [one.step for one in values] == [one.step for one in measured]
        expected = [getattr(one, f"{side}_{tag}") for one in measured]
        np.testing.assert_allclose([one.value for one in values], expected, rtol=1e-5)


def test_summaries__tensorboard_reads_the_weights(flag_run: FlagRun) -> None:
    events = read_events(flag_run.folder / "logs" / "model" / "train")
    head = flag_run.result.findings.trained.head
    for name, array in (("weights", head.kernel), ("biases", head.bias)):
        tag = f"final_retrain_ops/{name}/summaries"
        last = events.Histograms(f"{tag}/histogram")[-1]
        assert last.step == 299
        histogram = last.histogram_value
        assert histogram.num == sum(histogram.bucket) == array.size
        assert histogram.min == pytest.approx(array.min())
        assert histogram.max == pytest.approx(array.max())
        assert histogram.sum == pytest.approx(array.sum(), abs=1e-4)
        assert events.Scalars(f"{tag}/mean")[-1].value == pytest.approx(array.mean(), abs=1e-5)


def test_intermediate_graphs__are_written_at_their_steps_and_run(flag_run: FlagRun) -> None:
    folder = flag_run.folder / "intermediate"
    assert sorted(path.name for path in folder.iterdir()) == [
        "intermediate_120.pb",
        "intermediate_240.pb",
    ]
    labels = flag_run.result.bundle.path / "output_labels.txt"
    photo = flag_run.result.findings.data.examples[0].path
    answers = [
        Predictor.from_graph(path, labels).predict(photo).predictions[0].probability
        for path in (
            folder / "intermediate_120.pb",
            folder / "intermediate_240.pb",
            flag_run.result.bundle.path / "output_graph.pb",
        )
    ]
    assert len(set(answers)) == 3


def test_intermediate_graphs__an_iteration_of_the_recipe_is_a_step(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    folder = tmp_path / "intermediate"
    run = again(
        tiny_run,
        tmp_path / "bundle",
        head=dataclasses.replace(RECIPE, augmented_copies=0, head="softmax"),
        intermediate_store_frequency=6,
        intermediate_output_graphs_dir=folder,
    )
    last = run.findings.trained.history.measurements[-1].step
    expected = {f"intermediate_{step}.pb" for step in range(6, last + 1, 6)}
    assert expected
    assert {path.name for path in folder.iterdir()} == expected


def test_summaries_dir__two_runs_of_one_name_do_not_share_a_folder(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    """Two curves in one folder are drawn by TensorBoard as one zigzag."""
    logs = tmp_path / "logs"
    for place in ("here", "there"):
        again(tiny_run, tmp_path / place / "model", head=FEW_STEPS, summaries_dir=logs)
    events = list(logs.rglob("train/events.out.tfevents.*"))
    assert len(events) == 2
    assert len({path.parent for path in events}) == 2


# Seeds, batches, splits.


def test_retrain__another_seed_another_model(tiny_run: TrainingResult, tmp_path: Path) -> None:
    """And --test_batch_size takes so many photos, --final_tensor_name names the output."""
    other = again(
        tiny_run,
        tmp_path / "model",
        head=dataclasses.replace(STEPS, seed=1),
        test_batch_size=2,
        final_tensor_name="answer",
    )
    assert not np.array_equal(head_of(other), head_of(tiny_run))
    assert other.findings.test.num_images == 2
    assert tiny_run.findings.test.num_images > 2
    photo = tiny_run.findings.data.examples[0].path
    files = other.bundle.path / "output_graph.pb", other.bundle.path / "output_labels.txt"
    named = Predictor.from_graph(*files, output_layer="answer").predict(photo)
    assert named.predictions[0].probability == pytest.approx(
        Predictor(other.bundle.path).predict(photo).predictions[0].probability, abs=1e-5
    )
    of_bundle = Predictor(other.bundle.path, runtime="tensorflow").predict(photo)
    assert of_bundle == named


@pytest.mark.parametrize(("num_photos", "said"), [(30, True), (2000, False), (0, False)])
def test_small_test__is_said_where_models_cannot_be_told_apart(num_photos: int, said: bool) -> None:
    labels = np.arange(num_photos) % 2
    probabilities = np.eye(2, dtype=np.float32)[labels]
    probabilities[::4] = probabilities[::4, ::-1]
    test = evaluate(
        probabilities, labels, labels=["a", "b"], paths=[f"{row}.jpg" for row in range(num_photos)]
    )
    problems = warnings_of(test)
    assert [problem.kind for problem in problems] == ["small_test"] * said
    assert all("The test is small (30 photos)" in one.message for one in problems)


@pytest.fixture(scope="module")
def recipe_run(
    tmp_path_factory: pytest.TempPathFactory, tiny_run: TrainingResult
) -> TrainingResult:
    """Nothing asked for: our own recipe, which chooses the views."""
    folder = tmp_path_factory.mktemp("recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(folder / "cache"))
        return again(tiny_run, folder / "bundle", head=RECIPE)


def test_recipe__tries_every_policy_and_keeps_the_best_or_a_bolder_one(
    recipe_run: TrainingResult,
) -> None:
    chosen = recipe_run.bundle.manifest.settings["chosen"]
    scores = chosen["held_out_cross_entropy_by_policy"]
    assert set(scores) == {"original photos", *POLICIES}
    best = min(scores, key=scores.__getitem__)
    names = ["original photos", *POLICIES]
    assert chosen["augmentation"] in [
        [dataclasses.asdict(kind) for kind in POLICIES.get(name, ())]
        for name in names[names.index(best) :]
    ]
    assert (chosen["copies"] > 1) == bool(chosen["augmentation"])
    by_head = chosen["held_out_cross_entropy_by_head"]
    kept = min(by_head, key=by_head.__getitem__)
    assert kept == str(HeadChoice(chosen["head"], chosen["shrinkage"], chosen["l2"]))
    assert {name.partition(",")[0] for name in by_head} == {"softmax", "lda"}


def test_recipe__separates_three_colours(recipe_run: TrainingResult) -> None:
    assert recipe_run.findings.test.accuracy > 0.7


def test_recipe__one_seed_one_model(recipe_run: TrainingResult, tmp_path: Path) -> None:
    """The second run reads all features from the cache of the first, or computes them anew."""
    assert_equal_runs(recipe_run, again(recipe_run, tmp_path / "bundle", head=RECIPE))


def test_recipe__takes_the_head_that_is_asked_for(tiny_run: TrainingResult, tmp_path: Path) -> None:
    head = dataclasses.replace(RECIPE, head="lda")
    run = again(tiny_run, tmp_path / "bundle", head=head)
    chosen = run.bundle.manifest.settings["chosen"]
    assert chosen["head"] == "lda"
    assert chosen["l2"] is None
    by_head = chosen["held_out_cross_entropy_by_head"]
    assert {name.partition(",")[0] for name in by_head} == {"lda"}
    assert [one.step for one in run.findings.trained.history.measurements] == [1]
    assert run.findings.test.accuracy > 0.7


@pytest.fixture(scope="module")
def stepped_run(
    tmp_path_factory: pytest.TempPathFactory, tiny_run: TrainingResult
) -> TrainingResult:
    """Our own recipe on a network of two resolutions, of which the last layer sees no colour."""
    folder = tmp_path_factory.mktemp("stepped")
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(3)
    images = keras.Input((32, 32, 3))
    colours = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="colours")(images)
    x = keras.layers.Conv2D(1, 1, activation="relu", kernel_initializer="ones")(colours)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    network = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
    path = write_keras_file(folder / "net.keras", network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(folder / "cache"))
        return again(tiny_run, folder / "bundle", head=RECIPE, backbone=f"saved_model:{path}")


def test_scales__are_selected_and_exported(stepped_run: TrainingResult) -> None:
    manifest = stepped_run.bundle.manifest
    chosen = manifest.settings["chosen"]
    losses = chosen["held_out_cross_entropy_by_num_scales"]
    assert losses["2"] < losses["1"]
    assert chosen["num_scales"] == 2
    assert manifest.backbone["title"].endswith(", 2 scales")
    assert manifest.backbone["num_features"] == 4 + 2 * 6 == len(head_of(stepped_run)) - 1
    # What was written gives the trained layer's answers.
    assert all(one["largest_difference"] < 1e-4 for one in manifest.exports.values())


@pytest.mark.parametrize("num_scales", [1, 2])
def test_scales__are_those_of_the_reference(
    stepped_run: TrainingResult, tmp_path: Path, num_scales: int
) -> None:
    reference = f"{stepped_run.findings.compiled.backbone.reference}@scales={num_scales}"
    run = again(stepped_run, tmp_path / "bundle", head=RECIPE, backbone=reference)
    chosen = run.bundle.manifest.settings["chosen"]
    assert chosen["held_out_cross_entropy_by_num_scales"] == {}
    assert chosen["num_scales"] == num_scales
    assert len(head_of(run)) - 1 == (4, 16)[num_scales - 1]


def test_depths__of_the_network_alone_in_retrain_pys_way(
    stepped_run: TrainingResult, tmp_path: Path
) -> None:
    run = again(stepped_run, tmp_path / "bundle", head=FEW_STEPS)
    assert len(head_of(run)) - 1 == 4


def test_recipe__one_photo_a_class_leaves_nothing_to_choose_by(
    tiny_run: TrainingResult, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = again(tiny_run, tmp_path / "bundle", head=RECIPE, split=SplitConfig(limit_per_class=1))
    chosen = run.bundle.manifest.settings["chosen"]
    assert chosen["held_out_cross_entropy_by_policy"] == {}
    assert chosen["held_out_cross_entropy_by_head"] == {}
    mildest = next(iter(POLICIES.values()))
    assert chosen["augmentation"] == [dataclasses.asdict(kind) for kind in mildest]
    assert "nothing can be selected by cross-validation" in caplog.text


def test_recipe__renders_are_seen_at_any_angle_in_any_colour(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    renders = tmp_path / "renders"
    shutil.copytree(tiny_run.findings.data.image_dir, renders)
    (renders / "synth.jsonl").touch()
    run = again(tiny_run, tmp_path / "bundle", head=RECIPE, image_dir=renders)
    chosen = run.bundle.manifest.settings["chosen"]
    assert chosen["held_out_cross_entropy_by_policy"] == {}
    assert chosen["augmentation"] == [dataclasses.asdict(kind) for kind in POLICIES[BOLDEST_POLICY]]
    assert "rendered_test" in [warning.kind for warning in run.findings.warnings]


def test_recipe__ignores_colours_where_told(tiny_run: TrainingResult, tmp_path: Path) -> None:
    head = dataclasses.replace(RECIPE, color_invariant=True)
    chosen = again(tiny_run, tmp_path / "bundle", head=head).bundle.manifest.settings["chosen"]
    assert chosen["augmentation"] == [dataclasses.asdict(kind) for kind in POLICIES[BOLDEST_POLICY]]


@pytest.mark.parametrize(("mirror", "mirrored"), [("auto", False), ("always", True)])
def test_recipe__mirrors_no_class_into_another(
    tiny_run: TrainingResult, tmp_path: Path, mirror: RandomFlip, mirrored: bool
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(tiny_run.findings.data.image_dir, photos)
    (photos / "red").rename(photos / "wedge_left")
    (photos / "blue").rename(photos / "wedge_right")
    notes = Notes()
    head = dataclasses.replace(RECIPE, color_invariant=True, random_flip=mirror)
    run = again(tiny_run, tmp_path / "bundle", head=head, image_dir=photos, reporter=notes)
    kinds = run.bundle.manifest.settings["chosen"]["augmentation"]
    assert {kind["flip_left_right"] for kind in kinds} == {mirrored}
    told = "wedge_left and wedge_right are mirror images of each other, so no photo is mirrored."
    assert (told in notes.said) == (not mirrored)


def test_mirror__does_nothing_in_retrain_pys_way(
    tiny_run: TrainingResult, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again(tiny_run, tmp_path / "resumed", head=FEW_STEPS, resume=True)
    assert "does nothing" not in caplog.text  # going on is for this way of training
    again(tiny_run, tmp_path / "bundle", head=dataclasses.replace(FEW_STEPS, random_flip="never"))
    assert "Gradient descent trains the head, so --random_flip has no effect." in caplog.text


def test_views__without_a_distortion_in_retrain_pys_way_is_said_to_do_nothing(
    tiny_run: TrainingResult, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again(tiny_run, tmp_path / "bundle", head=dataclasses.replace(FEW_STEPS, augmented_copies=3))
    assert "--augmented_copies 3 does nothing" in caplog.text


def test_recipe__what_judges_the_validation_photos_has_not_seen_them(
    recipe_run: TrainingResult,
) -> None:
    trained, found = recipe_run.findings.trained, recipe_run.findings.validation
    assert found is not None
    examples = recipe_run.findings.data.in_split("validation")
    predictor = Predictor(recipe_run.bundle.path)
    answers = np.stack(list(predictor.probabilities_of(example.path for example in examples)))
    assert answers.shape == trained.held_out.shape
    assert np.abs(answers - trained.held_out).max() > 1e-3
    kept = trained.history.measurements[trained.history.best_step - 1]
    assert found.accuracy == kept.validation_accuracy


def test_views__0_trains_on_the_photos_alone(tiny_run: TrainingResult, tmp_path: Path) -> None:
    notes = Notes()
    head = dataclasses.replace(RECIPE, augmented_copies=0)
    run = again(tiny_run, tmp_path / "bundle", head=head, reporter=notes)
    chosen = run.bundle.manifest.settings["chosen"]
    assert chosen["copies"] == 1
    assert chosen["held_out_cross_entropy_by_policy"] == {}
    assert not [title for title in notes.stages if "views" in title]


@pytest.mark.parametrize(
    ("head", "num_views"),
    [
        pytest.param(FEW_STEPS, 2, id="retrain.py showed no undistorted photo"),
        pytest.param(RECIPE, 3, id="the recipe keeps it"),
    ],
)
def test_distortions__are_seen_in_as_many_views_as_named(
    tiny_run: TrainingResult, tmp_path: Path, head: HeadConfig, num_views: int
) -> None:
    notes = Notes()
    run = again(
        tiny_run,
        tmp_path / "bundle",
        head=dataclasses.replace(head, augmented_copies=2),
        augment=AugmentConfig(flip_left_right=True, random_brightness=30),
        reporter=notes,
    )
    assert run.bundle.manifest.settings["chosen"]["copies"] == num_views
    assert "Computing features of 2 augmented copies" in notes.stages
    assert "Selecting augmentations" not in notes.stages


@pytest.fixture
def lone_folder(tmp_path: Path, tiny_run: TrainingResult) -> Path:
    """The photos of the tiny run and a class of one photo."""
    folder = tmp_path / "photos"
    shutil.copytree(tiny_run.findings.data.image_dir, folder)
    (folder / "yellow").mkdir()
    draw("yellow", 0).save(folder / "yellow" / "only.jpg")
    return folder


@pytest.mark.parametrize("head", [FEW_STEPS, RECIPE], ids=["steps", "recipe"])
def test_retrain__without_validation_and_with_a_class_of_one_photo(
    tiny_run: TrainingResult, lone_folder: Path, tmp_path: Path, head: HeadConfig
) -> None:
    run = again(
        tiny_run,
        tmp_path / "bundle",
        image_dir=lone_folder,
        split=SplitConfig(validation_percentage=0, testing_percentage=20),
        head=head,
    )
    assert run.findings.validation is None
    assert run.bundle.manifest.unknown_threshold is None
    assert metrics_of(run)["validation"] is None
    assert run.bundle.labels == ("blue", "green", "red", "yellow")
    assert run.bundle.manifest.data["num_photos"]["yellow"] == {
        "training": 1,
        "validation": 0,
        "test": 0,
    }
    assert not (run.bundle.path / "summaries" / "validation").exists()
    photo = lone_folder / "yellow" / "only.jpg"
    assert not Predictor(run.bundle.path).predict(photo).is_unknown


# Photos and folders that cannot be used.


@pytest.fixture
def partly_bad_folder(tmp_path: Path, tiny_run: TrainingResult) -> Path:
    folder = tmp_path / "photos"
    shutil.copytree(tiny_run.findings.data.image_dir, folder)
    (folder / "red" / "text.jpg").write_text("no photo")
    whole = (folder / "blue" / "photo_00.jpg").read_bytes()
    (folder / "blue" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def test_bad_photos__are_set_aside_by_name(
    tiny_run: TrainingResult, partly_bad_folder: Path, tmp_path: Path
) -> None:
    run = again(tiny_run, tmp_path / "bundle", image_dir=partly_bad_folder)
    assert len(run.findings.data.examples) == 36
    problems = json.dumps(run.bundle.manifest.data["problems"])
    page = (run.bundle.path / "report.html").read_text(encoding="utf-8")
    for name in ("red/text.jpg", "blue/half.jpg"):
        assert name in problems
        assert name in page
    assert_equal_runs(run, tiny_run)


def test_strict__ends_at_a_bad_photo_and_writes_nothing(
    tiny_run: TrainingResult, partly_bad_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        DataError,
        match=r"(?s)2 photos cannot be read:\n +blue/half\.jpg: .*\n +red/text\.jpg: .*--strict",
    ):
        again(tiny_run, tmp_path / "bundle", image_dir=partly_bad_folder, strict=True)
    assert not (tmp_path / "bundle").exists()


def test_retrain__a_folder_of_bad_photos_only(tiny_run: TrainingResult, tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "photos" / label / f"{number}.jpg").write_text(f"{label}{number}")
    with pytest.raises(DataError, match="no photo that can be read"):
        again(tiny_run, tmp_path / "bundle", image_dir=tmp_path / "photos")


def test_retrain__a_class_of_bad_photos_only_is_said(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    """A label that no photo stands behind must not come out of training in silence."""
    folder = tmp_path / "photos"
    shutil.copytree(tiny_run.findings.data.image_dir, folder)
    (folder / "yellow").mkdir()
    (folder / "yellow" / "bad.jpg").write_text("no photo")
    run = again(tiny_run, tmp_path / "bundle", image_dir=folder, head=FEW_STEPS)
    assert run.bundle.labels == ("blue", "green", "red")
    assert "yellow" in json.dumps(run.bundle.manifest.data["problems"])


@pytest.mark.parametrize("flag", ["out", "saved_model_dir"])
def test_retrain__what_exists_is_refused_before_any_work(tmp_path: Path, flag: str) -> None:
    (tmp_path / "there" / "inside").mkdir(parents=True)
    settings = {"out": tmp_path / "new", flag: tmp_path / "there"}
    notes = Notes()
    with pytest.raises(BundleError, match=r"there exists already.*does not overwrite models"):
        train(TrainingConfig.of(image_dir=tmp_path / "none", **settings), reporter=notes)
    assert notes.stages == []


@pytest.mark.parametrize("flag", ["out", "saved_model_dir"])
@pytest.mark.parametrize("below", ["", "below"], ids=["a file", "below a file"])
def test_retrain__a_file_in_the_way_is_refused_before_any_work(
    tmp_path: Path, flag: str, below: str
) -> None:
    (tmp_path / "file").touch()
    settings = {"out": tmp_path / "new", flag: tmp_path / "file" / below}
    notes = Notes()
    with pytest.raises(BricksightError, match="file"):
        train(TrainingConfig.of(image_dir=tmp_path / "none", **settings), reporter=notes)
    assert notes.stages == []


def test_out__is_named_after_photos_and_time(
    tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = TrainingConfig.of(
        image_dir=tiny_run.findings.data.image_dir,
        backbone=tiny_run.findings.compiled.backbone.reference,
    )
    run = train(replace(settings, split=SPLIT, head=FEW_STEPS))
    (made,) = tmp_path.glob("photos-*-*")
    assert run.bundle.path.resolve() == made
    assert open_bundle(made).labels == ("blue", "green", "red")


# Places.


class At:
    """A reporter that does something when a stage begins."""

    def __init__(self, stage: str, act: Callable[[], object]) -> None:
        self._stage, self._act = stage, act

    def __call__(self, event: ProgressEvent) -> None:
        if event.kind == "started" and event.stage == self._stage:
            self._act()


def test_out__a_second_run_at_the_same_place_is_refused_before_any_work(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    notes = Notes()

    def second() -> None:
        with pytest.raises(OutputError, match="bundle is being written by another run"):
            again(tiny_run, tmp_path / "bundle", head=FEW_STEPS, reporter=notes)

    again(tiny_run, tmp_path / "bundle", head=FEW_STEPS, reporter=At("Evaluating", second))
    assert notes.stages == []
    assert open_bundle(tmp_path / "bundle").labels == ("blue", "green", "red")


def test_out__a_model_that_cannot_be_written_there_is_kept_in_the_cache(
    tiny_run: TrainingResult, tmp_path: Path, own_cache_dir: Path
) -> None:
    """Such as on a disk that is taken away, or full, while the training runs."""
    out = tmp_path / "disk" / "bundle"
    lost = At("Writing files", lambda: shutil.rmtree(tmp_path / "disk", ignore_errors=True))
    with pytest.raises(OutputError) as caught:
        again(tiny_run, out, head=FEW_STEPS, reporter=lost)
    (kept,) = (own_cache_dir / "rescued").iterdir()
    assert str(caught.value).startswith(f"{out} cannot be written")
    assert f"The trained model is complete in {kept}; move it." in str(caught.value)
    assert Predictor(kept).labels == ("blue", "green", "red")


def test_places__what_can_be_written_is_where_one_of_them_cannot(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    taken = At("Writing files", lambda: logs.write_text("a file by now"))
    places = {"summaries_dir": logs, "output_labels": tmp_path / "labels.txt"}
    with pytest.raises(OutputError, match=rf"logs.* the model folder is {tmp_path / 'bundle'}"):
        again(tiny_run, tmp_path / "bundle", head=FEW_STEPS, reporter=taken, **places)
    assert open_bundle(tmp_path / "bundle").labels == ("blue", "green", "red")
    assert (tmp_path / "labels.txt").read_text() == "blue\ngreen\nred\n"


def test_places__one_for_two_outputs_is_refused(tiny_run: TrainingResult, tmp_path: Path) -> None:
    place = tmp_path / "one"
    with pytest.raises(ConfigError, match=r"--output_graph and --output_labels are both"):
        again(tiny_run, tmp_path / "b", output_graph=place, output_labels=place)


# Interruption.


def test_interrupted__resuming_is_promised_only_where_something_is_kept(
    tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def interrupt() -> None:
        raise KeyboardInterrupt

    for stage, promised in (
        ("Training by gradient descent", ""),
        ("Writing files", "The same command with --resume"),
    ):
        with pytest.raises(KeyboardInterrupt) as caught:
            again(
                tiny_run,
                tmp_path / "bundle",
                head=FEW_STEPS,
                checkpoint_path=tmp_path / "checkpoint",
                reporter=At(stage, interrupt),
            )
        said = " ".join(map(str, caught.value.args))
        assert bool(said) == bool(promised)
        assert said.startswith(promised)
        assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_failed_at_the_end__resuming_is_promised_where_something_is_kept(
    tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    photos = tmp_path / "photos"
    write_photo_folder(photos, per_class=12)
    with pytest.raises(ExportError, match=r"now cannot be used.*\. The same command with --resume"):
        again(
            tiny_run,
            tmp_path / "bundle",
            image_dir=photos,
            head=FEW_STEPS,
            checkpoint_path=tmp_path / "checkpoint",
            reporter=At("Writing files", lambda: shutil.rmtree(photos)),
        )


def test_resume__gives_the_model_of_an_uninterrupted_run(
    tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def interrupt(step: int) -> None:
        if step == 150:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "kept" / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        again(
            tiny_run,
            tmp_path / "bundle",
            checkpoint_path=checkpoint,
            reporter=Notes(interrupt),
        )
    assert not (tmp_path / "bundle").exists()
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint.npz"]
    notes = Notes()
    run = again(
        tiny_run,
        tmp_path / "bundle",
        checkpoint_path=checkpoint,
        resume=True,
        reporter=notes,
    )
    assert notes.steps == 150
    assert run.findings.trained.choices["resumed_at_step"] == 150
    assert_equal_runs(run, tiny_run)
    assert list(checkpoint.parent.iterdir()) == []


def test_resume__another_split_begins_anew(
    tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos that were trained on would be tested on otherwise."""
    monkeypatch.setattr("bricksight.heads.sgd._SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def interrupt(step: int) -> None:
        if step == 15:
            raise KeyboardInterrupt

    kept = {"checkpoint_path": tmp_path / "checkpoint", "head": FEW_STEPS}
    with pytest.raises(KeyboardInterrupt):
        again(tiny_run, tmp_path / "bundle", reporter=Notes(interrupt), **kept)
    notes = Notes()
    other = SplitConfig(testing_percentage=60, validation_percentage=20)
    again(tiny_run, tmp_path / "bundle", resume=True, split=other, reporter=notes, **kept)
    assert notes.steps == 20


def test_retrain__photos_of_other_sizes_and_a_letterbox(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(tiny_run.findings.data.image_dir, folder)
    Image.new("RGB", (200, 20), (200, 40, 40)).save(folder / "red" / "wide.png")
    run = again(tiny_run, tmp_path / "bundle", image_dir=folder, head=FEW_STEPS, resize="letterbox")
    assert run.bundle.manifest.input.resize == "letterbox"
    assert Predictor(run.bundle.path).input_spec.resize == "letterbox"
    assert all(one["top1_agreement"] == 1 for one in run.bundle.manifest.exports.values())
