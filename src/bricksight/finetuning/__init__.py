"""Fine-tuning: a backbone's own weights are trained together with the head."""

from bricksight.finetuning.batches import NO_CLASS, Mixture, Pictures, read_pictures
from bricksight.finetuning.trainer import Begun, EpochSeen, Stage, Trainer, TrainerOptions

__all__ = [
    "NO_CLASS",
    "Begun",
    "EpochSeen",
    "Mixture",
    "Pictures",
    "Stage",
    "Trainer",
    "TrainerOptions",
    "read_pictures",
]
