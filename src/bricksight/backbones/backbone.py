"""The class ``Backbone``: a pretrained network, found but not loaded."""

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
"""Called with the bytes received so far and the bytes expected, ``None`` if that is not known."""


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
        reference: Reference as the user typed it.
        source: Key of ``SOURCES``: "tfhub", "kaggle", "keras", "saved_model" or "packaged".
        title: Name for users, one line.
        input_spec: Input size and resize mode.
        num_features: Number of features, ``None`` if the network must be loaded to know it.
        licence: SPDX identifier, ``None`` if not known.
        fingerprint: Hexadecimal SHA-256 of everything that determines the features, independent of
            the process and of the folder of the files.
        location: The folder or file on disk.
        num_scales: Number of scales of its features; ``None`` if the user did not choose
            one, so that the training may.
        is_pretrained: Whether the weights are trained, not random.
        is_of_renders: Whether it was trained only on renders, which look different from photos.
        known: Returns the classes that the backbone was trained on, with their head; ``None`` if
            it has none.
        loader: Returns the function of ``load``.
        network_builder: Returns the Keras model of ``network``; ``None`` for a graph without Keras
            layers.
        graph_builder: Returns the network of ``trainable`` for a graph without Keras layers;
            ``None`` if its weights cannot be trained.
    """

    reference: str
    source: str
    title: str
    input_spec: InputSpec
    num_features: int | None
    licence: str | None
    fingerprint: str
    location: Path | None
    num_scales: int | None = None
    is_pretrained: bool = True
    is_of_renders: bool = False
    known: Callable[[], KnownClasses] | None = field(default=None, repr=False, compare=False)
    loader: Callable[[], FeatureFunction] = field(repr=False, compare=False)
    network_builder: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    graph_builder: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def load(self) -> FeatureFunction:
        """Load the network as a ``tf.function`` with one signature; imports TensorFlow.

        Raises:
            BackboneError: The files cannot be loaded, or are not a network from images to features.
        """
        return self.loader()

    def network(self) -> Any:
        """Return the network as a new ``keras.Model``, with the inputs and outputs of ``load``.

        Raises:
            BackboneError: The network is a graph without Keras layers.
        """
        if self.network_builder is None:
            raise BackboneError(
                f"{self.reference} is a TensorFlow graph without Keras layers. Use a backbone with "
                "Keras layers: keras:NAME, packaged:NAME or a .keras file."
            )
        return self.network_builder()

    def trainable(self) -> Any:
        """Return the network with trainable weights, for fine-tuning.

        That is the ``keras.Model`` of ``network``, or a ``GraphNetwork`` if there are no Keras
        layers.

        Raises:
            BackboneError: The network has no trainable weights, or is a graph of TensorFlow 1.
        """
        if self.network_builder is None and self.graph_builder is not None:
            return self.graph_builder()
        return self.network()


def fingerprint_of(files: Iterable[tuple[str, Path]], *settings: object) -> str:
    """Return a hexadecimal SHA-256 over files, their names, and settings.

    Args:
        files: Pairs of a name, which must not depend on the folder, and a path.
        settings: Everything else that determines the features, such as the input size or the
            version of the code that reads the files.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for name, path in sorted(files):
        digest.update(f"\n{name} {sha256_of(path)}".encode(errors="surrogateescape"))
    return digest.hexdigest()
