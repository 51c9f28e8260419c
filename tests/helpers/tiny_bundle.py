"""A bundle trained in seconds on drawn photos with a network of a few hundred weights."""

from dataclasses import replace
from pathlib import Path

import pytest

from bricksight.config import AugmentConfig, HeadConfig, SplitConfig, TrainingConfig
from bricksight.training import TrainingResult, train
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import tiny_network, write_saved_model

SPLIT = SplitConfig(testing_percentage=20, validation_percentage=20)
STEPS = HeadConfig(how_many_training_steps=300, learning_rate=1.0, train_batch_size=32)


def train_tiny(folder: Path, **settings: object) -> TrainingResult:
    """Returns a run on twelve photos a class; everything lies below ``folder``."""
    image_dir = folder / "photos"
    if not image_dir.exists():
        write_photo_folder(image_dir, per_class=12)
    backbone = folder / "tiny"
    if not backbone.exists():
        write_saved_model(backbone, tiny_network())
    head = settings.pop("head", STEPS)
    augment = settings.pop("augment", AugmentConfig())
    config = TrainingConfig.of(
        **{
            "image_dir": image_dir,
            "backbone": f"saved_model:{backbone}",
            "out": folder / "bundle",
            "rejection_rate": 30.0,  # for which four validation photos will do
            **settings,
        }  # type: ignore[arg-type]
    )
    return train(replace(config, split=SPLIT, head=head, augmentation=augment))  # type: ignore[arg-type]


def model_files(run: TrainingResult) -> dict[str, bytes]:
    """Name → content of the bundle's files that hold the model, without reports and logs."""
    names = ("output_graph.pb", "model.tflite", "head.npz", "output_labels.txt", "saved_model/**/*")
    files = (file for name in names for file in run.bundle.path.glob(name) if file.is_file())
    return {file.relative_to(run.bundle.path).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """The run that tests read from; none of them changes its files."""
    folder = tmp_path_factory.mktemp("tiny-run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(folder / "cache"))
        return train_tiny(folder)
