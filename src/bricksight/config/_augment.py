"""Settings of the random views."""

from dataclasses import dataclass, fields

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._checks import require_range
from bricksight.config._types import take_types


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes to training photos; 0 or false leaves the photo as it is.

    Attributes:
        flip_left_right: Mirror half of the views.
        random_crop: Enlarge by this many percent and cut a random part of the network's size.
        random_scale: Enlarge further by up to this many percent before the cut.
        random_brightness: Multiply by a number up to this many percent above or below 1.
        random_rotation: Turn by up to this many degrees either way; 180 is any angle.
        random_shrink: Move away by up to this many percent, so that what is turned stays in view.
        random_translation: Shift by up to this many percent of each side.
        flip_up_down: Turn half of the views upside down (a mirror image, not a rotation).
        random_contrast: Change the contrast by up to this many percent.
        random_saturation: Change the saturation by up to this many percent.
        random_hue: Turn the colours by up to this many degrees of the colour circle.
        random_blur: Blur with a Gaussian of up to this standard deviation, in pixels.
        random_noise: Add Gaussian noise of up to this standard deviation, in percent of white.
        random_erasing: Cover a rectangle of up to this many percent of the area.
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
        """Whether every view equals the photo."""
        return self == AugmentConfig()
