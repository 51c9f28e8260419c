"""The model folder on disk, which training writes and everything else reads.

    manifest.json       what the other files are, how photos are prepared, what was measured
    output_labels.txt   one label a line, in the order of the outputs
    output_graph.pb     frozen TensorFlow graph, Placeholder:0 → final_result:0
    saved_model/        TensorFlow SavedModel
    model.tflite        LiteRT
    head.npz            the trained layer alone: kernel and bias, and those of what is no class
    photos.csv          which photos were used for what
    report.html, metrics.json, summaries/

JSON, arrays and standard model files only, never a pickle. See docs/bundle.md.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from bricksight import _labels
from bricksight._files import replacing, sha256_of, writing
from bricksight._places import is_empty, new_folder, waiting_for
from bricksight._text import json_text
from bricksight._untrusted.fields import mapping
from bricksight._untrusted.folders import recorded_with, require_recorded
from bricksight._untrusted.json_files import read_json
from bricksight._untrusted.photos_csv import Photo, read_photos
from bricksight._untrusted.schemas import MANIFEST as MANIFEST_SCHEMA
from bricksight._version import __version__
from bricksight.config import AnyPath, InputSpec, input_path
from bricksight.errors import BundleError

FORMAT_VERSION = 1
"""Raised when a reader of the former layout would misread the new one."""

MANIFEST = "manifest.json"
LABELS = "output_labels.txt"
HEAD = "head.npz"
PHOTOS = "photos.csv"
EXPORTS = "exports"  # the folder of what export adds


@dataclass(frozen=True, kw_only=True)
class Head:
    """The classification layer: softmax of ``features @ kernel + bias``.

    Attributes:
        kernel: float32 (num_features, num_classes).
        bias: float32 (num_classes,).
        others: The same of what is none of the classes. It takes part in the softmax, and its share
            says nothing of the classes: it is dealt to all of them alike.
    """

    kernel: np.ndarray
    bias: np.ndarray
    others: "Head | None" = None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Returns the probability of each class, float32 (..., num_classes); rows sum to 1.

        Args:
            features: float32 (..., num_features).
        """
        return self.answers(self.logits(features), features)

    def answers(self, logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Returns what ``probabilities`` does where the logits of the classes are known already.

        Args:
            logits: float32 (..., num_classes).
            features: float32 (..., num_features).
        """
        if self.others is not None:
            logits = np.concatenate([logits, self.others.logits(features)], axis=-1)
        return dealt(logits, self.kernel.shape[1])

    def share_of_others(self, features: np.ndarray) -> np.ndarray:
        """Returns how probable it is that a photo shows none of the classes, float32 (...)."""
        shares = _softmax(self.flat.logits(features))
        share: np.ndarray = shares[..., self.kernel.shape[1] :].sum(axis=-1)
        return share

    @property
    def num_others(self) -> int:
        """How many of the others there are."""
        return 0 if self.others is None else len(self.others.bias)

    @property
    def flat(self) -> "Head":
        """A layer that has ``others`` after the classes as if they were further classes."""
        if self.others is None:
            return self
        return Head(
            kernel=np.concatenate([self.kernel, self.others.kernel], axis=1),
            bias=np.concatenate([self.bias, self.others.bias]),
        )

    def split(self, num_classes: int) -> "Head":
        """Returns the layer of the first ``num_classes``, the rest as its ``others``."""
        first, rest = np.split(np.arange(len(self.bias)), [num_classes])
        return Head(kernel=self.kernel[:, first], bias=self.bias[first], others=self.columns(rest))

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Returns the classes' part of what the softmax is taken of, (..., num_classes)."""
        logits: np.ndarray = features @ self.kernel + self.bias
        return logits

    def first_features(self, number: int) -> "Head":
        """Returns a layer that takes the first ``number`` features, and goes by these alone."""
        others = None if self.others is None else self.others.first_features(number)
        return Head(kernel=self.kernel[:number], bias=self.bias, others=others)

    def columns(self, which: np.ndarray) -> "Head | None":
        """Returns a layer of these classes alone, ``None`` of none.

        Args:
            which: int (any,), indices of classes.
        """
        if not len(which):
            return None
        return Head(kernel=self.kernel[:, which], bias=self.bias[which])

    def save(self, path: Path) -> None:
        """Writes the arrays to the ``.npz`` file ``path``."""
        arrays = {"kernel": self.kernel, "bias": self.bias}
        if self.others is not None:
            arrays |= {"others_kernel": self.others.kernel, "others_bias": self.others.bias}
        np.savez(path, allow_pickle=False, **arrays)


def dealt(logits: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the softmax, what is none of the classes dealt to all of them alike.

    Args:
        logits: float32 (..., any), of the classes and after them of all others; see ``Head.flat``.
        num_classes: how many of them are classes.

    Returns:
        The probability of each class, float32 (..., num_classes); rows sum to 1.
    """
    shares = _softmax(logits)
    of_others = shares[..., num_classes:].sum(axis=-1, keepdims=True)
    probabilities: np.ndarray = shares[..., :num_classes] + of_others / num_classes
    return probabilities


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        labels: In the order of the outputs.
        input: The size, and how a photo is brought to it.
        module: The pretrained network: reference, title, licence, fingerprint.
        output_layer: Node of output_graph.pb that gives the probabilities.
        unknown_threshold: A photo whose highest probability is lower is answered "unknown";
            ``None`` where there were no validation photos to choose it on.
        settings: What the run was asked for.
        data: Counts, split rule and problems of the photos.
        metrics: The headline figures; all of them are in metrics.json.
        exports: Format of a file that training wrote, or name of one that was added later → how
            far it is from the reference.
        files: Name → SHA-256 of the files of the folder.
        created: ISO 8601, UTC.
        bricksight_version: That which wrote it.
        format_version: ``FORMAT_VERSION`` of that which wrote it.
    """

    labels: tuple[str, ...]
    input: InputSpec
    module: Mapping[str, Any]
    output_layer: str = "final_result"
    unknown_threshold: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    bricksight_version: str = __version__
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Bundle:
    """A model folder that has been read.

    Attributes:
        path: The folder.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the outputs."""
        return self.manifest.labels

    def file(self, name: str) -> Path:
        """Returns the path of one of its files after comparing it with its checksum.

        What belongs to a model file is compared too: OpenVINO's weights, the other files of a
        folder that as a whole is one model.

        Raises:
            BundleError: one is not there, or not the one that was written.
        """
        files = self.manifest.files
        if name not in files:
            there = ", ".join(sorted({file.partition("/")[0] for file in files}))
            raise BundleError(f"The bundle {self.path} holds no {name}. It holds {there}.")
        try:
            require_recorded(self.path, recorded_with(name, files), record=MANIFEST)
        except (OSError, ValueError) as error:
            raise BundleError(f"{error} Copy the bundle again, or train it again.") from error
        return self.path / name

    def trained_on(self) -> frozenset[str]:
        """Returns the SHA-256 of the photos that took part in the training.

        Those by which a step or a threshold was chosen are among them. Bundles of earlier versions
        do not know, and give none.

        Raises:
            BundleError: the list is not the one that was written.
        """
        return frozenset(one.sha256 for one in self.photos() if one.bucket != "testing")

    def photos(self) -> tuple[Photo, ...]:
        """Returns the photos of the run; bundles of earlier versions do not know, and give none.

        Raises:
            BundleError: the list is not the one that was written.
        """
        if PHOTOS not in self.manifest.files:
            return ()
        path = self.file(PHOTOS)
        try:
            return read_photos(path)
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{path} is damaged: {error}. Copy the bundle again, or train it again."
            ) from error


def bundle_around(path: Path) -> Path | None:
    """Returns the bundle that a file lies in, ``None`` if it lies in none."""
    # Absolute, so that a file that is named from within its bundle finds it.
    return next(
        (folder for folder in path.absolute().parents if (folder / MANIFEST).is_file()), None
    )


def open_bundle(path: AnyPath) -> Bundle:
    """Returns the bundle in the folder ``path``.

    Raises:
        BundleError: there is no bundle, it is damaged, or a newer version wrote it.
    """
    folder = input_path(path, "The bundle")
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        what = "is no bundle: it holds no " + MANIFEST if folder.is_dir() else "is not a folder"
        raise BundleError(
            f"{folder} {what}. A bundle is the folder that `bricksight retrain` prints last."
        )
    return Bundle(folder, _manifest_from(_manifest_content(manifest_path)))


def _manifest_content(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
        version = mapping(content, "The content").get("format_version")
        if type(version) is int and version > FORMAT_VERSION:
            raise BundleError(
                f"The bundle {path.parent} has format {version}; this bricksight "
                f"({__version__}) reads formats up to {FORMAT_VERSION}. "
                "Install a newer bricksight."
            )
        found: dict[str, Any] = MANIFEST_SCHEMA(content, "")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path} is damaged: {error}. Copy the bundle again, or train it again."
        ) from error
    return found


