"""Which of the networks that come with bricksight is taken."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bricksight.backbones import list_backbones
from bricksight.config import CrossValidationConfig, SplitConfig, TrainingConfig
from bricksight.training import backbone_selection, cross_validate, train
from helpers.photos import write_photo_folder
from helpers.tiny_backbones import tiny_network, write_keras_file


@pytest.fixture
def tiny_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Puts a network that sees nothing first, and one that sees colours second."""
    blind = tiny_network()
    blind.set_weights([0 * weights for weights in blind.get_weights()])
    references = {
        name: f"saved_model:{write_keras_file(tmp_path / f'{name}.keras', network)}"
        for name, network in (("blind", blind), ("seeing", tiny_network()))
    }
    both = tuple(references.values())
    monkeypatch.setattr(backbone_selection, "backbone_candidates", lambda labels: both)
    return references


def chosen_in(result: Any) -> dict[str, float]:
    found: dict[str, float] = result.findings.trained.choices["held_out_cross_entropy_by_backbone"]
    return found


def test_candidates__the_general_one_is_in_the_catalogue_and_alone_where_no_name_is_known() -> None:
    assert backbone_selection.GENERAL_BACKBONE in {spec.reference for spec in list_backbones()}
    assert backbone_selection.backbone_candidates(["a", "b"]) == (
        backbone_selection.GENERAL_BACKBONE,
    )
    assert TrainingConfig.of(image_dir=Path("photos")).backbone.reference == "auto"


@pytest.mark.tf
def test_retrain__takes_the_network_that_tells_held_out_photos_apart(
    tmp_path: Path, tiny_candidates: dict[str, str]
) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=12)
    result = train(TrainingConfig.of(image_dir=folder, out=tmp_path / "bundle"))
    losses = chosen_in(result)
    assert result.findings.compiled.backbone.reference == tiny_candidates["seeing"]
    assert losses[tiny_candidates["seeing"]] < losses[tiny_candidates["blind"]]
    assert result.findings.test.accuracy is not None
    assert result.findings.test.accuracy > 0.8


@pytest.mark.tf
def test_retrain__takes_the_first_network_where_nothing_can_tell(
    tmp_path: Path, tiny_candidates: dict[str, str]
) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=4)
    result = train(
        replace(
            TrainingConfig.of(image_dir=folder, out=tmp_path / "bundle"),
            split=SplitConfig(group_by="(.*)/"),
        ),  # a class is one group
    )
    assert result.findings.compiled.backbone.reference == tiny_candidates["blind"]
    assert chosen_in(result) == {}


@pytest.mark.tf
def test_retrain__takes_the_network_that_is_named(
    tmp_path: Path, tiny_candidates: dict[str, str]
) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=6)
    blind = tiny_candidates["blind"]
    result = train(TrainingConfig.of(image_dir=folder, out=tmp_path / "bundle", backbone=blind))
    assert result.findings.compiled.backbone.reference == blind
    assert chosen_in(result) == {}


@pytest.mark.tf
@pytest.mark.usefixtures("tiny_candidates")
def test_crossval__takes_a_network_in_each_fold(tmp_path: Path) -> None:
    folder = write_photo_folder(tmp_path / "photos", per_class=12)
    result = cross_validate(
        TrainingConfig.of(image_dir=folder), folds=CrossValidationConfig(folds=2, seeds=1)
    )
    assert result.accuracies[0] > 0.8
