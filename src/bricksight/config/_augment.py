"""Settings of random augmentation."""

from dataclasses import dataclass, fields

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_range
from bricksight.config._types import take_types


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of training photos. 0 or false turns a change off.

    Attributes:
        flip_left_right: Flip half of the copies horizontally.
        random_crop: Enlarge by this many percent, then crop a random part of the input size.
        random_scale: Enlarge by up to this many percent more before the crop.
        random_brightness: Multiply pixel values by a factor up to this many percent from 1.
        random_rotation: Rotate by up to this many degrees either way. 180 allows any angle.
        random_shrink: Shrink by up to this many percent, so that rotated objects stay in the frame.
        random_translation: Shift by up to this many percent of the width and height.
        flip_up_down: Flip half of the copies vertically. This mirrors the object.
        random_contrast: Change the contrast by up to this many percent.
        random_saturation: Change the saturation by up to this many percent.
        random_hue: Shift the hue by up to this many degrees of the colour circle.
        random_blur: Gaussian blur with a standard deviation of up to this many pixels.
        random_noise: Gaussian noise with a standard deviation of up to this many percent of white.
        random_erasing: Cover a random rectangle of up to this many percent of the area.
    """

    flip_left_right: bool = False
    random_crop: float = 0
    random_scale: float = 0
    random_brightness: float = 0
    random_rotation: float = 0
    random_shrink: float = 0
    random_translation: float = 0
    flip_up_down: bool = False
    random_contrast: float = 0
    random_saturation: float = 0
    random_hue: float = 0
    random_blur: float = 0
    random_noise: float = 0
    random_erasing: float = 0

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        highest = {
            "random_rotation": 180,
            "random_hue": 180,
            "random_blur": 20,
            "random_crop": 400,
            "random_scale": 400,
        }
        for field in fields(self):
            if not isinstance(getattr(self, field.name), bool):
                require_range(self, field.name, 0, highest.get(field.name, 100))

    @property
    def is_identity(self) -> bool:
        """Whether augmentation leaves every photo as it is."""
        return self == AugmentConfig()
