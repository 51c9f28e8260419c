"""All settings of a training, in sections."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._augment import AugmentConfig
from bricksight.config._backbone import BackboneConfig
from bricksight.config._checks import user_name
from bricksight.config._data import DataConfig
from bricksight.config._head import HeadConfig
from bricksight.config._output import FilesConfig, OutputConfig
from bricksight.config._paths import AnyPath
from bricksight.config._split import SplitConfig
from bricksight.config._tuning import FineTuneConfig
from bricksight.config._types import given
from bricksight.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """All settings of a training, in sections; ``of`` takes them by name.

    Attributes:
        data: The photos.
        split: How they are split into training, validation and test.
        augmentation: Random changes of the training photos. By default the training chooses them.
        backbone: The pretrained network.
        head: How the classification layer is trained.
        finetuning: Whether and how the backbone's own weights are trained.
        output: The bundle, and what is printed.
        files: Files outside the bundle.
    """

    data: DataConfig
    split: SplitConfig = field(default_factory=SplitConfig)
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    finetuning: FineTuneConfig = field(default_factory=FineTuneConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    files: FilesConfig = field(default_factory=FilesConfig)

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        for name, kind in _SECTIONS.items():
            given(getattr(self, name), kind, name)

    @classmethod
    def of(cls, image_dir: AnyPath, **settings: Any) -> "TrainingConfig":
        """Return the configuration with these settings.

        Args:
            image_dir: folder of photos, one sub-folder per class.
            **settings: fields of any section by name, such as ``group_by`` or ``recipe``;
                ``backbone`` as a reference such as ``keras:MobileNetV2``; or whole sections, such
                as ``head=HeadConfig(...)``, which replace all fields of theirs.

        Raises:
            ConfigError: a setting does not exist or has an invalid value.
        """
        settings["image_dir"] = image_dir
        # "head" and "backbone" are names of sections and of settings.
        sections: dict[str, Any] = {
            name: settings.pop(name)
            for name, kind in _SECTIONS.items()
            if isinstance(settings.get(name), kind)
        }
        for name, kind in _SECTIONS.items():
            own = {
                one.name: settings.pop(user_name(one.name))
                for one in fields(kind)
                if user_name(one.name) in settings
            }
            if own and name in sections:
                given_twice = ", ".join(map(user_name, own))
                raise ConfigError(
                    f"{given_twice} is given as well as {name}, which contains it. Give one of "
                    "them."
                )
            if own:
                sections[name] = kind(**own)
        if settings:
            unknown = ", ".join(settings)
            raise ConfigError(f"{unknown} is not a setting of the training. {_near(settings)}")
        return cls(**sections)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the settings by section, as plain values with absolute paths."""
        return {
            name: {
                one: str(value.absolute()) if isinstance(value, Path) else value
                for one, value in section.items()
            }
            for name, section in asdict(self).items()
        }


_SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "split": SplitConfig,
    "augmentation": AugmentConfig,
    "backbone": BackboneConfig,
    "head": HeadConfig,
    "finetuning": FineTuneConfig,
    "output": OutputConfig,
    "files": FilesConfig,
}


def _near(unknown: Iterable[str]) -> str:
    """Return the setting that was probably meant, or all of them."""
    known = sorted(user_name(one.name) for kind in _SECTIONS.values() for one in fields(kind))
    near = [match for name in unknown for match in get_close_matches(name, known, n=1)]
    return f"Did you mean {', '.join(near)}?" if near else f"Settings: {', '.join(known)}."
