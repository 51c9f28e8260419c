"""Parse references to backbones: ``source:name@option=value``."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bricksight.config import user_path
from bricksight.errors import BackboneError

_OPTIONS = re.compile(r"@([a-z]+=[^@,=]+(?:,[a-z]+=[^@,=]+)*)$")
# At least two letters, because "C:\\models" is a path.
_PREFIX = re.compile(r"([a-z_]{2,}):(?!//)(.*)", re.DOTALL)

FORMS = """\
  https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3
  kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2
  keras:MobileNetV2, keras:MobileNetV2@alpha=0.5,size=160
  saved_model:PATH
  packaged:efficientnet_lite0"""
"""An example of each kind of reference."""


@dataclass(frozen=True)
class Reference:
    """A parsed reference.

    Attributes:
        text: The reference as the user typed it.
        source: Key of ``SOURCES``.
        name: URL, name or path within the source, without the options.
        options: Options after ``@``.
        trust: Whether the network may be loaded even if it can access files, the network or other
            programs.
    """

    text: str
    source: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    trust: bool = False

    def require_options(self, *names: str) -> None:
        """Raise an error for options other than ``names``.

        Raises:
            BackboneError: There is another option.
        """
        unknown = sorted(set(self.options) - set(names))
        if unknown:
            allowed = f"expected {', '.join(names)}" if names else "expected no option"
            raise BackboneError(f"{self.text} has the unknown option {unknown[0]!r}; {allowed}.")

    @property
    def size(self) -> int | None:
        """The option ``size`` in pixels, ``None`` if it is not given.

        Raises:
            BackboneError: It is not a whole number from 8 to 4096.
        """
        text = self.options.get("size")
        if text is None:
            return None
        if not text.isdecimal() or not 8 <= int(text) <= 4096:
            raise BackboneError(
                f"{self.text} has size={text}; expected a whole number from 8 to 4096."
            )
        return int(text)


def is_model_path(path: Path) -> bool:
    """Return whether ``path`` is a SavedModel folder or a Keras file."""
    is_file = os.path.isfile  # Path.is_file raises an error if a name is too long
    return is_file(path / "saved_model.pb") or (path.suffix == ".keras" and is_file(path))


def parse_reference(text: str, *, sources: Iterable[str], known: Iterable[str]) -> Reference:
    """Parse a reference.

    Args:
        text: The reference as the user typed it.
        sources: Keys of ``SOURCES``.
        known: References to suggest if this one is unknown.

    Raises:
        BackboneError: The reference is unknown or ambiguous.
    """
    text = text.strip()
    match = _OPTIONS.search(text)
    options = dict(part.split("=", 1) for part in match[1].split(",")) if match else {}
    body = text[: match.start()] if match else text
    if re.match(r"https?://", body):
        return Reference(text, "tfhub", body.rstrip("/"), options)
    prefixed = _PREFIX.fullmatch(body)
    if prefixed and prefixed[1] in sources and prefixed[2]:
        _require_unambiguous(text, body)
        return Reference(text, prefixed[1], prefixed[2], options)
    return _from_path(Reference(text, "saved_model", body, options), known)


def _require_unambiguous(text: str, body: str) -> None:
    if is_model_path(Path(body)):
        raise BackboneError(
            f"{text} is ambiguous: it could be the backbone of that name or the folder ./{body}. "
            f"For the folder, use saved_model:./{body}. For the backbone, run the command in "
            "another folder."
        )


def _from_path(reference: Reference, known: Iterable[str]) -> Reference:
    """Return a reference without a prefix if it is the path of a model and not ambiguous."""
    name, known = reference.name, list(known)
    path = user_path(name, "The network") if name else Path()
    same_name = [other for other in known if other.partition(":")[2].lower() == name.lower()]
    if name and is_model_path(path):
        if same_name:
            raise BackboneError(
                f"{reference.text} is ambiguous: it could be {same_name[0]} or the path ./{name}. "
                f"Use {same_name[0]} or saved_model:./{name}."
            )
        return reference
    if name and os.path.exists(path):  # noqa: PTH110  (Path.exists may raise)
        raise BackboneError(
            f"{path} exists but is not a backbone. Expected a folder that holds saved_model.pb, or "
            "a .keras file."
        )
    raise BackboneError(
        f"{reference.text!r} is not a known backbone. {_suggestion(name, known)}"
        f"`bricksight backbones` lists the known ones. Examples of references:\n{FORMS}"
    )


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Return a "Did you mean" sentence with the most similar references, "" if there are none."""
    texts = {other.lower(): other for other in known}
    texts |= {key.partition(":")[2]: other for key, other in texts.items() if "//" not in key}
    found = difflib.get_close_matches(name.lower(), texts, n=6, cutoff=0.5)
    nearest = list(dict.fromkeys(texts[key] for key in found))[:3]
    return f"Did you mean {' or '.join(nearest)}? " if nearest else ""
