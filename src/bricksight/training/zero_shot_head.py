"""What the network knows of the classes by their names, before it has seen a photo of them."""

import logging
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from bricksight._support.text import pluralize
from bricksight.bundle import Head
from bricksight.features.featurized_dataset import FeaturizedDataset

_LEAST_RIGHT = 0.25
"""Share of the training photos of known classes that have to be answered rightly among these: names
may be the same by chance."""

_MOST_OTHERS = 128
"""Of what else the network knows, how much is kept."""

_LOGGER = logging.getLogger(__name__)


def make_zero_shot_head(photos: FeaturizedDataset) -> Head | None:
    """Returns the layer by which the network tells the classes apart already.

    It knows nothing of classes whose names it does not know, and uses the network's own features
    alone where there are further ones. What else the network knows is its ``background``, as far as
    the training photos look like it, but for what most of those of a class look like: that is the
    class, under another name. ``None`` where it knows none, or where the training photos show
    something else.
    """
    known = photos.own.known
    found = None if known is None else known().head_for(photos.data.labels)
    if found is None:
        return None
    head, is_known = found
    _, labeled = photos.plain("training")
    rows = is_known[labeled.labels]
    if not rows.any():
        return None
    features = labeled.plain()[:, : len(head.kernel)]
    logits = head.logits(features[rows])
    logits[:, ~is_known] = -np.inf
    right = float((logits.argmax(axis=1) == labeled.labels[rows]).mean())
    told = (
        f"{photos.own.reference} knows {int(is_known.sum())} of "
        f"{pluralize(len(is_known), 'class', 'classes')} by name; it answers "
        f"{100 * right:.0f} % of their training photos correctly before any training"
    )
    if right < _LEAST_RIGHT:
        _LOGGER.warning("%s, too few for what it knows to be used.", told)
        return None
    photos.watch.say_once(f"{told}.")
    head = _with_nearest(head, features, labeled.labels)
    return _widened(head, photos.compiled.num_features)


def _with_nearest(head: Head, features: np.ndarray, labels: np.ndarray) -> Head:
    """Returns the layer with those of ``background`` that the photos might be taken for.

    What is most probable for half of a class is that class. Of the rest the likeliest are kept,
    since each is a column of the last layer in every exported file.
    """
    if head.background is None:
        return head
    shares = softmax(head.flat.logits(features), axis=1)
    nearest = shares.argmax(axis=1) - len(head.bias)
    shares = shares[:, len(head.bias) :].mean(axis=0)
    for label in np.unique(labels):
        found, counts = np.unique(nearest[labels == label], return_counts=True)
        are_the_class = found[(counts > counts.sum() / 2) & (found >= 0)]
        shares[are_the_class] = -1
    order = np.argsort(-shares, kind="stable")[: min(_MOST_OTHERS, int((shares >= 0).sum()))]
    return replace(head, background=head.background.columns(np.sort(order)))


def _widened(head: Head, num_features: int) -> Head:
    """Returns a layer that takes further features and does not use them."""
    further = num_features - len(head.kernel)
    return Head(
        kernel=np.pad(head.kernel, ((0, further), (0, 0))),
        bias=head.bias,
        background=None if head.background is None else _widened(head.background, num_features),
    )
