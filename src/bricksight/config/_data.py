"""The photos that are trained on."""

from dataclasses import dataclass
from pathlib import Path

from bricksight.config._paths import input_path, take_paths
from bricksight.config._types import take_types
from bricksight.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The photos that are trained on.

    Attributes:
        image_dir: Folder of photos, one sub-folder a class.
        strict: Stop at the first problem with the photos instead of setting bad ones aside.
        extra_train_dir: Folder of further photos to train on, such as renders, one sub-folder a
            class; none of them is validated or tested on.
        extra_share: Weight of a class's further photos in the training, as a share of the class: 0
            to 1, strictly between.
        unknown_dir: Folder of out-of-class photos, such as junk or the empty scene; the
            model learns to answer "unknown" to them.
        rejection_rate: Percent of the photos of known classes that may be answered "unknown".
        masks: Folder of masks, such as renders come with: for a photo
            red/1.jpg the PNG red/1.png, 255 on the object. Random views show other backgrounds.
        empty_scene: Photo of the empty scene by the same camera; the object is where a photo
            differs from it. Photos that have a mask are not compared.
        replace_background: Percent of the random views of such photos that show another background.
        backgrounds: Folder of photos to put behind the objects; without it, plain colours and
            gradients.
    """

    image_dir: Path
    strict: bool = False
    extra_train_dir: Path | None = None
    extra_share: float = 0.5
    unknown_dir: Path | None = None
    rejection_rate: float = 5
    masks: Path | None = None
    empty_scene: Path | None = None
    replace_background: float = 50
    backgrounds: Path | None = None

    def __post_init__(self) -> None:
        take_types(self)
        take_paths(self)
        input_path(self.image_dir, "--image_dir")
        self._require_cutouts()
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
        """Whether something says where the objects on photos are."""
        return self.masks is not None or self.empty_scene is not None

    def _require_cutouts(self) -> None:
        if not 0 < self.replace_background <= 100:
            raise ConfigError(
                f"--replace_background is {self.replace_background}; it is in percent and must be "
                "over 0 and at most 100. Leave out --masks and --empty_scene to replace none."
            )
        for name in ("replace_background", "backgrounds"):
            value = getattr(self, name)
            if not self.cuts_out and value != getattr(DataConfig, name):
                raise ConfigError(
                    f"--{name} {value} does nothing where objects are not known from their "
                    "background. Add --masks DIR or --empty_scene PHOTO, or leave it out."
                )
