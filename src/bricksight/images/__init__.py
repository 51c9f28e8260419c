"""Image decoding, preprocessing and augmentation, the same for training and prediction.

``decode`` reads an image file as RGB pixels. ``to_input`` resizes pixels to a network's input.
``load_input`` does both. ``augment`` applies random transforms to a training image.

Names that only training needs are imported on first use.
"""

from typing import TYPE_CHECKING

from bricksight._support.lazy import on_use
from bricksight.images.augmentation.background_subtraction import foreground_mask
from bricksight.images.inputs import Photo, Source, is_array, rgb_pixels
from bricksight.images.preprocessing import decoding_size, load_input, shrink, to_input, to_pixels
from bricksight.images.reading.decoding import MAX_PIXELS, ImageProbe, decode, probe, reserve_memory

if TYPE_CHECKING:
    from bricksight.images.augmentation.augment import AUGMENTATIONS, augment
    from bricksight.images.augmentation.foreground_masks import (
        Backgrounds,
        ForegroundMasks,
        encode_mask,
        find_backgrounds,
    )

__all__ = [
    "AUGMENTATIONS",
    "MAX_PIXELS",
    "Backgrounds",
    "ForegroundMasks",
    "ImageProbe",
    "Photo",
    "Source",
    "augment",
    "decode",
    "decoding_size",
    "encode_mask",
    "find_backgrounds",
    "foreground_mask",
    "is_array",
    "load_input",
    "probe",
    "reserve_memory",
    "rgb_pixels",
    "shrink",
    "to_input",
    "to_pixels",
]

_MODULE_OF = {
    "AUGMENTATIONS": "augmentation.augment",
    "Backgrounds": "augmentation.foreground_masks",
    "ForegroundMasks": "augmentation.foreground_masks",
    "augment": "augmentation.augment",
    "encode_mask": "augmentation.foreground_masks",
    "find_backgrounds": "augmentation.foreground_masks",
}

__getattr__, __dir__ = on_use(__name__, _MODULE_OF)
