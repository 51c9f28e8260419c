"""The random views that a network is trained with: the boldest that do no harm."""

from pathlib import Path

import numpy as np
import pytest

from bricksight._support.progress import StageTimer
from bricksight.config import TrainingConfig
from bricksight.features import default_cache_path
from bricksight.features.featurized_dataset import featurize
from bricksight.heads import POLICIES
from bricksight.training import SilentReporter
from bricksight.training.augmentation_policy import choose_augments
from bricksight.training.loading import load_dataset
from helpers.head_options import UNASKED
from helpers.photos import write_photo_folder
from helpers.tiny_modules import tiny_network, write_keras_file


@pytest.mark.tf
@pytest.mark.parametrize("sees", [True, False])
def test_choose_augments__takes_the_boldest_that_cannot_be_told_to_be_worse(
    tmp_path: Path, *, sees: bool
) -> None:
    """Classes are colours: to a network that sees them, views of any colour do harm."""
    network = tiny_network()
    if not sees:  # all views are alike
        network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    folder = write_photo_folder(tmp_path / "photos", per_class=16)
    path = write_keras_file(tmp_path / "network.keras", network)
    config = TrainingConfig.of(image_dir=folder, backbone=f"saved_model:{path}")
    watch = StageTimer(SilentReporter())
    data = load_dataset(config, watch)
    photos = featurize(data, config, cache_path=default_cache_path(), watch=watch)
    found, (*milder, boldest) = choose_augments(photos, UNASKED), POLICIES.values()
    assert found in (milder if sees else [boldest])
