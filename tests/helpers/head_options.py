"""Head training without any option set."""

from bricksight.config import AugmentConfig, HeadConfig
from bricksight.training.options import HeadTrainingOptions

UNASKED = HeadTrainingOptions(
    config=HeadConfig(),
    augment=AugmentConfig(),
    checkpoint_path=None,
    resume=False,
    observer=lambda *_: None,
    after_step=None,
)
"""Nothing is asked for; the recipe decides all."""
