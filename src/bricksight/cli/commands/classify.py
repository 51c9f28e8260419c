"""``bricksight classify``: classify photos."""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from bricksight._support.text import percent, pluralize, some
from bricksight._support.threads import require_threads
from bricksight.cli._help import panel
from bricksight.cli._output import CsvOutput, note, say, say_json
from bricksight.cli._paths import named_photos
from bricksight.cli._values import STDIN
from bricksight.config import SplitConfig
from bricksight.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from bricksight.predict import Answer, ObjectAnswer, Predictor


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions:
    """Settings of the answers.

    Attributes:
        top_k: Number of classes to print for each photo.
        json: Print one JSON object per line: photo, label, is_unknown, predictions.
        csv: Print a CSV table: photo, rank, label, probability, is_unknown.
        runtime: Runtime: litert, tensorflow, saved_model, keras, onnxruntime, openvino or tfjs. By
            default litert for a bundle, and the runtime of an exported file.
        threads: Number of threads; by default all cores.
        trust: Run a model even if it may access files, the network or other programs.
    """

    top_k: int = 5
    json: bool = False
    csv: bool = False
    runtime: str | None = None
    threads: int | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ConfigError(f"--top_k is {self.top_k}; it must be at least 1.")
        require_threads(self.threads)
        if self.json and self.csv:
            raise ConfigError("--json and --csv are both given. Use one of them.")


@dataclass(frozen=True, kw_only=True)
class ObjectOptions:
    """Settings for several photos of one object, which also get one answer together.

    Attributes:
        group_by: Regular expression for the photo's path as given. Photos with the same first
            capture group show one object.
        min_votes: Answer "unknown" for an object unless at least this many of its photos agree.
    """

    group_by: str | None = None
    min_votes: int | None = None

    def __post_init__(self) -> None:
        SplitConfig(group_by=self.group_by)  # validates the regular expression
        if self.min_votes is not None and self.min_votes < 1:
            raise ConfigError(f"--min_votes is {self.min_votes}; it must be at least 1.")
        if self.min_votes is not None and self.group_by is None:
            raise ConfigError(
                "--min_votes needs --group_by, which says which photos show one object."
            )


@dataclass(frozen=True, kw_only=True)
class FrozenGraphOptions:
    """A frozen graph and its labels, as retrain.py wrote them, instead of a bundle.

    Attributes:
        graph: Frozen graph.
        labels: Labels file of the graph, one label per line.
        input_layer: Name of the input node.
        output_layer: Name of the output node, the probabilities.
        input_size: Height and width of the input, if the graph leaves them open; 224 by default.
        input_mean: Subtracted from pixel values of 0 to 255; 128 for the InceptionV3 and
            MobileNetV1 of older versions of retrain.py. By default pixels are scaled to 0 to 1, or
            left at 0 to 255 if the input is uint8.
        input_std: Divisor of pixel values after the subtraction; 128 for these two.
    """

    graph: Path | None = None
    labels: Path | None = None
    input_layer: str = "Placeholder"
    output_layer: str = "final_result"
    input_size: int | None = None
    input_mean: float | None = None
    input_std: float | None = None

    def open(self, options: ClassifyOptions) -> "Predictor | None":
        """Return the model, ``None`` if no graph is given."""
        from bricksight.predict import Predictor

        if self.graph is None and self.labels is None:
            self._require_unused()
            return None
        if self.graph is None or self.labels is None:
            raise ConfigError("--graph and --labels belong together. One of them is missing.")
        if options.runtime not in (None, "tensorflow"):
            raise ConfigError(
                f"--runtime is {options.runtime!r}, but --graph needs tensorflow. Leave --runtime "
                "out."
            )
        return Predictor.from_graph(
            self.graph,
            self.labels,
            input_layer=self.input_layer,
            output_layer=self.output_layer,
            input_size=self.input_size,
            input_mean=self.input_mean,
            input_std=self.input_std,
            threads=options.threads,
            trust=options.trust,
        )

    def _require_unused(self) -> None:
        """Raise ConfigError for options of frozen graphs where no graph is given."""
        given = [one.name for one in fields(self) if getattr(self, one.name) != one.default]
        if given:
            raise ConfigError(
                f"--{given[0]} is for a frozen graph (--graph and --labels). A bundle contains its "
                "preprocessing. Leave the option out."
            )


