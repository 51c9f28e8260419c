"""The whole network trained on: the same function at the start, better at the end, all of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight import images
from bricksight._support.optional import require_tensorflow
from bricksight.backbones import fine_tuned_backbone, resolve
from bricksight.config import AugmentConfig, InputSpec
from bricksight.dataset import scan
from bricksight.errors import BackboneError, ConfigError
from bricksight.finetuning import (
    ImageSet,
    Stage,
    Trainer,
    TrainerOptions,
    read_image_set,
)
from bricksight.finetuning.fused_graph import BATCH_NORM_MOMENTUM, build_training_graph
from bricksight.finetuning.layer_freezing import first_trained, freeze
from bricksight.predict import Predictor
from bricksight.training import TrainingResult
from helpers.fine_tuning import TINY, batch_generator, image_set, keras_network, tune
from helpers.photos import draw, write_photo_folder
from helpers.tiny_backbones import (
    as_backbone,
    noise,
    tiny_network,
    write_hub_module,
    write_reusable_saved_model,
    write_saved_model,
)
from helpers.tiny_bundle import SPLIT


@pytest.mark.tf
@pytest.mark.parametrize("build", [keras_network, tiny_network])
@pytest.mark.parametrize("adapts", [True, False])
def test_training_graph__gives_the_same_features_and_shares_the_weights(
    build: Any, adapts: bool
) -> None:
    network = build(32)
    training_graph = build_training_graph(network, adapt_batch_norm=adapts)
    images = noise()
    np.testing.assert_allclose(training_graph(images), network(images), atol=1e-5)
    network.layers[1].kernel.assign(2 * network.layers[1].kernel)
    np.testing.assert_allclose(training_graph(images), network(images), rtol=1e-4, atol=1e-4)


@pytest.mark.tf
def test_training_graph__folds_a_normalisation_that_stays_as_it_is() -> None:
    network = keras_network()
    build_training_graph(network)(
        noise(), training=True
    )  # statistics that are not those of the start
    folded, other = (
        build_training_graph(network, adapt_batch_norm=False),
        build_training_graph(network),
    )
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert kinds.count("FoldedConvolution") == 3
    assert not {"FusedBatchNorm", "BatchNormalization"} & set(kinds)
    assert "FoldedConvolution" not in [type(layer).__name__ for layer in other.layers]
    network.get_layer("stem_bn").trainable = False
    partly = [type(layer).__name__ for layer in build_training_graph(network).layers]
    assert (partly.count("FoldedConvolution"), partly.count("FusedBatchNorm")) == (1, 2)


@pytest.mark.tf
def test_training_graph__has_the_gradients_of_keras() -> None:
    tf = require_tensorflow()
    network, images = keras_network(), noise()

    def gradients(model: Any, *, training: bool) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=training) ** 2)
        return [np.asarray(one) for one in tape.gradient(loss, network.trainable_variables)]

    for training in (False, True):
        before = [one.numpy() for one in network.weights]
        expected = gradients(network, training=training)
        network.set_weights(before)  # training moves the statistics
        training_graph = build_training_graph(network, adapt_batch_norm=training)
        found = gradients(training_graph, training=training)
        network.set_weights(before)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3 * np.abs(other).max())


@pytest.mark.tf
@pytest.mark.parametrize("adapts", [True, False])
def test_training_graph__adapts_the_statistics_or_leaves_them(adapts: bool) -> None:
    network = keras_network()
    layer, bare = network.get_layer("stem_bn"), network.get_layer("without_scale")
    stem = require_tensorflow().keras.Model(network.input, network.get_layer("stem").output)
    mean = np.asarray(stem(noise())).mean(axis=(0, 1, 2))
    build_training_graph(network, adapt_batch_norm=adapts)(noise(), training=True)
    expected = (1 - BATCH_NORM_MOMENTUM) * mean if adapts else np.zeros_like(mean)
    np.testing.assert_allclose(layer.moving_mean, expected, atol=1e-5)
    assert bare.moving_mean.numpy().any() == adapts


@pytest.mark.tf
def test_training_graph__takes_photos_of_other_sizes() -> None:
    assert build_training_graph(keras_network(64))(noise(size=40)).shape == (3, 12)


def test_mixture__shows_every_photo_once_an_epoch() -> None:
    photos = image_set("red", "blue", per_class=6)
    drawn = batch_generator(photos, batch_size=4)
    spec = InputSpec(height=16, width=16)
    shown = [batch.images for batch in drawn.batches(spec, start=0, stop=drawn.steps_per_epoch)]
    sums = np.sort(np.concatenate(shown).sum(axis=(1, 2, 3)))
    plain = batch_generator(photos, batch_size=12).batch(0, spec)[0]
    np.testing.assert_allclose(sums, np.sort(plain.sum(axis=(1, 2, 3))), rtol=1e-6)


def test_mixture__takes_its_share_of_extra_photos_from_each_batch() -> None:
    photos, extra = image_set("red"), image_set("red", "blue", per_class=20)
    spec = InputSpec(height=16, width=16)
    one_class = ImageSet(pixels=extra.pixels, labels=np.full(len(extra), 7))
    drawn = batch_generator(photos, extra=one_class, extra_share=0.25)
    for batch in drawn.batches(spec, start=0, stop=5):
        assert (batch.labels == 7).sum() == 2
    assert drawn.steps_per_epoch == 2


def test_mixture__depends_on_seed_and_step_alone() -> None:
    changes = AugmentConfig(random_rotation=180, random_noise=10)
    drawn = batch_generator(image_set("red", "blue"), augments=(AugmentConfig(), changes))
    spec = InputSpec(height=16, width=16)
    (third,) = drawn.batches(spec, start=2, stop=3)
    np.testing.assert_array_equal(third[0], drawn.batch(2, spec)[0])
    assert (third[0] != drawn.batch(3, spec)[0]).any()


def test_read_pictures__are_as_large_as_views_need(tmp_path: Path) -> None:
    draw("red", 1).resize((400, 300)).save(tmp_path / "photo.jpg")
    found = read_image_set([tmp_path / "photo.jpg"], np.array([0]), size=40)
    assert found.pixels[0].shape == (60, 80, 3)


@pytest.mark.tf
def test_trainer__learns_and_keeps_the_averaged_weights() -> None:
    network = keras_network()
    trainer = Trainer(network, 2, TrainerOptions())
    photos = image_set("red", "blue")
    spec = InputSpec(height=32, width=32)
    assert not trainer.logits(photos, spec).any()  # the head starts at zero
    before = network.get_layer("pointwise").kernel.numpy()
    seen = []
    trainer.run(
        Stage(batch_generator=batch_generator(photos), epochs=15, size=32, rate=1e-2),
        after_epoch=seen.append,
    )
    assert len(seen) == 15
    assert seen[-1].loss < seen[0].loss
    assert (trainer.logits(photos, spec).argmax(axis=1) == photos.labels).mean() > 0.9
    assert np.abs(network.get_layer("pointwise").kernel.numpy() - before).max() > 1e-3
    features = np.asarray(network(np.stack([one / 255 for one in _sized(photos)]).astype("f4")))
    np.testing.assert_allclose(
        trainer.head.logits(features), trainer.logits(photos, spec), atol=1e-3
    )


def _sized(photos: ImageSet) -> list[np.ndarray]:
    return [images.to_pixels(one, InputSpec(height=32, width=32)) for one in photos.pixels]


@pytest.mark.tf
def test_tuned_module__is_another_one_for_other_weights() -> None:
    network = tiny_network()
    backbone = as_backbone(network, name="tiny", size=32)
    first, again = fine_tuned_backbone(backbone, network), fine_tuned_backbone(backbone, network)
    assert first.fingerprint == again.fingerprint != backbone.fingerprint
    network.layers[1].kernel.assign(2 * network.layers[1].kernel)
    assert fine_tuned_backbone(backbone, network).fingerprint != first.fingerprint


@pytest.mark.tf
def test_retrain__fine_tunes_and_every_file_gives_the_same_answers(tmp_path: Path) -> None:
    result = tune(tmp_path)
    assert result.findings.test.accuracy is not None
    assert result.findings.test.accuracy > 0.8
    bundle = result.bundle
    assert bundle.manifest.backbone["title"].endswith("fine-tuned")
    assert bundle.manifest.settings["finetuning"]["fine_tune"] is True
    assert ">Fine-tuning</h" in (bundle.path / "report.html").read_text(encoding="utf-8")
    history = json.loads((bundle.path / "metrics.json").read_text())["history"]
    assert len(history["measurements"]) == 27  # the last three see the validation photos too
    assert history["measurements"][-1]["validation_accuracy"] > 0.5
    photo = result.findings.data.examples[0].path
    answers = [
        Predictor(bundle.path, runtime=runtime).predict(photo).predictions[0]
        for runtime in ("litert", "tensorflow")
    ]
    assert answers[0].label == answers[1].label
    assert answers[0].probability == pytest.approx(answers[1].probability, abs=1e-4)


@pytest.mark.tf
def test_retrain__sees_the_validation_photos_only_after_they_have_judged(tmp_path: Path) -> None:
    """The red ones among them are yellow: no training photo says that this is red as well."""
    folder = write_photo_folder(tmp_path / "photos", per_class=12)
    for example in scan(folder, split=SPLIT).in_split("validation"):
        if example.label == "red":
            draw("yellow", 3).save(example.path, quality=95)
    result = tune(tmp_path, replace(TINY, fine_tune_epochs=100))
    trained, data = result.findings.trained, result.findings.data
    assert trained.choices["fitted_to"] == "training and validation"
    examples = data.in_split("validation")
    red = np.array([example.label == "red" for example in examples])
    column = data.labels.index("red")
    assert red.any()
    np.testing.assert_allclose(trained.held_out.sum(axis=1), 1, rtol=1e-5)
    found = result.findings.validation
    assert found is not None
    right = trained.held_out.argmax(axis=1) == data.label_indices(examples)
    assert found.accuracy == right.mean()
    predictor = Predictor(result.bundle.path)
    answers = np.stack(list(predictor.probabilities_of(example.path for example in examples)))
    before, after = trained.held_out[red, column].mean(), answers[red, column].mean()
    assert after > before + 0.1, (before, after)


@pytest.mark.tf
def test_retrain__fine_tunes_on_extra_photos_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(tmp_path / "cache"))
    for seed in range(12):
        for label in ("red", "yellow"):
            path = tmp_path / "renders" / label / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(label, 500 + seed).save(path)
    result = tune(tmp_path, extra_train_dir=tmp_path / "renders")
    assert result.findings.data.labels == ("blue", "green", "red", "yellow")
    draw("yellow", 5).save(tmp_path / "new.png")
    answer = Predictor(result.bundle.path).predict(tmp_path / "new.png")
    assert answer.predictions[0].label == "yellow"
    seen = result.bundle.manifest.settings["chosen"]["extra_augmentation"]
    assert any(kind["random_blur"] and kind["random_noise"] for kind in seen)
    assert not all(kind["random_blur"] for kind in seen), "photos are not as rough as that"

    (kept,) = (tmp_path / "cache" / "tuned").iterdir()
    again = tune(tmp_path, extra_train_dir=tmp_path / "renders", out=tmp_path / "again")
    title = "Training the network on 24 extra photos"
    assert title in result.seconds
    assert title not in again.seconds
    np.testing.assert_array_equal(again.findings.trained.head.kernel, head_of(result))
    kept.write_bytes(b"damaged")
    third = tune(tmp_path, extra_train_dir=tmp_path / "renders", out=tmp_path / "third")
    assert title in third.seconds


def head_of(result: TrainingResult) -> np.ndarray:
    return result.findings.trained.head.kernel


@pytest.mark.tf
def test_trainer__restores_its_state_and_refuses_another_networks() -> None:
    photos, spec = image_set("red", "blue"), InputSpec(height=32, width=32)
    trainer, other = (Trainer(keras_network(), 2, TrainerOptions()) for _ in range(2))
    trainer.run(Stage(batch_generator=batch_generator(photos), epochs=2, size=32, rate=1e-2))
    assert (other.logits(photos, spec) != trainer.logits(photos, spec)).any()
    other.set_weights(trainer.get_weights())
    np.testing.assert_array_equal(other.logits(photos, spec), trainer.logits(photos, spec))
    with pytest.raises(ValueError, match="do not fit"):
        Trainer(tiny_network(), 2, TrainerOptions()).set_weights(trainer.get_weights())


@pytest.mark.tf
def test_retrain__fine_tunes_from_a_layer_up(tmp_path: Path) -> None:
    result = tune(tmp_path, replace(TINY, fine_tune_from="depthwise"))
    network = result.findings.compiled.backbone.network()
    fresh = keras_network()
    for name, same in (("stem", True), ("pointwise", True), ("depthwise", False)):
        pair = network.get_layer(name).kernel, fresh.get_layer(name).kernel
        assert np.array_equal(*pair) == same, name


@pytest.mark.tf
@pytest.mark.parametrize(
    ("first", "is_pretrained", "trained"),
    [
        (None, True, "block3a_dwconv"),
        (None, False, "stem_conv"),
        ("whole", True, "stem_conv"),
        ("block6a_expand_conv", True, "block6a_expand_conv"),
    ],
)
def test_freeze__fine_maps_of_a_pretrained_network_unless_told(
    first: str | None, is_pretrained: bool, trained: str
) -> None:
    backbone = replace(resolve("packaged:efficientnet_lite0@size=64"), is_pretrained=is_pretrained)
    network = backbone.network()
    freeze(network, first, backbone)
    assert first_trained(network) == trained
    assert network.get_layer("top_conv").trainable


@pytest.mark.tf
def test_freeze__whole_trains_what_an_earlier_training_has_frozen() -> None:
    backbone = resolve("packaged:efficientnet_lite0@size=64")
    network = backbone.network()
    freeze(network, None, backbone)
    assert not network.get_layer("stem_conv").trainable
    freeze(network, "whole", backbone)
    assert first_trained(network) == "stem_conv"


@pytest.mark.tf
def test_freeze__a_network_of_fine_maps_alone_is_trained() -> None:
    network = keras_network()
    freeze(network, None, resolve("packaged:efficientnet_lite0"))
    assert first_trained(network) == "stem"


@pytest.mark.tf
def test_retrain__refuses_to_fine_tune_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no such layer. Take 'whole' for all, or one of .*stem_bn"
    ):
        tune(tmp_path / "one", replace(TINY, fine_tune_from="stemm"))
    graph = write_reusable_saved_model(tmp_path / "graph", size=64)
    reference = f"saved_model:{graph}"
    for settings, found in (
        ({"fine_tune_from": "stem"}, r"--fine_tune_from stem: .*graph without layers"),
        ({"fine_tune_size": 96}, r"--fine_tune_size 96: .* takes 64x64 only"),
    ):
        with pytest.raises(ConfigError, match=found):
            tune(tmp_path / "one", replace(TINY, **settings), backbone=reference)
    hub = write_hub_module(tmp_path / "hub")
    with pytest.raises(BackboneError, match=r"graph of TensorFlow 1.* Fine-tune a version in TF2"):
        tune(tmp_path / "one", backbone=f"saved_model:{hub}")
    frozen = tune(tmp_path / "one").bundle.path / "saved_model"
    with pytest.raises(BackboneError, match=r"takes|trainable weights"):
        tune(tmp_path / "one", backbone=f"saved_model:{frozen}", out=tmp_path / "frozen")


@pytest.mark.tf
@pytest.mark.parametrize("adapted", [True, False])
def test_retrain__fine_tunes_a_saved_model(tmp_path: Path, adapted: bool) -> None:
    graph = write_reusable_saved_model(tmp_path / "graph", size=64)
    reference = f"saved_model:{graph}"
    config = replace(TINY, fine_tune_size=None, batch_norm="adapted" if adapted else "frozen")
    result = tune(tmp_path, config, backbone=reference)
    assert result.findings.test.accuracy is not None
    assert result.findings.test.accuracy > 0.8
    assert "Training the network at 64 px" in result.seconds  # a size that it does not take: 32
    assert "Training the network at 32 px" not in result.seconds
    tuned, fresh = result.findings.compiled.backbone.trainable(), resolve(reference).trainable()
    same = [np.array_equal(*pair) for pair in zip(tuned.weights, fresh.weights, strict=True)]
    of_statistics = [not one.trainable for one in fresh.weights]
    assert sum(of_statistics) == 2
    assert same == ([False] * 4 if adapted else of_statistics)
    photo = result.findings.data.examples[0].path
    answers = [
        Predictor(result.bundle.path, runtime=runtime).predict(photo).predictions[0]
        for runtime in ("litert", "tensorflow")
    ]
    assert answers[0].label == answers[1].label
    assert answers[0].probability == pytest.approx(answers[1].probability, abs=1e-4)


@pytest.mark.tf
def test_retrain__fine_tunes_a_graph_for_inference_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = write_saved_model(tmp_path / "graph", tiny_network(None))
    result = tune(tmp_path, backbone=f"saved_model:{graph}@size=32")
    assert "a graph for inference alone: the statistics" in caplog.text
    assert result.findings.test.accuracy is not None
    assert result.findings.test.accuracy > 0.8


@pytest.mark.tf
def test_saved_model_training_graph__follows_the_statistics_as_fast_as_any_other(
    tmp_path: Path,
) -> None:
    folder = write_reusable_saved_model(tmp_path / "graph")
    network = resolve(f"saved_model:{folder}").trainable()
    before = [one.numpy() for one in network.weights]
    training_graph = build_training_graph(network)
    for one, old in zip(network.weights, before, strict=True):  # measuring has left no trace
        np.testing.assert_array_equal(one, old)
    (kernel,) = (one for one in network.weights if one.shape.rank == 4)
    tf = require_tensorflow()
    maps = tf.nn.conv2d(noise(), kernel, strides=2, padding="SAME")
    mean, variance = (np.asarray(one) for one in tf.nn.moments(maps, (0, 1, 2)))
    training_graph(noise(), training=True)
    share = 1 - BATCH_NORM_MOMENTUM
    for one, old in zip(network.weights, before, strict=True):
        if not one.trainable:
            new = variance if old.all() else mean
            expected = BATCH_NORM_MOMENTUM * old + share * new
            np.testing.assert_allclose(one, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.tf
def test_retrain__learns_what_the_teacher_answers(tmp_path: Path) -> None:
    """A teacher that takes the colours for one another is believed where it alone counts."""
    photos, swapped = tmp_path / "photos", tmp_path / "taught" / "photos"
    write_photo_folder(photos, per_class=12)
    for label, other in (("red", "blue"), ("blue", "red"), ("green", "green")):
        shutil.copytree(photos / label, swapped / other)
    teacher = tune(tmp_path / "taught").bundle.path
    told = replace(TINY, teacher=teacher, teacher_share=1.0)
    believed = tune(tmp_path, told)
    wrong = {example.label: "" for example in believed.findings.data.examples}
    for example in believed.findings.data.examples:
        answer = Predictor(believed.bundle.path).predict(example.path).predictions[0]
        wrong[example.label] = answer.label
    assert wrong == {"red": "blue", "blue": "red", "green": "green"}
    told = replace(told, teacher_share=0.0)
    doubted = tune(tmp_path, told, out=tmp_path / "doubted")
    assert doubted.findings.test.accuracy is not None
    assert doubted.findings.test.accuracy > 0.8


@pytest.mark.tf
def test_retrain__refuses_a_teacher_of_other_classes(tmp_path: Path) -> None:
    teacher = tune(tmp_path).bundle.path
    other = tmp_path / "other"
    write_photo_folder(other / "photos", per_class=3)
    (other / "photos" / "green").rename(other / "photos" / "violet")
    with pytest.raises(ConfigError, match=r"does not have the classes violet. A teacher must"):
        tune(other, replace(TINY, teacher=teacher))
