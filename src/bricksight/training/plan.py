"""The steps of a run, for its progress display: titles, and roughly how long each takes."""

from bricksight.config import AUTO_BACKBONE, TrainingConfig

READING = "Reading photos"
FEATURES = "Computing features"
SELECTING_BACKBONE = "Selecting the backbone"
HEAD = "Training the head"
FINE_TUNING = "Fine-tuning"
EVALUATING = "Evaluating"
WRITING = "Writing files"
CROSS_VALIDATING = "Cross-validating"

_NUM_PHOTOS = 1000  # until they are counted
_FEATURES_PER_SECOND = 300.0
_FINE_TUNED_PER_SECOND = 150.0
_HEAD_SECONDS = 10.0


def training_plan(config: TrainingConfig, num_photos: int = _NUM_PHOTOS) -> dict[str, float]:
    """Return the steps of ``train``: title → expected seconds on a laptop.

    Args:
        config: the settings.
        num_photos: how many photos are trained on.
    """
    plan = {READING: 1.0, FEATURES: num_photos / _FEATURES_PER_SECOND}
    if config.backbone.reference == AUTO_BACKBONE:
        plan[SELECTING_BACKBONE] = 1.0
    tuning = config.finetuning
    if not tuning.trains_network or tuning.keeps_better:
        plan[HEAD] = _HEAD_SECONDS
    if tuning.trains_network:
        seen = num_photos * (tuning.fine_tune_epochs or 1)
        plan[FINE_TUNING] = tuning.budget_seconds or seen / _FINE_TUNED_PER_SECOND
    return plan | {EVALUATING: 1.0, WRITING: 5.0}


def cross_validation_plan(
    config: TrainingConfig, *, num_models: int, num_photos: int = _NUM_PHOTOS
) -> dict[str, float]:
    """Return the steps of ``cross_validate``: title → expected seconds on a laptop."""
    one = training_plan(config, num_photos)
    seconds = one.get(HEAD, 0.0) + one.get(FINE_TUNING, 0.0)
    return {
        READING: one[READING],
        FEATURES: one[FEATURES],
        CROSS_VALIDATING: num_models * seconds,
    }