def classify(
    *paths: Path,
    options: Annotated[ClassifyOptions, panel("Answers")] = ClassifyOptions(),
    objects: Annotated[ObjectOptions, panel("Several photos of one object")] = ObjectOptions(),
    old: Annotated[FrozenGraphOptions, panel("Frozen graphs of retrain.py")] = FrozenGraphOptions(),
) -> int:
    """Classify photos.

    MODEL is a bundle or an exported file. PHOTO is a photo, a folder of photos, or a pattern such
    as 'photos/*.jpg'. "-" reads paths from standard input, one per line or separated as by
    `find -print0`.

    Args:
        paths: MODEL PHOTO...; with --graph only PHOTO...
        options: Settings of the answers.
        objects: Photos of one object.
        old: Frozen graph of retrain.py.
    """
    from bricksight.predict import Predictor

    predictor, photos = old.open(options), paths
    if predictor is None:
        if not paths:
            raise ConfigError("MODEL and PHOTO are missing: bricksight classify MODEL PHOTO...")
        if str(paths[0]) == STDIN:
            raise ConfigError("- stands for a list of photos. Name a model before it.")
        predictor = Predictor(
            paths[0],
            runtime=options.runtime,
            threads=options.threads,
            trust=options.trust,
        )
        photos = paths[1:]
    if not photos:
        raise ConfigError("PHOTO is missing: bricksight classify MODEL PHOTO...")
    complaints = _Complaints()
    batches = named_photos(photos, complaints.add)
    if objects.group_by is None:
        writer = _writer(options, with_objects=False)
        for batch in batches:
            _classify(predictor, batch, options.top_k, writer, complaints)
            sys.stdout.flush()  # a program that sends photos one by one waits for each answer
    else:
        grouped = _objects([photo for batch in batches for photo in batch], objects)
        writer = _writer(options, with_objects=True)
        _classify_objects(predictor, grouped, options.top_k, objects.min_votes, writer, complaints)
    return 1 if complaints.any else 0


class _Complaints:
    """Collects photos that cannot be classified, and prints them on stderr."""

    any = False

    def add(self, what: object, reason: object) -> None:
        self.any = True
        note(f"bricksight: {what}: {reason}")


def _classify(
    predictor: "Predictor",
    photos: Sequence[Path],
    top_k: int,
    writer: "_Writer",
    complaints: _Complaints,
) -> None:
    answers = predictor.predict_batch(photos, top_k=top_k)
    for photo, answer in zip(photos, answers, strict=True):
        if isinstance(answer, ImageError):
            complaints.add(photo, answer)
        else:
            writer.photo(photo, answer)


def _classify_objects(
    predictor: "Predictor",
    objects: Mapping[str, Sequence[Path]],
    top_k: int,
    min_votes: int | None,
    writer: "_Writer",
    complaints: _Complaints,
) -> None:
    """Classify objects by those of their photos that can be read."""
    rows = predictor.probabilities_of(photo for photos in objects.values() for photo in photos)
    for key, photos in objects.items():
        found = list(islice(rows, len(photos)))
        for photo, row in zip(photos, found, strict=True):
            if isinstance(row, ImageError):
                complaints.add(photo, row)
        if all(isinstance(row, ImageError) for row in found):
            complaints.add(
                key, f"none of {pluralize(len(photos), 'photo')} can be read, so no answer"
            )
        else:
            answer = predictor.answer_object(found, top_k=top_k, min_votes=min_votes)
            writer.object(key, photos, answer)


