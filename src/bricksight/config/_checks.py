"""What settings may be."""

from bricksight.errors import ConfigError


def require_range(config: object, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    if value is not None and not low <= value <= high:
        raise ConfigError(f"--{name} is {value}; it must be from {low} to {high}.")


def require_photos(config: object, name: str) -> None:
    if getattr(config, name) == 0:
        raise ConfigError(f"--{name} is 0; it must be a number of photos, or -1 for all of them.")
