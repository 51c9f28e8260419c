"""Load the data set from its folders."""

from dataclasses import replace

from bricksight._support.progress import Progress
from bricksight.config import TrainingConfig
from bricksight.dataset import Dataset, scan, scan_extra, scan_outliers
from bricksight.training.plan import READING


def load_dataset(config: TrainingConfig, progress: Progress) -> Dataset:
    """Return the photos, with the extra photos and the outliers if the settings name any.

    Raises:
        DataError: the photos cannot be used.
    """
    photos, split = config.data, config.split
    with progress.stage(READING):
        data = scan(photos.image_dir, split=split)
        if photos.unknown_dir is not None:
            found, problems = scan_outliers(photos.unknown_dir, known=data.examples, split=split)
            data = replace(data, outliers=found, problems=(*data.problems, *problems))
        if photos.extra_train_dir is None:
            return data
        extra, problems = scan_extra(
            photos.extra_train_dir, known=data.examples, layout=split.layout
        )
        return data.with_extra(extra, problems)
