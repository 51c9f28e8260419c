"""Domain packs: distributions that teach bricksight about one kind of object.

A pack is found through entry points, as plugins of pytest or Flask are. Its ``pyproject.toml``::

    [project.entry-points."bricksight.packs"]
    coins = "bricksight_coins:PACK"                     # a Pack

    [project.entry-points."bricksight.commands"]
    mint = "bricksight_coins.commands:mint"             # makes `bricksight mint`

The module that defines the ``Pack`` is imported by a training and by whatever lists or resolves
backbones, so keep it light: names and numbers only. Everything heavy is named as
``"module:function"`` and imported when it is needed. The module of a command is imported when that
command is run.
"""

import ast
import functools
import importlib.metadata
import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bricksight.errors import PackError

PACKS_GROUP, COMMANDS_GROUP = "bricksight.packs", "bricksight.commands"
"""The entry point groups."""

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PackBackbone:
    """A pretrained network that comes with a pack; users write ``packaged:NAME``.

    Attributes:
        name: What stands after ``packaged:``.
        title: One line for people.
        file: The weights.
        load: ``"module:function"``, from that file and an input size to a ``keras.Model``. It takes
            float32 images (num_images, size, size, 3) in [0, 1] and gives (num_images,
            num_features).
        input_size: Rows and columns that it takes by default, in pixels.
        auto_size: The same where ``auto`` selects it; ``None`` for ``input_size``.
        num_features: Width of its output.
        num_parameters: Without the classification layer.
        num_multiply_adds: For one photo of ``input_size``, without the classification layer.
        licence: SPDX identifier of the weights.
        is_of_renders: Whether it has learned from renders alone.
        knows: Whether it was trained to tell the class of that name apart. Asked for every class
            name of a training, so it should be cheap. A backbone that knows no class name of a
            folder is not tried on its photos.
        known_classes: ``"module:function"``, from the file to the ``KnownClasses`` that it was
            trained on; ``None`` if it comes without a classification layer.
    """

    name: str
    title: str
    file: Path
    load: str
    input_size: int = 224
    auto_size: int | None = None
    num_features: int
    num_parameters: int
    num_multiply_adds: int
    licence: str
    is_of_renders: bool = False
    knows: Callable[[str], bool] = lambda name: False
    known_classes: str | None = None

    @property
    def reference(self) -> str:
        """What users write."""
        return f"packaged:{self.name}"

    @property
    def auto_reference(self) -> str:
        """What ``auto`` tries."""
        if self.auto_size is None:
            return self.reference
        return f"{self.reference}@size={self.auto_size}"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Photos that come with a pack, to try everything with.

    Attributes:
        title: What they are, such as "photos of 12 coins".
        write: ``"module:function"``, from a folder to fill to the number of photos written, one
            sub-folder a class.
        backbone: The reference to train on them with.
        remark: What to know before training on them; empty for nothing.
    """

    title: str
    write: str
    backbone: str = "auto"
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """What one pack provides; everything but its name is optional.

    Attributes:
        name: Its name, for messages.
        backbones: Pretrained networks.
        mirrored_pairs: From the class names of a folder to the pairs that are mirror images of one
            another, beyond those that differ by "left" and "right".
        sample: Photos to try everything with.
    """

    name: str
    backbones: Sequence[PackBackbone] = ()
    mirrored_pairs: Callable[[Sequence[str]], Sequence[tuple[str, str]]] | None = None
    sample: Sample | None = None


@functools.cache
def find_packs() -> tuple[Pack, ...]:
    """Return the installed packs, by name; one that fails to load is named in a warning."""
    found: dict[str, Pack] = {}
    taken: dict[str, str] = {}
    for entry in _entries(PACKS_GROUP):
        try:
            pack = _loaded(entry)
            _require_new(pack, found, taken)
        except Exception as error:  # noqa: BLE001  (whatever a third party's code raises)
            _LOGGER.warning(
                "The pack %s (%s) is not used: %s. Update or uninstall it.",
                entry.name,
                _origin(entry),
                f"{type(error).__name__}: {error}".rstrip("."),
            )
            continue
        found[pack.name] = pack
        taken |= {backbone.name: pack.name for backbone in pack.backbones}
    return tuple(found.values())


def pack_backbones() -> dict[str, PackBackbone]:
    """Return the backbones of all packs by name."""
    return {backbone.name: backbone for pack in find_packs() for backbone in pack.backbones}


def load_target(target: str) -> Any:
    """Return what ``"module:function"`` names, imported now.

    Raises:
        PackError: it cannot be imported.
    """
    try:
        return importlib.metadata.EntryPoint("target", target, "").load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise PackError(
            f"{target}, of an installed pack, cannot be loaded ({error}). "
            "Update or uninstall the pack."
        ) from error


@dataclass(frozen=True)
class PackCommand:
    """A command of a pack.

    Attributes:
        name: What users type after ``bricksight``.
        target: ``"module:function"``.
        origin: The distribution that it comes with.
    """

    name: str
    target: str
    origin: str

    def load(self) -> Callable[..., Any]:
        """Return the function.

        Raises:
            PackError: it cannot be imported.
        """
        function: Callable[..., Any] = load_target(self.target)
        return function

    @property
    def summary(self) -> str:
        """First line of the function's docstring, read from the source: no pack is imported."""
        module, _, function = self.target.partition(":")
        try:
            tree = ast.parse(_source_of(module))
        except (OSError, SyntaxError, ValueError):
            tree = ast.Module(body=[], type_ignores=[])
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                lines = (ast.get_docstring(node) or "").splitlines()
                return lines[0] if lines else f"A command of {self.origin}."
        return f"A command of {self.origin}."


def find_commands() -> Mapping[str, PackCommand]:
    """Return the commands of the installed packs by name; no pack is imported."""
    return {
        entry.name: PackCommand(entry.name, entry.value, _origin(entry))
        for entry in _entries(COMMANDS_GROUP)
    }


def _entries(group: str) -> list[importlib.metadata.EntryPoint]:
    return sorted(importlib.metadata.entry_points(group=group), key=lambda entry: entry.name)


def _origin(entry: importlib.metadata.EntryPoint) -> str:
    return "an unknown distribution" if entry.dist is None else entry.dist.name


def _loaded(entry: importlib.metadata.EntryPoint) -> Pack:
    pack = entry.load()
    if not isinstance(pack, Pack):
        raise TypeError(f"{entry.value} is a {type(pack).__name__}; expected a bricksight Pack")
    return pack


def _require_new(pack: Pack, found: Mapping[str, Pack], taken: Mapping[str, str]) -> None:
    if pack.name in found:
        raise ValueError(f"another pack is called {pack.name!r}")
    for backbone in pack.backbones:
        if backbone.name in taken:
            raise ValueError(f"the pack {taken[backbone.name]} has {backbone.reference} already")


def _source_of(module: str) -> bytes:
    """Return the source code of a module without importing the packages that it lies in."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise FileNotFoundError(module)
    if not rest:
        return Path(spec.origin or "").read_bytes()
    folder = Path(next(iter(spec.submodule_search_locations or [""])), *rest)
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return file.read_bytes()