def _objects(photos: Sequence[Path], asked: ObjectOptions) -> dict[str, list[Path]]:
    """Return the photos of each object. A photo that is given twice counts once."""
    from bricksight.dataset import group_keys

    once = list(dict.fromkeys(photos))
    keys, unmatched = group_keys([photo.as_posix() for photo in once], group_by=asked.group_by)
    objects = defaultdict(list)
    for key, photo in zip(keys, once, strict=True):
        objects[key].append(photo)
    largest = max(map(len, objects.values()), default=0)
    if objects and asked.min_votes is not None and asked.min_votes > largest:
        raise ConfigError(
            f"--min_votes is {asked.min_votes}, but no object has more than "
            f"{pluralize(largest, 'photo')}, so all would be unknown. Lower it, or name more "
            f"photos that --group_by {asked.group_by!r} puts together."
        )
    if unmatched:
        note(
            f"! --group_by matches nothing in {pluralize(len(unmatched), 'path')}. Each is "
            f"an object of its own: {some(unmatched)}."
        )
    return dict(objects)


class _Writer(Protocol):
    """Prints answers in one format."""

    def photo(self, photo: Path, answer: "Answer") -> None:
        """Print the answer for a photo."""

    def object(self, key: str, photos: Sequence[Path], answer: "ObjectAnswer") -> None:
        """Print the answers for the readable photos of an object, and for the object."""


def _writer(options: ClassifyOptions, *, with_objects: bool) -> _Writer:
    if options.json:
        return _JsonWriter()
    return _CsvWriter(with_objects=with_objects) if options.csv else _TextWriter()


def _read(photos: Sequence[Path], answer: "ObjectAnswer") -> "list[tuple[Path, Answer]]":
    pairs = zip(photos, answer.answers, strict=True)
    return [(photo, view) for photo, view in pairs if not isinstance(view, ImageError)]


class _TextWriter:
    def photo(self, photo: Path, answer: "Answer") -> None:
        _print_text(str(photo), answer)

    def object(self, key: str, photos: Sequence[Path], answer: "ObjectAnswer") -> None:
        read = _read(photos, answer)
        for photo, view in read:
            self.photo(photo, view)
        votes = f"{pluralize(answer.votes, 'vote')} of {pluralize(len(read), 'photo')}"
        _print_text(f"= {key} ({votes})", answer)


def _print_text(named: str, answer: "Answer") -> None:
    classes = ", ".join(f"{one.label} {percent(one.probability)}" for one in answer.predictions)
    say(f"{named}: {'unknown; perhaps ' if answer.is_unknown else ''}{classes}")


class _JsonWriter:
    def photo(self, photo: Path, answer: "Answer") -> None:
        _print_json({"photo": str(photo)}, answer)

    def object(self, key: str, photos: Sequence[Path], answer: "ObjectAnswer") -> None:
        read = _read(photos, answer)
        for photo, view in read:
            _print_json({"photo": str(photo), "object": key}, view)
        unread = {
            str(photo): str(view)
            for photo, view in zip(photos, answer.answers, strict=True)
            if isinstance(view, ImageError)
        }
        named = {"object": key, "photos": [str(photo) for photo, _ in read], "set_aside": unread}
        _print_json({**named, "votes": answer.votes}, answer)


def _print_json(named: dict[str, Any], answer: "Answer") -> None:
    content = named | {
        "label": answer.label,
        "is_unknown": answer.is_unknown,
        "predictions": [
            {"label": one.label, "probability": one.probability} for one in answer.predictions
        ],
    }
    say_json(content)


class _CsvWriter:
    """Prints a header before the first row."""

    def __init__(self, *, with_objects: bool) -> None:
        self._output = CsvOutput()
        header = ("photo", "rank", "label", "probability", "is_unknown")
        more = ("object", "num_photos", "votes") if with_objects else ()
        self._output.write(*header, *more)

    def photo(self, photo: Path, answer: "Answer") -> None:
        self._write(photo, answer)

    def object(self, key: str, photos: Sequence[Path], answer: "ObjectAnswer") -> None:
        read = _read(photos, answer)
        for photo, view in read:
            self._write(photo, view, key, "", "")
        self._write("", answer, key, len(read), answer.votes)

    def _write(self, photo: Path | str, answer: "Answer", *more: str | int) -> None:
        for rank, one in enumerate(answer.predictions, start=1):
            self._output.write(
                str(photo), rank, one.label, f"{one.probability:.6f}", answer.is_unknown, *more
            )
