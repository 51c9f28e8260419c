"""Settings of the photos to train on."""

from dataclasses import dataclass
from pathlib import Path

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._paths import input_path, take_paths
from bricksight.config._types import take_types
from bricksight.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The photos to train on.

    Attributes:
        image_dir: Folder of photos, one sub-folder per class.
        strict: Stop at the first bad photo instead of skipping and listing it.
        extra_train_dir: Folder of extra training photos, such as renders, one sub-folder per class.
            They are never used for validation or testing.
        extra_share: Weight of a class's extra photos, as a share of the class; above 0, below 1.
        unknown_dir: Folder of photos of none of the classes, such as the empty scene, to answer
            "unknown" to.
        rejection_rate: Percent of photos of known classes that may be answered "unknown" (false
            rejection rate).
        mask_dir: Folder of foreground masks, laid out as the photos: a PNG per photo, 255 on the
            object. Augmentation then replaces the background.
        empty_scene: Photo of the empty scene from the same camera. The object is where a photo
            differs from it. Photos with a mask use the mask.
        replace_background: Percent of the augmented copies that get another background.
        background_dir: Folder of photos to use as backgrounds. By default plain colours and
            gradients.
    """

    image_dir: Path
    strict: bool = False
    extra_train_dir: Path | None = None
    extra_share: float = 0.5
    unknown_dir: Path | None = None
    rejection_rate: float = 5
    mask_dir: Path | None = None
    empty_scene: Path | None = None
    replace_background: float = 50
    background_dir: Path | None = None

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        input_path(self.image_dir, "--image_dir")
        self._require_backgrounds()
        if not 0 < self.extra_share < 1:
            raise ConfigError(
                f"--extra_share is {self.extra_share}; it must be over 0 and under 1."
            )
        if not 0 < self.rejection_rate < 100:
            raise ConfigError(
                f"--rejection_rate is {self.rejection_rate}; it is in percent and must be over "
                "0 and under 100."
            )

    @property
    def cuts_out(self) -> bool:
        """Whether the foreground of photos is known, from masks or an empty scene."""
        return self.mask_dir is not None or self.empty_scene is not None

    def _require_backgrounds(self) -> None:
        """Raise ConfigError for background settings that are out of range or have no effect."""
        if not 0 < self.replace_background <= 100:
            raise ConfigError(
                f"--replace_background is {self.replace_background}; it is in percent and must be "
                "over 0 and at most 100. To replace none, leave out --mask_dir and --empty_scene."
            )
        for name in ("replace_background", "background_dir"):
            value = getattr(self, name)
            if not self.cuts_out and value != getattr(DataConfig, name):
                raise ConfigError(
                    f"--{name} {value} has no effect: nothing says where the object is. Add "
                    "--mask_dir DIR or --empty_scene PHOTO, or leave it out."
                )
