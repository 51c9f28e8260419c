"""Backbones from Keras Applications, with the weight files in Keras's cache folder."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bricksight._support.optional import require_tensorflow
from bricksight.backbones.backbone import Backbone, FeatureFunction, Progress, fingerprint_of
from bricksight.backbones.downloads.download import DownloadError, download
from bricksight.backbones.reference import Reference
from bricksight.backbones.sources._applications import APPLICATIONS, Application
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.config import InputSpec, user_path
from bricksight.errors import BackboneError

READER_VERSION = 1
"""Part of every fingerprint: increased when the same weights would give other features."""

_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class _Choice:
    """A network with its alpha and input size."""

    application: Application
    alpha: float
    size: int
    is_random: bool = False

    @property
    def file(self) -> str:
        return self.application.weights_file(alpha=self.alpha, size=self.size)

    @property
    def title(self) -> str:
        """A line such as "MobileNetV2, alpha 0.5, 176 px (weights trained at 224 px)"."""
        parts = [self.application.name]
        if self.application.takes_alpha:
            parts.append(f"alpha {self.alpha}")
        trained = self.application.weights_size(self.size)
        if self.is_random:
            return ", ".join([*parts, f"{self.size} px, untrained"])
        note = "" if trained == self.size else f" (weights trained at {trained} px)"
        return ", ".join([*parts, f"{self.size} px{note}"])


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Return the backbone ``keras:NAME@alpha=A,size=S``; download its weights if necessary.

    With ``weights=random``, the weights are random, with a fixed seed.

    Raises:
        BackboneError: The network, alpha or size is unknown, or the download failed.
    """
    choice = _choose(reference)
    path = None if choice.is_random else _weights_path(choice)
    if path is not None and not _is_whole(path):
        _fetch(reference, choice, path, progress)
    build = functools.partial(_load_network, reference.text, choice, path)
    num_features = choice.application.num_features[choice.alpha]
    settings = (READER_VERSION, choice.application.name, choice.alpha, choice.size)
    files = [] if path is None else [("weights.h5", path)]
    return Backbone(
        reference=reference.text,
        source=reference.source,
        title=choice.title,
        input_spec=InputSpec(height=choice.size, width=choice.size),
        num_features=num_features,
        licence=choice.application.licence,
        fingerprint=fingerprint_of(files, *settings),
        location=path,
        is_pretrained=not choice.is_random,
        loader=functools.partial(_load_function, build, reference.text, choice.size),
        network_builder=build,
    )


def find(reference: Reference) -> Path | None:
    """Return the path of the weight file, ``None`` if it is not on disk."""
    choice = _choose(reference)
    path = _weights_path(choice)
    return path if _is_whole(path) and not choice.is_random else None


def find_application(name: str) -> Application:
    """Return the data of a network of ``keras.applications`` by its name."""
    return next(one for one in APPLICATIONS if one.name == name)


def build_network(application: Application, *, alpha: float = 1.0, size: int | None = None) -> Any:
    """Build a network of ``keras.applications`` with random weights, as a ``keras.Model``.

    The input is float32 images in [0, 1]. The first layers do what ``preprocess_input`` of the
    application does. The output is averaged over the image: float32 (num_images, num_features).
    """
    keras = require_tensorflow().keras
    size = size or application.size
    images = keras.Input((size, size, 3), name="images")
    package = getattr(keras.applications, application.package)
    scaled = package.preprocess_input(keras.layers.Rescaling(255.0, name="to_255")(images))
    options = {"alpha": alpha} if application.takes_alpha else {}
    return getattr(keras.applications, application.name)(
        weights=None,
        include_top=False,
        pooling="avg",
        input_tensor=scaled,
        input_shape=(size, size, 3),
        **options,
    )


