"""Fine-tune a backbone: train its own weights together with the head."""

from bricksight.finetuning.batches import NO_CLASS, BatchGenerator, ImageSet, read_image_set
from bricksight.finetuning.trainer import EpochMetrics, ResumeState, Stage, Trainer, TrainerOptions

__all__ = [
    "NO_CLASS",
    "BatchGenerator",
    "EpochMetrics",
    "ImageSet",
    "ResumeState",
    "Stage",
    "Trainer",
    "TrainerOptions",
    "read_image_set",
]
