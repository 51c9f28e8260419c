"""The random views that a network is trained with: the boldest that do no harm."""

from pathlib import Path

import numpy as np
import pytest

from bricksight.heads import POLICIES
from bricksight.training.augmentation_policy import select_augmentation
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import tiny_network, write_keras_file
from helpers.training_context import context_of, featurized


@pytest.mark.tf
@pytest.mark.parametrize("sees", [True, False])
def test_select_augmentation__takes_the_boldest_that_cannot_be_told_to_be_worse(
    tmp_path: Path, *, sees: bool
) -> None:
    """Classes are colours: to a network that sees them, views of any colour do harm."""
    network = tiny_network()
    if not sees:  # all views are alike
        network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    folder = write_photo_folder(tmp_path / "photos", per_class=16)
    path = write_keras_file(tmp_path / "network.keras", network)
    context = context_of(image_dir=folder, backbone=f"saved_model:{path}")
    found = select_augmentation(featurized(context), context).policy
    *milder, boldest = POLICIES.values()
    assert found in (milder if sees else [boldest])
