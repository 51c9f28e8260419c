"""Classify photos with a bundle or an exported model file."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bricksight import images
from bricksight._support.fusion import count_votes, fuse
from bricksight._support.library_errors import library_errors_as
from bricksight._support.reprs import short_repr
from bricksight._support.text import pluralize
from bricksight._support.threads import num_cores
from bricksight.bundle import open_bundle, read_labels
from bricksight.config import AnyPath, InputSpec, input_path
from bricksight.errors import BundleError, ConfigError, ImageError
from bricksight.images import Photo
from bricksight.predict._answers import Answer, ObjectAnswer, Prediction
from bricksight.predict._arguments import (
    input_spec_of_graph,
    require_count,
    require_settings,
    require_several,
)
from bricksight.predict._outputs import require_probabilities
from bricksight.predict._sidecar import read_sidecar, require_checksums, sidecar_of_bundle
from bricksight.predict.runtimes import (
    Runtime,
    file_in_bundle,
    is_model_folder,
    require_runnable,
    runtime_class,
    runtime_of,
)

_QUEUED_PER_CORE = 4


class Predictor:
    """A model that classifies photos. Its methods may be called from several threads.

    Example:
        ``Predictor("photos-model").predict("photo.jpg").label``

    Attributes:
        labels: The classes, in the order of the model's outputs.
        input_spec: Size of the model's input, and how photos are resized to it.
        unknown_threshold: An answer whose highest probability is below it is "unknown"; ``None``
            if the model has no threshold.
        path: The bundle or file that was opened; ``None`` for ``from_graph`` and
            ``from_runtime``.
    """

    def __init__(
        self,
        model: AnyPath,
        *,
        runtime: str | None = None,
        threads: int | None = None,
        trust: bool = False,
    ) -> None:
        """Open a model.

        Args:
            model: A bundle, or a file that ``export`` wrote.
            runtime: One of ``RUNTIMES``. Default: "litert" for a bundle; for a file, the runtime
                of its format.
            threads: Number of threads for one photo; all cores by default.
            trust: Run a TensorFlow or Keras model even if it can access files, the network or
                other programs; see docs/reference/security.md.

        Raises:
            BundleError: The bundle or file is damaged, or the bundle has no file for the runtime.
            UntrustedModelError: The model can do more than compute, and ``trust`` is false.
            ConfigError: There is no such runtime, an argument has a wrong type, or ``threads`` is
                more than the machine can run.
            MissingPackageError: The runtime is not installed.
        """
        path = input_path(model, "The model")
        require_settings(threads=threads, trust=trust)
        if path.is_dir() and not is_model_folder(path):
            name = "litert" if runtime is None else runtime
            kind, bundle = runtime_class(name), open_bundle(path)
            file = file_in_bundle(bundle, kind)
            described = sidecar_of_bundle(bundle, kind.file_name)
        else:
            described = read_sidecar(path)
            name = runtime_of(path) if runtime is None else runtime
            kind, file = runtime_class(name), path
            if runtime is not None:
                require_runnable(runtime, path)
            require_checksums(path, described)
        options: dict[str, Any] = dict(described.layers) if name == "tensorflow" else {}
        if kind.takes_trust:
            options["trust"] = trust
        self._set_up(
            kind(file, threads=threads, **options),
            labels=described.labels,
            spec=described.input,
            unknown_threshold=described.unknown_threshold,
            source=f"{file} in {name}",
            path=path,
        )

    @classmethod
    def from_graph(  # noqa: PLR0913  (what retrain.py's label_image.py takes)
        cls,
        graph: AnyPath,
        labels: AnyPath,
        *,
        input_layer: str = "Placeholder",
        output_layer: str = "final_result",
        input_size: int | None = None,
        input_mean: float | None = None,
        input_std: float | None = None,
        threads: int | None = None,
        trust: bool = False,
    ) -> "Predictor":
        """Open a frozen graph with its labels file, as retrain.py writes them.

        Args:
            graph: The frozen graph. By default a float input gets pixels from 0 to 1, a uint8
                input pixels from 0 to 255.
            labels: A text file with one label a line, in the order of the outputs.
            input_layer: Node that takes the images.
            output_layer: Node that gives the probabilities.
            input_size: Height and width of the images, if the graph accepts any; 224 by default.
            input_mean: Subtracted from the pixels, which are 0 to 255. Use 128 for the InceptionV3
                and MobileNetV1 of older versions of retrain.py.
            input_std: Divides the pixels after that. Use 128 for these two.
            threads: Number of threads for one photo; all cores by default.
            trust: Run the graph even if it can access files, the network or other programs.

        Raises:
            BundleError: A file cannot be read, or the two do not belong together.
            UntrustedModelError: The graph can do more than compute, and ``trust`` is false.
            ConfigError: An argument does not fit the graph.
            MissingPackageError: TensorFlow is not installed.
        """
        require_settings(threads=threads, trust=trust)
        path = input_path(graph, "The graph")
        known = read_labels(labels)
        runtime = runtime_class("tensorflow")(
            path,
            threads=threads,
            input_layer=input_layer,
            output_layer=output_layer,
            input_mean=input_mean,
            input_std=input_std,
            trust=trust,
        )
        predictor = cls.__new__(cls)
        predictor._set_up(
            runtime,
            labels=known,
            spec=input_spec_of_graph(path, runtime.input_size, input_size),
            unknown_threshold=None,
            source=f"{path} in tensorflow",
        )
        return predictor

    @classmethod
    def from_runtime(
        cls, runtime: Runtime, labels: Sequence[str], spec: InputSpec, *, source: str = "The model"
    ) -> "Predictor":
        """Wrap a runtime that has loaded a model; the answer is never "unknown".

        Args:
            runtime: The runtime with its model.
            labels: The classes, in the order of the outputs.
            spec: Size of the model's input, and how photos are resized to it.
            source: Name of the model in messages.
        """
        predictor = cls.__new__(cls)
        predictor._set_up(runtime, labels=labels, spec=spec, unknown_threshold=None, source=source)
        return predictor

    def _set_up(
        self,
        runtime: Runtime,
        *,
        labels: Sequence[str],
        spec: InputSpec,
        unknown_threshold: float | None,
        source: str,
        path: Path | None = None,
    ) -> None:
        size = (spec.height, spec.width)
        if runtime.input_size is not None and runtime.input_size != size:
            raise BundleError(
                f"{source} takes images of {_by(runtime.input_size)} pixels, but its description "
                f"says {_by(size)}. The two files do not belong together. Copy or export the "
                "model again."
            )
        self._runtime, self._source = runtime, source
        self.path = path
        self.labels = tuple(labels)
        self.input_spec = spec
        self.unknown_threshold = unknown_threshold

    def __repr__(self) -> str:
        classes = pluralize(len(self.labels), "class", "classes")
        return short_repr(self, classes, Path(self._source).name)

    def warm_up(self) -> None:
        """Classify one blank image, so that the first photo takes no longer than later ones."""
        self.probabilities(np.zeros((1, self.input_spec.height, self.input_spec.width, 3), "f4"))

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probability of each class: float32 (num_images, num_classes).

        Args:
            inputs: Images of the model's input size: float32 (num_images, height, width, 3), RGB,
                in [0, 1].

        Raises:
            BundleError: The model cannot be run, or its outputs are not probabilities.
        """
        if not len(inputs):  # not every runtime accepts an empty batch
            return np.empty((0, len(self.labels)), np.float32)
        with library_errors_as(BundleError, self._source, "cannot classify photos"):
            outputs = self._runtime.run(inputs)
        return require_probabilities(
            outputs,
            num_rows=len(inputs),
            num_labels=len(self.labels),
            source=self._source,
            step=getattr(self._runtime, "output_step", 0.0),
        )

    def predict(self, photo: Photo, *, top_k: int = 5) -> Answer:
        """Classify one photo.

        Args:
            photo: A path, the bytes of an image file, a file opened in mode ``"rb"``, a Pillow
                image, or an array: uint8, or floating point in [0, 1]; (height, width) or
                (height, width, channels), grey, RGB or RGBA. For a batch, call ``predict_batch``.
            top_k: Number of classes in the answer, at most all of them.

        Raises:
            ImageError: The photo cannot be read, or has another type, dtype, shape or range.
            ConfigError: ``top_k`` is not a whole number of at least 1.
        """
        return self.answer(self.probabilities(self._load(photo)[None])[0], top_k=top_k)

    def predict_object(
        self, photos: Iterable[Photo], *, top_k: int = 5, min_votes: int | None = None
    ) -> ObjectAnswer:
        """Classify one object from several photos of it; ``answer_object`` tells how.

        Args:
            photos: Photos of the same object, each as ``predict`` takes it, in any order and size.
                A photo that cannot be read gives an error in ``answers``; the others still count.
            top_k: Number of classes in the answer, at most all of them.
            min_votes: The answer is "unknown" with fewer votes than this.

        Raises:
            ConfigError: There are no photos, or an argument is less than 1.
            ImageError: None of the photos can be read.
        """
        rows = list(self.probabilities_of(photos))
        return self.answer_object(rows, top_k=top_k, min_votes=min_votes)

    def predict_batch(
        self, photos: Iterable[Photo], *, top_k: int = 5
    ) -> Iterator[Answer | ImageError]:
        """Classify many photos; yield an answer for each, in order.

        A photo that cannot be read yields its ``ImageError`` instead. Photos are decoded in
        parallel and a few at a time, so that there may be any number of them.

        Example:
            ``answers = list(model.predict_batch(["a.jpg", "b.jpg"]))``

        Args:
            photos: Photos as ``predict`` takes them, or an array of shape (num_images, height,
                width, channels).
            top_k: Number of classes in each answer, at most all of them.

        Raises:
            ConfigError: ``photos`` is one photo or cannot be iterated over, or ``top_k`` is not a
                whole number of at least 1.
        """
        require_count("top_k", top_k)
        return (
            row if isinstance(row, ImageError) else self.answer(row, top_k=top_k)
            for row in self.probabilities_of(photos)
        )

    def probabilities_of(self, photos: Iterable[Photo]) -> Iterator[np.ndarray | ImageError]:
        """Classify many photos; yield the probabilities of all classes, float32 (num_classes,).

        A photo that cannot be read yields its ``ImageError`` instead.

        Args:
            photos: As ``predict_batch`` takes them.

        Raises:
            ConfigError: ``photos`` is one photo, or cannot be iterated over.
        """
        require_several(photos)
        return self._rows(photos)

    def _rows(self, photos: Iterable[Photo]) -> Iterator[np.ndarray | ImageError]:
        with ThreadPoolExecutor(num_cores(), thread_name_prefix="decode") as pool:
            queue = []
            for photo in photos:
                queue.append(pool.submit(self._load, photo))
                if len(queue) > num_cores() * _QUEUED_PER_CORE:
                    yield self._row(queue.pop(0))
            for future in queue:
                yield self._row(future)

    def _row(self, future: Future[np.ndarray]) -> np.ndarray | ImageError:
        try:
            inputs = future.result()
        except ImageError as error:
            return error
        row: np.ndarray = self.probabilities(inputs[None])[0]
        return row

    def _load(self, photo: Photo) -> np.ndarray:
        return images.load_input(photo, self.input_spec)

    def answer(self, probabilities: np.ndarray, *, top_k: int = 5) -> Answer:
        """Return the answer that probabilities stand for.

        Args:
            probabilities: float32 (num_classes,), for example the mean over several frames.
            top_k: Number of classes in the answer, at most all of them.
        """
        require_count("top_k", top_k)
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        predictions = tuple(
            Prediction(self.labels[index], float(probabilities[index])) for index in order
        )
        threshold = self.unknown_threshold
        return Answer(predictions, threshold is not None and predictions[0].probability < threshold)

    def answer_object(
        self,
        rows: Sequence[np.ndarray | ImageError],
        *,
        top_k: int = 5,
        min_votes: int | None = None,
    ) -> ObjectAnswer:
        """Return the answer about one object from the probabilities of its photos.

        Classes are ranked by the product of their probabilities (J. Kittler, M. Hatef,
        R. P. W. Duin, J. Matas, "On combining classifiers", IEEE TPAMI 20(3), 1998). The answer
        gives their geometric mean, normalised to a sum of 1. If all photos have the same
        probabilities, the mean is equal to them, however many photos there are. So the threshold
        for "unknown", which was chosen on single photos, applies to it unchanged. The product
        itself approaches 1 for right and wrong answers alike, because photos of one object are
        often wrong together.

        The product may favour a class that is second on every photo. ``min_votes`` requires photos
        whose own most probable class it is, whether or not they are "unknown" by themselves.

        Args:
            rows: For each photo float32 (num_classes,) or its error, as ``probabilities_of``
                yields them.
            top_k: Number of classes in the answer, at most all of them.
            min_votes: The answer is "unknown" with fewer votes than this; ``None`` for no limit.

        Raises:
            ConfigError: There are no rows, or ``min_votes`` is less than 1.
            ImageError: All rows are errors.
        """
        if min_votes is not None:
            require_count("min_votes", min_votes)
        if not rows:
            raise ConfigError("There are no photos of the object; at least one is needed.")
        read = [row for row in rows if not isinstance(row, ImageError)]
        if not read:
            raise ImageError(
                f"none of {pluralize(len(rows), 'photo')} of the object can be read. The first: "
                f"{rows[0]}"
            )
        group = np.zeros(len(read), np.intp)
        stacked = np.stack(read)
        fused = fuse(stacked, group)
        (votes,) = count_votes(stacked, group, fused).tolist()
        answer = self.answer(fused[0].astype(np.float32), top_k=top_k)
        return ObjectAnswer(
            predictions=answer.predictions,
            is_unknown=answer.is_unknown or (min_votes is not None and votes < min_votes),
            votes=votes,
            answers=tuple(
                row if isinstance(row, ImageError) else self.answer(row, top_k=top_k)
                for row in rows
            ),
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
