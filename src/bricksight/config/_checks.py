"""Range checks shared by the settings."""

from bricksight.errors import ConfigError

_OPTIONS = {"reference": "backbone"}
"""Fields whose option, and whose keyword in Python, has another name."""


def user_name(field: str) -> str:
    """Return the name under which users give a field: as an option or as a keyword."""
    return _OPTIONS.get(field, field)


def require_range(config: object, name: str, low: float, high: float) -> None:
    """Raise ConfigError unless the field is ``None`` or between ``low`` and ``high``."""
    value = getattr(config, name)
    if value is not None and not low <= value <= high:
        raise ConfigError(f"--{name} is {value}; it must be from {low} to {high}.")


def require_photos(config: object, name: str) -> None:
    """Raise ConfigError if a number of photos is 0."""
    if getattr(config, name) == 0:
        raise ConfigError(f"--{name} is 0; it must be a number of photos, or -1 for all of them.")
