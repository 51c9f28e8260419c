"""References to modules: ``source:name@option=value``."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bricksight.config import user_path
from bricksight.errors import BackboneError

_OPTIONS = re.compile(r"@([a-z]+=[^@,=]+(?:,[a-z]+=[^@,=]+)*)$")
# Two letters at least: "C:\\modules" is a path.
_PREFIX = re.compile(r"([a-z_]{2,}):(?!//)(.*)", re.DOTALL)

FORMS = """\
  https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3
  kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2
  keras:MobileNetV2, keras:MobileNetV2@alpha=0.5,size=160
  saved_model:PATH
  packaged:efficientnet_lite0"""
"""One example of each way to name a module."""


@dataclass(frozen=True)
class Reference:
    """A reference taken apart.

    Attributes:
        text: As the user typed it.
        source: Key of ``SOURCES``.
        name: What the source looks up: a handle, a name or a path, without the options.
        options: What follows ``@``.
        trust: Load the network even if it may access files, the network or other programs.
    """

    text: str
    source: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    trust: bool = False

    def only(self, *names: str) -> None:
        """Refuses options other than ``names``.

        Raises:
            BackboneError: there is another option.
        """
        unknown = sorted(set(self.options) - set(names))
        if unknown:
            allowed = f"it takes {', '.join(names)}" if names else "it takes none"
            raise BackboneError(f"{self.text} has the option {unknown[0]!r}; {allowed}.")

    @property
    def size(self) -> int | None:
        """The option ``size``, in pixels, ``None`` if it was not given.

        Raises:
            BackboneError: it is no number from 8 to 4096.
        """
        text = self.options.get("size")
        if text is None:
            return None
        if not text.isdecimal() or not 8 <= int(text) <= 4096:
            raise BackboneError(
                f"{self.text} asks for size={text}; it must be a whole number from 8 to 4096."
            )
        return int(text)


def is_module_path(path: Path) -> bool:
    """Return whether ``path`` is a SavedModel folder or a Keras file."""
    is_file = os.path.isfile  # Path.is_file raises where a name is too long
    return is_file(path / "saved_model.pb") or (path.suffix == ".keras" and is_file(path))


def parse_reference(text: str, *, sources: Iterable[str], known: Iterable[str]) -> Reference:
    """Return the parts of a reference.

    Args:
        text: what the user typed.
        sources: the sources that exist.
        known: references to suggest when this one is not understood.

    Raises:
        BackboneError: it has no source, or could mean two things.
    """
    text = text.strip()
    match = _OPTIONS.search(text)
    options = dict(part.split("=", 1) for part in match[1].split(",")) if match else {}
    body = text[: match.start()] if match else text
    if re.match(r"https?://", body):
        return Reference(text, "tfhub", body.rstrip("/"), options)
    prefixed = _PREFIX.fullmatch(body)
    if prefixed and prefixed[1] in sources and prefixed[2]:
        _refuse_if_also_a_path(text, body)
        return Reference(text, prefixed[1], prefixed[2], options)
    return _bare(Reference(text, "saved_model", body, options), known)


def _refuse_if_also_a_path(text: str, body: str) -> None:
    if is_module_path(Path(body)):
        raise BackboneError(
            f"{text} could mean the module of that name or the folder ./{body}. "
            f"For the folder, write saved_model:./{body}; "
            "for the module, start from another working folder."
        )


def _bare(reference: Reference, known: Iterable[str]) -> Reference:
    """Return ``reference`` if it is the path of a module and nothing else."""
    name, known = reference.name, list(known)
    path = user_path(name, "The network") if name else Path()
    same_name = [other for other in known if other.partition(":")[2].lower() == name.lower()]
    if name and is_module_path(path):
        if same_name:
            raise BackboneError(
                f"{reference.text} could mean the catalogue's {same_name[0]} or the path ./{name}. "
                f"Write {same_name[0]} or saved_model:./{name}."
            )
        return reference
    if name and os.path.exists(path):  # noqa: PTH110  (Path.exists may raise)
        raise BackboneError(
            f"{path} exists but is no module: it must be a folder with saved_model.pb in it, "
            "or a .keras file."
        )
    raise BackboneError(
        f"{reference.text!r} is no module that is known here. {_nearest(name, known)}"
        f"`bricksight modules` lists what there is. The ways to name one:\n{FORMS}"
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the most similar references, empty if there are none."""
    texts = {other.lower(): other for other in known}
    texts |= {key.partition(":")[2]: other for key, other in texts.items() if "//" not in key}
    found = difflib.get_close_matches(name.lower(), texts, n=6, cutoff=0.5)
    nearest = list(dict.fromkeys(texts[key] for key in found))[:3]
    return f"Did you mean {' or '.join(nearest)}? " if nearest else ""