def _choose(reference: Reference) -> _Choice:
    by_name = {one.name: one for one in APPLICATIONS}
    application = by_name.get(reference.name)
    if application is None:
        raise BackboneError(
            f"{reference.text}: there is no network {reference.name!r}. "
            f"Expected keras: with one of {', '.join(by_name)}."
        )
    reference.require_options(*(("alpha",) if application.takes_alpha else ()), "size", "weights")
    weights = reference.options.get("weights", "imagenet")
    if weights not in ("imagenet", "random"):
        raise BackboneError(f"{reference.text} has weights={weights}; expected imagenet or random.")
    size = reference.size or application.size
    if size < application.smallest:
        raise BackboneError(
            f"{reference.text} has size={size}; expected {application.smallest} or more for "
            f"{application.name}."
        )
    alpha = _choose_alpha(reference, application)
    return _Choice(application, alpha, size, is_random=weights == "random")


def _choose_alpha(reference: Reference, application: Application) -> float:
    text = reference.options.get("alpha", "1.0")
    allowed = {str(alpha): alpha for alpha in application.num_features}
    # "0.50" and "1" are accepted too.
    for spelling in (text, text.rstrip("0"), f"{text}.0"):
        if spelling in allowed:
            return allowed[spelling]
    raise BackboneError(
        f"{reference.text} has alpha={text}; "
        f"{application.name} has ImageNet weights for {', '.join(allowed)}."
    )


def keras_home() -> Path:
    """Return Keras's folder for downloaded files: ``KERAS_HOME`` or ~/.keras."""
    return user_path(os.environ.get("KERAS_HOME") or "~/.keras", "KERAS_HOME")


def _weights_path(choice: _Choice) -> Path:
    return keras_home() / "models" / choice.file


def _is_whole(path: Path) -> bool:
    """Return whether an HDF5 file exists and is complete.

    The superblock at its beginning holds the address of the file's end. Keras writes version 0 of
    it: https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(48)
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return False
    if len(beginning) < 48 or not beginning.startswith(_HDF5):
        return False
    is_version_0 = beginning[len(_HDF5)] == 0
    return not is_version_0 or size >= int.from_bytes(beginning[40:48], "little")


def _fetch(reference: Reference, choice: _Choice, path: Path, progress: Progress | None) -> None:
    application = choice.application
    url = f"{application.url}/{application.remote_file or choice.file}"
    try:
        md5 = application.md5.get(choice.file)
        download(url, path, is_whole=_is_whole, md5=md5, progress=progress)
    except DownloadError as error:
        lacking = f"{path} is incomplete" if path.exists() else f"not in {path.parent}"
        raise BackboneError(
            f"The weights of {reference.text} are not on disk ({lacking}) and could not be "
            f"downloaded from {url}: {error}. "
            f"Copy {choice.file} to {path.parent} from a machine "
            "where Keras has used it, set KERAS_HOME to a folder that has it in models, "
            "or use packaged:efficientnet_lite0, which needs no download."
        ) from error


def _load_network(text: str, choice: _Choice, path: Path | None) -> Any:
    if path is None:
        require_tensorflow().keras.utils.set_random_seed(0)
    model = build_network(choice.application, alpha=choice.alpha, size=choice.size)
    if path is None:
        return model
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise BackboneError(
            f"{text}: the weights in {path} do not fit the network ({error}). "
            "Remove the file, so that it is downloaded again."
        ) from error
    if choice.application.divides_by_stddev:
        _divide_by_stddev(model)
    return model


def _divide_by_stddev(model: Any) -> None:
    """Correct the normalisation layer of EfficientNet.

    The weight files hold the standard deviation of ImageNet where the layer expects the variance.
    Keras corrects this with a further layer, but only for ``weights="imagenet"``, not for the path
    of the same file (https://github.com/tensorflow/tensorflow/issues/49930).
    """
    stddev = (0.229, 0.224, 0.225)
    layer = next(one for one in model.layers if type(one).__name__ == "Normalization")
    layer.adapt_variance.assign(layer.adapt_variance * stddev)
    layer.finalize_state()


def _load_function(build: Any, text: str, size: int) -> FeatureFunction:
    call = functools.partial(build(), training=False)
    return feature_function(call, text=text, height=size, width=size)
