"""Random views of training photos, from a seeded generator.

A network that has seen each photo a little turned, shifted, lit otherwise and half hidden relies
less on what happened to be so in that one photo. There are two kinds: framings decide which part of
the photo is seen and how it is turned, and are carried out together in one resampling; changes act
on the view at the network's size. Between them the part may be put before another background; see
``cutouts.py``. To add one: a function and a line of the table in ``framing.py`` or ``changes.py``,
and a field of the same name in ``AugmentConfig``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from bricksight.config import AugmentConfig, InputSpec
from bricksight.images.changing.changes import CHANGES
from bricksight.images.changing.foreground_masks import Backgrounds, over_background
from bricksight.images.changing.framing import FRAMINGS, GeometricTransform, take_view
from bricksight.images.preprocessing import pad, scale_to_unit

AUGMENTATIONS: Mapping[str, Callable[..., object]] = MappingProxyType({**FRAMINGS, **CHANGES})
"""Field of ``AugmentConfig`` → what it does, in order of application."""

_CHANNELS_WITH_MASK = 4


def augment(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    config: AugmentConfig,
    spec: InputSpec,
    backgrounds: Backgrounds | None = None,
) -> np.ndarray:
    """Return one random view of a photo: float32, (height, width, 3), RGB in [0, 1].

    With ``AugmentConfig()`` it equals ``to_input(image, spec)``. The same state of the generator
    gives the same view. Values are clipped to [0, 1], once, at the end; retrain.py did not clip
    and so trained on brighter inputs than any photo is. With "letterbox", the grey around the photo
    stays as it is in prediction.

    Args:
        image: uint8, (height, width, 3), RGB: the decoded photo, at best larger than the input. A
            fourth channel, 255 where the part is, lets the background be replaced.
        rng: draws the random numbers; none for a setting that is 0 or false.
        config: how much of what.
        spec: the network's size.
        backgrounds: what to put behind the part, and how often.
    """
    framing = GeometricTransform(width=image.shape[1], height=image.shape[0])
    for name, frame in FRAMINGS.items():
        if amount := getattr(config, name):
            framing = frame(framing, rng, amount=amount)
    has_mask = image.shape[2] == _CHANNELS_WITH_MASK
    if backgrounds is not None and has_mask and 100 * rng.random() < backgrounds.percent:
        view = over_background(take_view(image, framing, spec), rng, backgrounds)
    else:
        view = scale_to_unit(np.asarray(take_view(image[..., :3], framing, spec)))
    for name, change in CHANGES.items():
        if amount := getattr(config, name):
            view = change(view, rng, amount=amount)
    return pad(np.clip(view, np.float32(0), np.float32(1)), spec)
