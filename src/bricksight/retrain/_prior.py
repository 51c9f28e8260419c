"""What the network knows of the classes by their names, before it has seen a photo of them."""

import logging

import numpy as np

from bricksight.bundle import Head
from bricksight.retrain._photos import Photos

_LEAST_RIGHT = 0.25
"""Share of the training photos of known classes that have to be answered rightly among these: names
may be the same by chance."""

_LOGGER = logging.getLogger(__name__)


def prior_head(photos: Photos) -> Head | None:
    """Returns the layer by which the network tells the classes apart already.

    It knows nothing of classes whose names it does not know, and uses the network's own features
    alone where there are further ones. ``None`` where it knows none, or where the training photos
    show something else.
    """
    known = photos.own.known
    found = None if known is None else known().head_for(photos.data.labels)
    if found is None:
        return None
    head, is_known = found
    _, examples = photos.plain("training")
    rows = is_known[examples.labels]
    if not rows.any():
        return None
    logits = head.logits(examples.plain()[rows, : len(head.kernel)])
    logits[:, ~is_known] = -np.inf
    right = float((logits.argmax(axis=1) == examples.labels[rows]).mean())
    told = (
        f"{int(is_known.sum())} of {len(is_known)} classes have the numbers of parts that "
        f"{photos.own.reference} knows; it answers {100 * right:.0f} % of their training photos "
        "rightly before any training"
    )
    if right < _LEAST_RIGHT:
        _LOGGER.warning("%s, too few for what it knows to be used.", told)
        return None
    photos.watch.say_once(f"{told}.")
    further = photos.compiled.num_features - len(head.kernel)
    return Head(kernel=np.pad(head.kernel, ((0, further), (0, 0))), bias=head.bias)
