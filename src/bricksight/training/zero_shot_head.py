"""The zero-shot head: what a backbone knows of the classes by their names, before any training."""

import logging
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.bundle import Head
from bricksight.features import FeaturizedDataset

_MIN_ACCURACY = 0.25
"""Least share of the training photos of known classes that the head has to classify correctly among
these classes: names may be the same by chance."""

_MAX_BACKGROUND = 128
"""Most background classes that are kept."""

_LOGGER = logging.getLogger(__name__)


def make_zero_shot_head(dataset: FeaturizedDataset, progress: Progress) -> Head | None:
    """Return a head for the classes that the backbone knows by name, or ``None``.

    Classes that the backbone does not know get the mean of the known logits. Only last-layer
    features are used. Other things that the backbone knows become background classes, if the
    training photos look like them; those that most photos of one class look like are left out: they
    are that class under another name. ``None`` where the backbone knows none of the classes, or the
    training photos show something else.

    Args:
        dataset: the photos and the backbone.
        progress: gets a message about what is known.
    """
    known = dataset.backbone.base.known
    found = None if known is None else known().head_for(dataset.data.labels)
    if found is None:
        return None
    head, is_known = found
    labeled = dataset.in_split("training")
    rows = is_known[labeled.labels]
    if not rows.any():
        return None
    features = labeled.original()[:, : len(head.kernel)]
    logits = head.logits(features[rows])
    logits[:, ~is_known] = -np.inf
    accuracy = float((logits.argmax(axis=1) == labeled.labels[rows]).mean())
    told = (
        f"{dataset.backbone.base.reference} knows {int(is_known.sum())} of "
        f"{pluralize(len(is_known), 'class', 'classes')} by name; it answers "
        f"{100 * accuracy:.0f} % of their training photos correctly before any training"
    )
    if accuracy < _MIN_ACCURACY:
        _LOGGER.warning("%s, too few for what it knows to be used.", told)
        return None
    progress.message_once(f"{told}.")
    head = _with_likely_background(head, features, labeled.labels)
    return _padded(head, dataset.backbone.compiled.num_features)


def _with_likely_background(head: Head, features: np.ndarray, labels: np.ndarray) -> Head:
    """Return the head with the background classes that the photos might be confused with.

    The background class that is most probable for more than half of a class is that class. Of the
    others the most probable are kept, as each is a column in every exported file.
    """
    if head.background is None:
        return head
    probabilities = softmax(head.flat.logits(features), axis=1)
    nearest = probabilities.argmax(axis=1) - len(head.bias)
    shares = probabilities[:, len(head.bias) :].mean(axis=0)
    for label in np.unique(labels):
        found, counts = np.unique(nearest[labels == label], return_counts=True)
        are_the_class = found[(counts > counts.sum() / 2) & (found >= 0)]
        shares[are_the_class] = -1
    number = min(_MAX_BACKGROUND, int((shares >= 0).sum()))
    order = np.argsort(-shares, kind="stable")[:number]
    return replace(head, background=head.background.columns(np.sort(order)))


def _padded(head: Head, num_features: int) -> Head:
    """Return a head that takes further features and ignores them."""
    further = num_features - len(head.kernel)
    return Head(
        kernel=np.pad(head.kernel, ((0, further), (0, 0))),
        bias=head.bias,
        background=None if head.background is None else _padded(head.background, num_features),
    )
