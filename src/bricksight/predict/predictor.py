"""Photos in, labels out."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bricksight import images
from bricksight._support.fusion import count_votes, fuse
from bricksight._support.library_errors import library_errors_as
from bricksight._support.text import pluralize
from bricksight._support.threads import num_cores, require_threads
from bricksight.bundle import Bundle, open_bundle, read_labels
from bricksight.config import AnyPath, InputSpec, input_path
from bricksight.errors import BundleError, ConfigError, ImageError
from bricksight.images import Photo
from bricksight.predict._answers import Answer, GroupAnswer, Prediction
from bricksight.predict._arguments import require_count, require_several, spec_of_graph
from bricksight.predict._outputs import require_probabilities
from bricksight.predict._sidecar import of_bundle, read_sidecar, require_as_written
from bricksight.predict.runtimes import (
    Runtime,
    is_model_folder,
    require_runs,
    runtime_class,
    runtime_of,
)

_QUEUED_PER_CORE = 4


class Predictor:
    """A model that classifies photos. It may be called from several threads.

    Example:
        ``Predictor("photos-model").predict("photo.jpg").label``

    Attributes:
        labels: The classes, in the order of the outputs.
        input_spec: How photos are prepared.
        unknown_threshold: Below it the answer is "unknown"; ``None`` where it never is.
        path: The model folder or file, ``None`` where the model came otherwise.
    """

    def __init__(
        self,
        model: AnyPath,
        *,
        runtime: str | None = None,
        threads: int | None = None,
        trust: bool = False,
    ) -> None:
        """Opens ``model``.

        Args:
            model: what ``retrain`` wrote, or a file that ``export`` wrote.
            runtime: one of ``RUNTIMES``; by default "litert" for a bundle, and what a file is for.
            threads: how many cores one photo may use; all of them by default.
            trust: run a TensorFlow or Keras model even if it may access files, the network or
                other programs; see docs/reference/security.md.

        Raises:
            BundleError: the bundle, the file for this runtime, or the lone file cannot be used.
            UntrustedModelError: it does more than compute, and ``trust`` is not given.
            ConfigError: there is no such runtime, an argument is of another type, or ``threads`` is
                more than the machine can run.
            MissingPackageError: the runtime is not installed.
        """
        path = input_path(model, "The model")
        _require_settings(threads=threads, trust=trust)
        if path.is_dir() and not is_model_folder(path):
            name = "litert" if runtime is None else runtime
            kind, bundle = runtime_class(name), open_bundle(path)
            file, described = _file_of(bundle, kind), of_bundle(bundle, kind.file_name)
        else:
            described = read_sidecar(path)
            name = runtime_of(path) if runtime is None else runtime
            kind, file = runtime_class(name), path
            if runtime is not None:
                require_runs(runtime, path)
            require_as_written(path, described)
        options: dict[str, Any] = dict(described.layers) if name == "tensorflow" else {}
        if kind.may_reach_out:
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
        """Returns a predictor over a frozen graph and a labels file, as retrain.py wrote them.

        Args:
            graph: the frozen graph. A float input takes pixels from 0 to 1, a uint8 input from 0 to
                255; another range is named by ``input_mean`` and ``input_std``.
            labels: one label a line, in the order of the outputs.
            input_layer: name of the node that takes the images.
            output_layer: name of the node that gives the probabilities.
            input_size: height and width of the images where the graph leaves them open; by default
                224.
            input_mean: subtracted from the pixels of 0 to 255; 128 for retrain.py's InceptionV3 and
                MobileNetV1.
            input_std: what they are divided by then; 128 for these two.
            threads: how many cores one photo may use; all of them by default.
            trust: allow operations that access files, the network or other programs.

        Raises:
            BundleError: the files cannot be read, or do not belong together.
            UntrustedModelError: the graph does more than compute, and ``trust`` is not given.
            ConfigError: an argument does not fit the graph.
            MissingPackageError: TensorFlow is not installed.
        """
        _require_settings(threads=threads, trust=trust)
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
            spec=spec_of_graph(path, runtime.input_size, input_size),
            unknown_threshold=None,
            source=f"{path} in tensorflow",
        )
        return predictor

    @classmethod
    def from_runtime(
        cls, runtime: Runtime, labels: Sequence[str], spec: InputSpec, *, source: str = "The model"
    ) -> "Predictor":
        """Returns a predictor over an open runtime; it never answers "unknown".

        Args:
            runtime: what has loaded the model.
            labels: in the order of the outputs.
            spec: how photos are prepared.
            source: what messages call the model.
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
                f"says {_by(size)}: they do not belong together. Copy or export the model again."
            )
        self._runtime, self._source = runtime, source
        self.path = path
        self.labels = tuple(labels)
        self.input_spec = spec
        self.unknown_threshold = unknown_threshold

    def __repr__(self) -> str:
        return f"<Predictor: {len(self.labels)} classes, {self._source}>"

    def warm_up(self) -> None:
        """Classifies one blank picture; what a runtime puts off until then is done."""
        self.probabilities(np.zeros((1, self.input_spec.height, self.input_spec.width, 3), "f4"))

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the probability of each class, float32 (num_images, num_classes).

        Args:
            inputs: float32 (num_images, height, width, 3), RGB, in [0, 1].

        Raises:
            BundleError: the model cannot be run, or what it gives are no probabilities of the
                labels.
        """
        if not len(inputs):  # not every runtime takes none
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
        """Returns the ``top_k`` most probable classes of one photo.

        Args:
            photo: a path, the bytes of a file, a file opened for reading bytes, a Pillow image, or
                an array (uint8 RGB, floating point in [0, 1], grey, with alpha); see ``Photo``.
            top_k: how many classes to name; all if there are fewer.

        Raises:
            ImageError: the photo cannot be read, or is none.
            ConfigError: ``top_k`` is not a number from 1 on.
        """
        return self.answer(self.probabilities(self._load(photo)[None])[0], top_k=top_k)

    def predict_group(
        self, photos: Iterable[Photo], top_k: int = 5, min_votes: int | None = None
    ) -> GroupAnswer:
        """Returns one answer to all photos of one object; see ``answer_group``.

        Args:
            photos: of the same object, in any order and size. One that cannot be read is named in
                its place in ``views``, and the others still count.
            top_k: how many classes to name.
            min_votes: how many photos must agree.

        Raises:
            ConfigError: there are no photos, or ``min_votes`` is less than 1.
            ImageError: none of the photos can be read.
        """
        rows = list(self.probabilities_of(photos))
        return self.answer_group(rows, top_k=top_k, min_votes=min_votes)

    def predict_many(
        self, photos: Iterable[Photo], *, top_k: int = 5
    ) -> Iterator[Answer | ImageError]:
        """Yields an answer a photo, in order, or the error of a photo that cannot be read.

        The next photos are decoded on the other cores while one is classified.

        Args:
            photos: any number of what ``predict`` takes, or one array (num_images, height, width,
                channels).
            top_k: how many classes to name; all if there are fewer.

        Raises:
            ConfigError: ``photos`` is one photo or nothing to iterate over, or ``top_k`` is not a
                number from 1 on.
        """
        require_count("top_k", top_k)
        return (
            row if isinstance(row, ImageError) else self.answer(row, top_k=top_k)
            for row in self.probabilities_of(photos)
        )

    def probabilities_of(self, photos: Iterable[Photo]) -> Iterator[np.ndarray | ImageError]:
        """Yields float32 (num_classes,) a photo, in order, or why the photo cannot be read.

        Raises:
            ConfigError: ``photos`` is one photo, or nothing to iterate over.
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
        """Returns the ``top_k`` most probable classes by one row of probabilities.

        Args:
            probabilities: float32 (num_classes,), such as the mean over several frames.
            top_k: how many classes to name; all if there are fewer.
        """
        require_count("top_k", top_k)
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        predictions = tuple(
            Prediction(self.labels[index], float(probabilities[index])) for index in order
        )
        threshold = self.unknown_threshold
        return Answer(predictions, threshold is not None and predictions[0].probability < threshold)

    def answer_group(
        self,
        rows: Sequence[np.ndarray | ImageError],
        *,
        top_k: int = 5,
        min_votes: int | None = None,
    ) -> GroupAnswer:
        """Returns one answer to one object by the probabilities of each of its photos.

        The classes are ranked by the product of their probabilities (J. Kittler, M. Hatef,
        R. P. W. Duin, J. Matas, "On combining classifiers", IEEE TPAMI 20(3), 1998). What is told
        is their geometric mean, renormalised to a sum of 1: photos that say the same give what each
        of them says, however many they are. So the threshold for "unknown", which was chosen on
        single photos, is applied to it as it is. The product itself nears 1 whether right or wrong,
        because photos of one object are often wrong together, and would pass any threshold.

        The product may favour a class that is second on every photo; ``min_votes`` asks for photos
        whose own most probable class it is, whether or not they would be "unknown" alone.

        Args:
            rows: float32 (num_classes,) a photo, or its error, as ``probabilities_of`` yields them.
            top_k: how many classes to name; all if there are fewer.
            min_votes: with fewer votes the object is "unknown", so one of fewer photos always is;
                by default no votes are asked for.

        Raises:
            ConfigError: there are no rows, or ``min_votes`` is less than 1.
            ImageError: all of them are errors.
        """
        if min_votes is not None:
            require_count("min_votes", min_votes)
        if not rows:
            raise ConfigError("There are no photos of the object; at least one is needed.")
        read = [row for row in rows if not isinstance(row, ImageError)]
        if not read:
            raise ImageError(
                f"none of {pluralize(len(rows), 'photo')} of the object can be read; the first is "
                f"{rows[0]}"
            )
        group = np.zeros(len(read), np.intp)
        stacked = np.stack(read)
        fused = fuse(stacked, group)
        (votes,) = count_votes(stacked, group, fused).tolist()
        answer = self.answer(fused[0].astype(np.float32), top_k=top_k)
        return GroupAnswer(
            predictions=answer.predictions,
            is_unknown=answer.is_unknown or (min_votes is not None and votes < min_votes),
            votes=votes,
            views=tuple(
                row if isinstance(row, ImageError) else self.answer(row, top_k=top_k)
                for row in rows
            ),
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _file_of(bundle: Bundle, kind: Any) -> Path:
    """Returns the file of the bundle that a runtime executes."""
    if kind.file_name not in bundle.manifest.files and kind.file_name.startswith("exports/"):
        command = f"bricksight export {shlex.quote(str(bundle.path))} --format {kind.format_name}"
        raise BundleError(
            f"The bundle {bundle.path} holds no {kind.file_name}, which this runtime executes. "
            f"Write it: {command}"
        )
    return bundle.file(kind.file_name)


def _require_settings(*, threads: int | None, trust: bool) -> None:
    if threads is not None:
        require_count("threads", threads)
    require_threads(threads, name="threads")
    if not isinstance(trust, bool):  # "no" would be taken for yes
        raise ConfigError(f"trust is {trust!r}; it must be True or False.")
