"""The backbone for bricks: its weights, and the parts that it knows."""

from pathlib import Path

import numpy as np
import pytest

from bricksight.backbones import list_backbones, resolve
from bricksight.bricks import PACK
from bricksight.bricks.backbone import known_classes, load
from bricksight.bricks.part_numbers import is_known_part
from bricksight.bricks.synth import sample
from bricksight.bricks.synth.sample import SAMPLE_LABELS
from bricksight.errors import BackboneError
from bricksight.images import load_input
from bricksight.training.backbone_selection import backbone_candidates

SAMPLE = Path(sample.__file__).with_name("sample")


@pytest.mark.tf
def test_backbone__tells_parts_apart() -> None:
    """One photo of each part of the sample is found by those of the same part, not by chance."""
    module = resolve("packaged:mobilenet_v2_bricks@size=160")
    photos = [sorted((SAMPLE / label).glob("*.jpg"))[:9] for label in SAMPLE_LABELS]
    pixels = [[load_input(photo, module.input_spec) for photo in some] for some in photos]
    features = np.asarray(module.load()(np.reshape(pixels, (-1, 160, 160, 3)))).reshape(12, 9, -1)
    features = features - features.mean(axis=(0, 1))
    known, new = features[:, :8].mean(axis=1), features[:, 8]
    likeness = new @ known.T / np.linalg.norm(known, axis=1)
    assert (likeness.argmax(axis=1) == np.arange(12)).sum() >= 8
    assert module.num_features == 1280


@pytest.mark.tf
def test_backbone__is_a_mobilenet_v2() -> None:
    network = resolve("packaged:mobilenet_v2_bricks@size=64").network()
    assert network.input_shape == (None, 64, 64, 3)
    assert network.count_params() == 2_257_984
    assert all(np.isfinite(one).all() for one in network.get_weights())
    assert network.get_layer("block_16_project_BN").moving_variance.numpy().min() > 0


def test_backbone__is_in_the_catalogue() -> None:
    listed = {spec.reference: spec for spec in list_backbones()}
    assert listed["packaged:mobilenet_v2_bricks"].num_parameters == 2_257_984
    assert resolve("packaged:mobilenet_v2_bricks").is_of_renders


def test_backbone__knows_what_it_was_trained_on() -> None:
    known = resolve("packaged:mobilenet_v2_bricks").known
    assert known is not None
    found = known()
    assert found.head.kernel.shape == (1280, len(found.labels))
    assert found.head.kernel.dtype == np.float32
    assert "3001" in found.labels
    assert len(found.labels) == 600


def test_backbone__parts_that_it_says_it_knows_are_those_of_its_layer() -> None:
    known = resolve("packaged:mobilenet_v2_bricks").known
    assert known is not None
    labels = known().labels
    assert all(map(is_known_part, labels))
    numbers = range(100_000)
    assert sum(is_known_part(str(number)) for number in numbers) == len(labels)


def test_auto__tries_it_where_it_knows_a_class_by_name() -> None:
    general = "packaged:efficientnet_lite0"
    bricks = "packaged:mobilenet_v2_bricks@size=160"
    assert backbone_candidates(["3001_brick_2x4", "dog"]) == (general, bricks)
    assert backbone_candidates(["3068a", "dog"]) == (general, bricks)
    assert backbone_candidates(["red", "blue", "1", "2024"]) == (general,)
    assert backbone_candidates(["brick 2x4", "plate 3001"]) == (general,)


@pytest.mark.tf
def test_weights__that_are_damaged(tmp_path: Path) -> None:
    cut = tmp_path / "cut.npz"
    cut.write_bytes(PACK.backbones[0].file.read_bytes()[:-1000])
    for read in (known_classes, lambda path: load(path, 32)):
        with pytest.raises(BackboneError, match=r"cut\.npz is damaged.*Install bricksight again"):
            read(cut)