def as_bundle(bundle: Bundle | AnyPath) -> Bundle:
    """Returns a bundle that is open, or opens it; see ``open_bundle``."""
    return bundle if isinstance(bundle, Bundle) else open_bundle(bundle)


def read_labels(path: AnyPath) -> tuple[str, ...]:
    """Returns the labels of a labels file, one a line, in the order of the outputs.

    Raises:
        BundleError: it cannot be read, holds no label, or a line of it is no label.
    """
    return _labels.read_labels(input_path(path, "The labels file"))


def _manifest_from(content: dict[str, Any]) -> Manifest:
    """Returns the manifest; keys that a later version of the same format has added are ignored."""
    known = _known(content, Manifest)
    known["input"] = InputSpec(**_known(content["input"], InputSpec))
    return Manifest(**known)


def _known(content: dict[str, Any], kind: type) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in content.items() if name in names}


@contextmanager
def new_bundle(path: Path) -> Iterator[Path]:
    """Yields a temporary folder that becomes the bundle ``path`` when the block ends well.

    The place is taken and tried when the block begins; see ``new_folder``.

    Raises:
        BundleError: ``path`` exists already.
        OutputError: another run writes it, or it cannot be written.
    """
    with writing(path):
        if path.exists() and not (path.is_dir() and is_empty(path)):
            raise BundleError(
                f"{path} exists already. Name another folder with --out, or remove it first; "
                "bricksight overwrites no model."
            )
    with new_folder(path, last=MANIFEST) as folder:
        yield folder


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the labels file and, as the last file of a bundle, the manifest with checksums."""
    (folder / LABELS).write_text(
        "".join(f"{label}\n" for label in manifest.labels), encoding="utf-8", newline="\n"
    )
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    content = asdict(manifest) | {
        "files": files,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    (folder / MANIFEST).write_text(json_text(content, indent=2) + "\n", encoding="utf-8")


def add_export(bundle: Bundle, path: Path, files: Sequence[Path], entry: dict[str, Any]) -> None:
    """Records a file that was written into an existing bundle, with checksums, in the manifest.

    Args:
        bundle: the bundle.
        path: the model file, or folder, below it; what was recorded of it before is dropped.
        files: all files that belong to it.
        entry: what ``Manifest.exports`` is to say of it.
    """
    root = bundle.path.resolve()
    name = path.resolve().relative_to(root).as_posix()
    manifest_path = bundle.path / MANIFEST
    added = {file.resolve().relative_to(root).as_posix(): sha256_of(file) for file in files}
    with waiting_for(manifest_path):
        # Read anew: others may have been added since the bundle was opened.
        content = _manifest_content(manifest_path)
        content["exports"] = content.get("exports", {}) | {name: entry}
        kept = {
            file: digest
            for file, digest in content.get("files", {}).items()
            if not file.startswith(f"{name}/")
        }
        content["files"] = dict(sorted((kept | added).items()))
        with replacing(manifest_path) as part:
            part.write_text(json_text(content, indent=2) + "\n", encoding="utf-8")
