"""One training: every setting, in sections."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._augment import AugmentConfig
from bricksight.config._backbone import BackboneConfig
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
    """Every setting of one training, in sections; see ``of`` to give them by name.

    Attributes:
        data: The photos.
        split: How they are dealt to training, validation and testing.
        augmentation: Random changes of the training photos; without any, the recipe chooses them.
        backbone: The pretrained network.
        head: How the classification layer is trained.
        finetuning: Whether and how the backbone's own weights are trained.
        output: The model folder, and what is told.
        files: What is written elsewhere.
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
        """Returns the configuration with these settings.

        Args:
            image_dir: folder of photos, one sub-folder a class.
            **settings: fields of any section by name, such as ``group_by`` or ``recipe``, or whole
                sections, such as ``head=HeadConfig(...)``, which say all of theirs.

        Raises:
            ConfigError: there is no such setting, or it has a value that cannot be used.
        """
        settings["image_dir"] = image_dir
        # "head" is a section and a field of it.
        sections: dict[str, Any] = {
            name: settings.pop(name)
            for name, kind in _SECTIONS.items()
            if isinstance(settings.get(name), kind)
        }
        for name, kind in _SECTIONS.items():
            own = {one: settings.pop(one) for one in _fields(kind) if one in settings}
            if own and name in sections:
                raise ConfigError(
                    f"{', '.join(own)} is given beside {name}, which holds it. Give one of them."
                )
            if own:
                sections[name] = kind(**own)
        if settings:
            known = sorted(one for kind in _SECTIONS.values() for one in _fields(kind))
            raise ConfigError(
                f"{', '.join(settings)} is no setting of a training. There are: {', '.join(known)}."
            )
        return cls(**sections)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Returns the settings by section, with plain values; paths are absolute."""
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


def _fields(kind: type) -> list[str]:
    return [one.name for one in fields(kind)]
