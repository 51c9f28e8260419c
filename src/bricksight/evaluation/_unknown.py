"""When a classifier should rather say "unknown"."""

import numpy as np

MAX_REFUSED = 0.05
"""Share of the right answers on validation photos that may be given up."""

ENOUGH_RIGHT = 30
"""With fewer right answers the threshold hangs on one or two photos."""


def unknown_threshold(probabilities: np.ndarray, label_indices: np.ndarray) -> float | None:
    """Returns the highest threshold that gives up at most 5 % of the right answers.

    Answers whose highest probability is below it are "unknown". The highest probability is the
    baseline of Hendrycks and Gimpel 2017 (arXiv 1610.02136). Choose it on photos that the
    classifier was not trained on.

    Args:
        probabilities: float32 (num_images, num_classes).
        label_indices: int (num_images,).

    Returns:
        The threshold, from 0 to 1; ``None`` where no answer is right, so that there is nothing to
        choose it by.
    """
    right = probabilities.argmax(axis=1) == label_indices
    if not right.any():
        return None
    confidence = np.sort(probabilities.max(axis=1)[right])
    return float(confidence[int(MAX_REFUSED * len(confidence))])
