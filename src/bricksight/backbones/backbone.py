"""What a reference resolves to."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bricksight._support.filesystem.files import sha256_of
from bricksight.backbones.known_classes import KnownClasses
from bricksight.config import InputSpec
from bricksight.errors import BackboneError

Progress = Callable[[int, int | None], None]
"""Told the bytes received so far and the bytes expected, ``None`` if the server does not say."""


class FeatureFunction(Protocol):
    """A pretrained network as a TensorFlow function."""

    def __call__(self, images: Any, /) -> Any:
        """Return features, float32 (num_images, num_features).

        Args:
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
        """


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A pretrained network without its classification layer, found but not loaded.

    Attributes:
        reference: As the user typed it.
        source: Where it comes from: "tfhub", "kaggle", "keras", "saved_model" or "packaged".
        title: One line for people.
        input_spec: The size that it takes.
        num_features: Width of its output, ``None`` if only loading it can tell.
        licence: SPDX identifier, ``None`` if not known.
        fingerprint: Hexadecimal SHA-256 of everything that determines the features; the same in
            every process and in whatever folder the files lie.
        location: The folder or file on disk.
        depths: Of how many depths its features are, ``None`` where nobody has decided it.
        is_pretrained: Whether its weights have learned anything.
        is_of_renders: Whether they have learned from renders alone, which look unlike photos.
        known: Reads the classes that it can tell apart already, ``None`` if there are none.
        loader: Makes the function of ``load``.
        network_builder: Makes the model of ``network``, ``None`` if there is no such model.
        graph_builder: Makes the network of ``trainable`` where there is no such model, ``None`` if
            it cannot be trained.
    """

    reference: str
    source: str
    title: str
    input_spec: InputSpec
    num_features: int | None
    licence: str | None
    fingerprint: str
    location: Path | None
    depths: int | None = None
    is_pretrained: bool = True
    is_of_renders: bool = False
    known: Callable[[], KnownClasses] | None = field(default=None, repr=False, compare=False)
    loader: Callable[[], FeatureFunction] = field(repr=False, compare=False)
    network_builder: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    graph_builder: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def load(self) -> FeatureFunction:
        """Return the network as a ``tf.function`` of one signature; loads TensorFlow.

        Raises:
            BackboneError: the files cannot be loaded, or are no network from images to features.
        """
        return self.loader()

    def network(self) -> Any:
        """Return the network as a new ``keras.Model``.

        It takes float32 images in [0, 1] and gives features, as ``load`` does.

        Raises:
            BackboneError: the source holds a graph and no Keras layers.
        """
        if self.network_builder is None:
            raise BackboneError(
                f"{self.reference} is a TensorFlow graph without Keras layers. Networks that have "
                "them are keras:NAME, packaged:NAME and .keras files."
            )
        return self.network_builder()

    def trainable(self) -> Any:
        """Return the network in the form in which its weights can be trained.

        That is the ``keras.Model`` of ``network``, or a ``GraphNetwork`` where there are no layers.

        Raises:
            BackboneError: it has nothing that could be trained, or is a graph of TensorFlow 1.
        """
        if self.network_builder is None and self.graph_builder is not None:
            return self.graph_builder()
        return self.network()


def fingerprint_of(files: Iterable[tuple[str, Path]], *settings: object) -> str:
    """Return a hexadecimal SHA-256 over files, their names, and how they are read.

    Args:
        files: pairs of a name that does not depend on the place, and the path.
        settings: whatever else determines the features, such as a size or a reader's version.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for name, path in sorted(files):
        digest.update(f"\n{name} {sha256_of(path)}".encode(errors="surrogateescape"))
    return digest.hexdigest()
