"""What to use instead of an option that a command does not have."""

from bricksight.cli._options import GRADIENT_DESCENT, SECTIONS

_PHOTOS_FIRST = {
    "train": "train PHOTOS",
    "crossval": "crossval PHOTOS",
    "check": "check PHOTOS",
    "evaluate": "evaluate MODEL PHOTOS",
}

_OTHER_NAMES = {"tfhub_module": "backbone", "bottleneck_dir": "feature_cache_dir"}


def hint(command: str, option: str) -> str | None:
    """Return a sentence that says what to use instead, ``None`` if nothing is known.

    Args:
        command: name of the command, such as ``train``.
        option: the option as given, such as ``--image_dir=photos``.
    """
    name = option.partition("=")[0].lstrip("-").replace("-", "_")
    if command == "retrain":
        return _hint_of_retrain(name)
    if name == "image_dir" and command in _PHOTOS_FIRST:
        return f"The folder of photos is an argument: bricksight {_PHOTOS_FIRST[command]}"
    if command not in ("train", "crossval"):
        return None
    if name in GRADIENT_DESCENT:
        return "It is a flag of retrain.py; use `bricksight retrain`."
    if name in _OTHER_NAMES:
        return f"Use --{_OTHER_NAMES[name]}."
    return None


def _hint_of_retrain(name: str) -> str | None:
    from dataclasses import fields

    from bricksight.config import user_name

    known = {user_name(one.name) for kind in SECTIONS.values() for one in fields(kind)}
    if name in known or name in ("json", "quiet", "verbose"):
        return "retrain.py has no such flag; use `bricksight train PHOTOS`."
    return None
