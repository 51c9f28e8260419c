"""The single definition of preprocessing: arrays in, arrays out.

``decode`` turns any picture file into RGB pixels, ``to_input`` turns pixels into what a network
takes, ``load_input`` does both, and ``augment`` makes a random view for training.

What only training needs is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from bricksight._support.lazy import on_use
from bricksight.images.changing.empty_scene import foreground_mask
from bricksight.images.given import Photo, Source, is_array, rgb_pixels
from bricksight.images.preprocessing import decoding_size, load_input, shrink, to_input, to_pixels
from bricksight.images.reading.decoding import MAX_PIXELS, ImageProbe, decode, holding_pixels, probe

if TYPE_CHECKING:
    from bricksight.images.changing.augmentation import AUGMENTATIONS, augment
    from bricksight.images.changing.foreground_masks import (
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
    "holding_pixels",
    "is_array",
    "load_input",
    "probe",
    "rgb_pixels",
    "shrink",
    "to_input",
    "to_pixels",
]

_ROOM_OF = {
    "AUGMENTATIONS": "changing.augmentation",
    "Backgrounds": "changing.foreground_masks",
    "ForegroundMasks": "changing.foreground_masks",
    "augment": "changing.augmentation",
    "encode_mask": "changing.foreground_masks",
    "find_backgrounds": "changing.foreground_masks",
}

__getattr__, __dir__ = on_use(__name__, _ROOM_OF)
