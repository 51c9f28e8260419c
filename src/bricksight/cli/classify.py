"""``bricksight classify``: what is on these photos?"""

import csv
import glob
import json as json_format
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bricksight._text import percent
from bricksight.cli._help import panel
from bricksight.config import PHOTO_EXTENSIONS
from bricksight.errors import ConfigError, DataError, ImageError

if TYPE_CHECKING:
    from bricksight.predict import Answer, Predictor


@dataclass(frozen=True, kw_only=True)
class Answering:
    """How photos are answered.

    Attributes:
        top_k: How many classes to name for each photo.
        json: Print a JSON object a line: photo, label, is_unknown, predictions.
        csv: Print a CSV table: photo, rank, label, probability, is_unknown.
        runtime: What runs the model: litert, tensorflow, saved_model, keras, onnxruntime,
            openvino or tfjs; by default litert for a model folder, and what a single file is for.
        threads: Cores to use; all of them by default.
    """

    top_k: int = 5
    json: bool = False
    csv: bool = False
    runtime: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ConfigError(f"--top_k is {self.top_k}; it must be at least 1.")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"--threads is {self.threads}; it must be at least 1.")
        if self.json and self.csv:
            raise ConfigError("--json and --csv are both given; choose one.")


@dataclass(frozen=True, kw_only=True)
class OldGraph:
    """A model as retrain.py left it: two files instead of a model folder.

    Attributes:
        graph: A frozen graph, instead of a model folder.
        labels: The labels file that belongs to it, one label a line.
        input_layer: The graph's node that takes the images.
        output_layer: The graph's node that gives the probabilities.
    """

    graph: Path | None = None
    labels: Path | None = None
    input_layer: str = "Placeholder"
    output_layer: str = "final_result"

    def open(self) -> "Predictor | None":
        """Returns the model, ``None`` if no files are named."""
        from bricksight.predict import Predictor

        if self.graph is None and self.labels is None:
            return None
        if self.graph is None or self.labels is None:
            raise ConfigError("--graph and --labels belong together; one of them is missing.")
        return Predictor.from_graph(
            self.graph,
            self.labels,
            input_layer=self.input_layer,
            output_layer=self.output_layer,
        )


def classify(
    *paths: Path,
    answering: Annotated[Answering, panel("Answers")] = Answering(),
    old: Annotated[OldGraph, panel("Old graphs")] = OldGraph(),
) -> int:
    """Says what is on photos.

    The first path is the model folder, or a file that export wrote, unless --graph names a frozen
    graph of retrain.py's. The others are photos, folders of photos, or patterns such as
    'photos/*.jpg'; "-" reads paths from standard input, one a line.

    Args:
        paths: BUNDLE PHOTO...; with --graph only PHOTO...
        answering: How photos are answered.
        old: A model as retrain.py left it.
    """
    from bricksight.predict import Predictor

    predictor, photos = old.open(), paths
    if predictor is None:
        if not paths:
            raise ConfigError("A model folder and photos are needed: classify BUNDLE PHOTO...")
        predictor = Predictor(paths[0], runtime=answering.runtime, threads=answering.threads)
        photos = paths[1:]
    if not photos:
        raise ConfigError("No photos are named: classify BUNDLE PHOTO...")
    write = _write_json if answering.json else _CsvWriter() if answering.csv else _write_text
    return _classify(predictor, list(_photos(photos)), answering.top_k, write)


STDIN = Path("/dev/stdin")
"""What stands for "-" by the time the words have been parsed; see ``cli.main``."""

Write = Callable[[Path, "Answer"], None]


def _classify(predictor: "Predictor", photos: Sequence[Path], top_k: int, write: Write) -> int:
    """Returns 1 if a photo could not be read; the others are answered all the same."""
    code = 0
    answers = predictor.predict_many(photos, top_k=top_k)
    for photo, answer in zip(photos, answers, strict=True):
        if isinstance(answer, ImageError):
            print(f"bricksight: {photo}: {answer}", file=sys.stderr)
            code = 1
        else:
            write(photo, answer)
    return code


def _photos(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path == STDIN:
            yield from (Path(line) for line in sys.stdin.read().splitlines() if line)
        elif path.is_dir():
            yield from _photos_in(path)
        elif not path.exists() and glob.has_magic(str(path)):
            yield from _matching(path)
        else:
            yield path


def _photos_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_EXTENSIONS)
    if not found:
        raise DataError(f"The folder {folder} holds no photos.")
    return found


def _matching(pattern: Path) -> list[Path]:
    found = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207  (may be absolute)
    if not found:
        raise DataError(f"No file matches {str(pattern)!r}.")
    return [Path(path) for path in found]


def _write_text(photo: Path, answer: "Answer") -> None:
    named = ", ".join(f"{one.label} {percent(one.probability)}" for one in answer.predictions)
    print(f"{photo}: {'unknown; perhaps ' if answer.is_unknown else ''}{named}")


def _write_json(photo: Path, answer: "Answer") -> None:
    content = {
        "photo": str(photo),
        "label": answer.label,
        "is_unknown": answer.is_unknown,
        "predictions": [
            {"label": one.label, "probability": one.probability} for one in answer.predictions
        ],
    }
    print(json_format.dumps(content, ensure_ascii=False))


class _CsvWriter:
    """Writes the header before the first row."""

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(("photo", "rank", "label", "probability", "is_unknown"))

    def __call__(self, photo: Path, answer: "Answer") -> None:
        for rank, one in enumerate(answer.predictions, start=1):
            self._writer.writerow(
                (photo, rank, one.label, f"{one.probability:.6f}", answer.is_unknown)
            )
