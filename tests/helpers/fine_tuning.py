"""A network of a few hundred weights, drawn photos, and settings that fine-tune it in seconds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow
from bricksight.config import AugmentConfig, FineTuneConfig, TrainingConfig
from bricksight.finetuning import BatchGenerator, ImageSet
from bricksight.training import TrainingResult, train
from helpers.photos import draw, write_photo_folder
from helpers.tiny_backbones import write_keras_file
from helpers.tiny_bundle import SPLIT

TINY = FineTuneConfig(
    fine_tune=True,
    fine_tune_epochs=30,
    fine_tune_size=32,
    fine_tune_learning_rate=1e-2,
    fine_tune_batch_size=8,
)


def keras_network(size: int = 32) -> Any:
    """Every kind of layer that the twin treats in its own way, and some that it leaves alone."""
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(3)
    layers = keras.layers
    images = keras.Input((size, size, 3), name="images")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(images)
    x = layers.BatchNormalization(name="stem_bn")(x)
    y = layers.Conv2D(8, 1, use_bias=False, name="pointwise")(layers.ReLU(6.0)(x))
    y = layers.BatchNormalization(name="pointwise_bn")(y)
    x = layers.Add()([x, y])
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(scale=False, name="without_scale")(x)
    x = layers.Conv2D(12, 1, activation="relu", name="with_bias")(x)
    return keras.Model(images, layers.GlobalAveragePooling2D()(x))


def image_set(*labels: str, per_class: int = 8) -> ImageSet:
    drawn = [np.asarray(draw(label, seed)) for label in labels for seed in range(per_class)]
    return ImageSet(pixels=drawn, labels=np.repeat(np.arange(len(labels)), per_class))


def batch_generator(photos: ImageSet, **settings: Any) -> BatchGenerator:
    return BatchGenerator(
        **{"photos": photos, "augments": (AugmentConfig(),), "batch_size": 8, "seed": 0, **settings}
    )


def tune(folder: Path, plan: FineTuneConfig = TINY, **settings: Any) -> TrainingResult:
    if not (folder / "photos").exists():
        write_photo_folder(folder / "photos", per_class=12)
    file = folder / "network.keras"
    if not file.exists():
        write_keras_file(file, keras_network())
    reference = f"saved_model:{file}"
    config = TrainingConfig.of(
        **{
            "image_dir": folder / "photos",
            "backbone": reference,
            "out": folder / "bundle",
            **settings,
        }
    )
    return train(replace(config, split=SPLIT, finetuning=plan))
