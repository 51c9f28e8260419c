"""Augment a training image with random transforms.

There are two kinds of transforms. Geometric transforms (``geometric.py``) rotate, shift and crop
the photo; they are combined and applied in one resampling. Pixel transforms
(``pixel_transforms.py``) act on the resized image. Between the two, the background may be replaced
(``foreground_masks.py``).

To add a transform, write a function, add it to the table of its file, and add a field of the same
name to ``AugmentConfig``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from bricksight.config import AugmentConfig, InputSpec
from bricksight.images.augmentation.foreground_masks import Backgrounds, composite
from bricksight.images.augmentation.geometric import (
    GEOMETRIC_TRANSFORMS,
    GeometricTransform,
    apply_transform,
)
from bricksight.images.augmentation.pixel_transforms import PIXEL_TRANSFORMS
from bricksight.images.preprocessing import pad, scale_to_unit

AUGMENTATIONS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {**GEOMETRIC_TRANSFORMS, **PIXEL_TRANSFORMS}
)
"""Field of ``AugmentConfig`` → its transform, in order of application."""

_CHANNELS_WITH_MASK = 4


def augment(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    config: AugmentConfig,
    spec: InputSpec,
    backgrounds: Backgrounds | None = None,
) -> np.ndarray:
    """Apply random transforms to a photo: float32, (height, width, 3), RGB in [0, 1].

    With ``AugmentConfig()`` the result equals ``to_input(image, spec)``. The same generator state
    gives the same image. Values are clipped to [0, 1] once, at the end. (retrain.py did not clip,
    so it trained on brighter inputs than any photo has.) With "letterbox", the grey padding is not
    transformed, as in prediction.

    Args:
        image: The decoded photo, uint8, (height, width, 3), RGB, preferably larger than the input.
            Its background can be replaced only if it has a fourth channel, 255 in the foreground.
        rng: Random generator; a setting of 0 or false draws no numbers.
        config: The strength of each transform.
        spec: The input size and the resize mode.
        backgrounds: Replacement backgrounds and how often they are used.
    """
    transform = GeometricTransform(width=image.shape[1], height=image.shape[0])
    for name, add_random in GEOMETRIC_TRANSFORMS.items():
        if amount := getattr(config, name):
            transform = add_random(transform, rng, amount=amount)
    has_mask = image.shape[2] == _CHANNELS_WITH_MASK
    if backgrounds is not None and has_mask and 100 * rng.random() < backgrounds.percent:
        augmented = composite(apply_transform(image, transform, spec), rng, backgrounds)
    else:
        augmented = scale_to_unit(np.asarray(apply_transform(image[..., :3], transform, spec)))
    for name, change in PIXEL_TRANSFORMS.items():
        if amount := getattr(config, name):
            augmented = change(augmented, rng, amount=amount)
    return pad(np.clip(augmented, np.float32(0), np.float32(1)), spec)
