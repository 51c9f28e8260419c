"""Label issues: photos whose labels are probably wrong, by models that were not trained on them.

Confident learning (C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty
in dataset labels", JAIR 70, 2021, arXiv 1911.00068), by its authors' package cleanlab.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bricksight._support.optional import require, require_installed
from bricksight._support.text import pluralize
from bricksight.dataset import Dataset
from bricksight.quality import write_captioned_sheet

_MAX_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class LabelIssue:
    """A photo whose label is probably wrong.

    Attributes:
        path: Below ``image_dir``.
        label: Its class.
        looks_like: The class that it probably shows.
        probability: Probability of that class, 0 to 1.
    """

    path: str
    label: str
    looks_like: str
    probability: float


def require_cleanlab() -> None:
    """Refuse to look for label issues without cleanlab, before any work.

    Raises:
        MissingPackageError: cleanlab is not installed.
    """
    require_installed("cleanlab", extra="labels", feature="Finding wrong labels")


def find_label_issues(data: Dataset, probabilities: np.ndarray) -> tuple[LabelIssue, ...]:
    """Return the label issues, the most probable first.

    Args:
        data: the photos.
        probabilities: of all examples, float32 (num_examples, num_classes), by models that were not
            trained on them.

    Raises:
        MissingPackageError: cleanlab is not installed.
    """
    cleanlab = require("cleanlab.filter", extra="labels", feature="Finding wrong labels")
    labels = data.label_indices(data.examples)
    # cleanlab needs photos of every class.
    present = np.unique(labels)
    shares = probabilities[:, present].astype(np.float64)
    rows = cleanlab.find_label_issues(
        labels=np.searchsorted(present, labels),
        pred_probs=shares / shares.sum(axis=1, keepdims=True),
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,
    )
    return tuple(
        LabelIssue(
            path=data.examples[row].relative_path,
            label=data.examples[row].label,
            looks_like=data.labels[probabilities[row].argmax()],
            probability=float(probabilities[row].max()),
        )
        for row in rows
    )


def show_label_issues(path: Path, data: Dataset, suspects: tuple[LabelIssue, ...]) -> None:
    """Write a contact sheet of the most probable label issues; nothing without any."""
    if not suspects:
        return
    shown = suspects[:_MAX_SHOWN]
    title = f"Labels that are probably wrong  ({pluralize(len(suspects), 'photo')}"
    title += ")" if len(shown) == len(suspects) else f", the first {len(shown)})"
    photos = [(data.image_dir / one.path, f"{one.label}: {one.looks_like}?") for one in shown]
    write_captioned_sheet(path, photos, title=title)
