"""Photos → feature matrix: each photo decoded once, every view run once, all cores at work."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight._support.threads import num_cores
from bricksight.config import AugmentConfig, InputSpec
from bricksight.dataset import Example
from bricksight.errors import CacheError, ImageError
from bricksight.features._cache import FeatureCache, do_without
from bricksight.features._compile import CompiledBackbone, Run
from bricksight.images import ForegroundMasks

AUGMENTATION_VERSION = 1
"""Part of a view's key: raised when the same settings and seed give another picture."""

DECODING_VERSION = 2
"""Part of every view's key: raised when the same file gives other pixels."""

_PLAIN_KEY = f"plain-{DECODING_VERSION}"
_QUEUED_PER_WORKER = 4

Progress = Callable[[int], None]
"""Told how many more photos are done."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """Which renditions of each photo are wanted: the photo itself, or random ones.

    Attributes:
        num_random: How many random views, 0 for none.
        include_plain: Whether the unchanged photo is the first view.
        augment: What is random about them.
        seed: Together with the photo's content and the view's number it fixes the view, so that
            adding photos does not change the views of the others.
        cutouts: Where the objects are, and what random views show behind them.
    """

    num_random: int = 0
    include_plain: bool = True
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0
    cutouts: ForegroundMasks | None = None

    @property
    def keys(self) -> list[str]:
        """One text a view of a photo without a mask; see ``keys_of``."""
        return self._keys("")

    def keys_of(self, example: Example) -> list[str]:
        """One text a view, the same in every run that would compute the same pixels."""
        return self._keys("" if self.cutouts is None else self.cutouts.key_of(example.path))

    def _keys(self, cutout: str) -> list[str]:
        amounts = [(name, _shortest(value)) for name, value in asdict(self.augment).items()]
        behind = (cutout,) if cutout else ()
        versions = (AUGMENTATION_VERSION, DECODING_VERSION)
        settings = repr((versions, sorted(amounts), self.seed, *behind))
        digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
        random = [f"{digest}-{number}" for number in range(self.num_random)]
        return [_PLAIN_KEY, *random] if self.include_plain else random

    def read(self, example: Example, spec: InputSpec) -> np.ndarray:
        """Returns the decoded photo that ``render`` takes.

        Raises:
            ImageError: it cannot be read.
        """
        photo = images.decode(example.path, min_size=images.decoding_size(spec))
        return photo if self.cutouts is None else self.cutouts.cut_out(photo, example.path)

    def render(self, photo: np.ndarray, key: str, *, sha256: str, spec: InputSpec) -> np.ndarray:
        """Returns view ``key`` of a decoded photo, float32 (height, width, 3) in [0, 1]."""
        if key == _PLAIN_KEY:
            return images.to_input(photo[..., :3], spec)
        number = int(key.rpartition("-")[2])
        rng = np.random.default_rng([self.seed, number, int(sha256[:15], 16)])
        backgrounds = None if self.cutouts is None else self.cutouts.backgrounds
        return images.augment(photo, rng, config=self.augment, spec=spec, backgrounds=backgrounds)


def _shortest(amount: float) -> float:
    """Returns 5 for 5.0 too, so that both give the same key."""
    return int(amount) if isinstance(amount, float) and amount.is_integer() else amount


PLAIN = Views()
"""The unchanged photo and nothing else."""


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """What came of a list of photos.

    Attributes:
        matrix: float32 (num_photos, num_views, num_features), rows in the order of ``examples``.
        examples: The photos that could be read.
        failures: Path below image_dir → reason, of the photos that could not.
        num_computed: How many views had to be computed; the others came from the cache.
    """

    matrix: np.ndarray
    examples: tuple[Example, ...]
    failures: dict[str, str]
    num_computed: int


def extract(
    examples: Sequence[Example],
    *,
    compiled: CompiledBackbone,
    views: Views = PLAIN,
    cache_path: Path | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> FeatureSet:
    """Returns the features of ``examples``, from the cache where they are there already.

    Beyond the matrix itself, memory holds only the few photos that are being worked on.

    Args:
        examples: the photos.
        compiled: the network.
        views: which renditions of each photo.
        cache_path: the cache file, ``None`` to compute everything and keep nothing.
        progress: told after each photo.
        workers: threads, each with a network of its own; one a core by default.

    """
    matrix = np.zeros((len(examples), len(views.keys), compiled.num_features), np.float32)
    failures: dict[int, str] = {}
    num_computed = 0
    job = _Job(compiled, views)
    cache = None if cache_path is None else _open_cache(cache_path, compiled)
    try:
        for row, outcome in _outcomes(examples, views, job, cache, workers or num_cores()):
            if isinstance(outcome, str):
                failures[row] = outcome
            else:
                found, computed = outcome
                num_computed += len(computed)
                if cache is not None and computed:
                    cache.put(examples[row].sha256, computed)
                found.update(computed)
                for column, key in enumerate(views.keys_of(examples[row])):
                    matrix[row, column] = found[key]
            if progress is not None:
                progress(1)
    finally:
        if cache is not None:
            cache.close()
    good = [row for row in range(len(examples)) if row not in failures]
    return FeatureSet(
        matrix=matrix[good] if failures else matrix,
        examples=tuple(examples[row] for row in good),
        failures={examples[row].relative_path: reason for row, reason in failures.items()},
        num_computed=num_computed,
    )


def _open_cache(path: Path, compiled: CompiledBackbone) -> FeatureCache | None:
    module = compiled.module
    try:
        return FeatureCache(
            path,
            fingerprint=f"{module.fingerprint}-{compiled.runtime}",
            input_key=module.input_spec.key,
            reference=module.reference,
            num_features=compiled.num_features,
        )
    except CacheError as error:
        do_without(path, error.__cause__ if isinstance(error.__cause__, Exception) else error)
        return None


_ByView = dict[str, np.ndarray]
_Outcome = tuple[_ByView, _ByView] | str
"""(found in the cache, computed now), or the reason why the photo cannot be read."""


def _outcomes(
    examples: Sequence[Example],
    views: Views,
    job: "_Job",
    cache: FeatureCache | None,
    workers: int,
) -> Iterator[tuple[int, _Outcome]]:
    """Yields each photo's row and outcome, keeping a short queue before the workers."""
    queue: deque[tuple[int, _ByView, Future[_ByView | str]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="features") as pool:
        try:
            for row, example in enumerate(examples):
                keys = views.keys_of(example)
                found = cache.get(example.sha256, keys) if cache is not None else {}
                missing = [key for key in keys if key not in found]
                if not missing:
                    yield row, (found, {})
                    continue
                queue.append((row, found, pool.submit(job.compute, example, missing)))
                if len(queue) >= workers * _QUEUED_PER_WORKER:
                    yield _next(queue)
            while queue:
                yield _next(queue)
        finally:
            for _, _, future in queue:
                future.cancel()


def _next(queue: deque[tuple[int, _ByView, "Future[_ByView | str]"]]) -> tuple[int, _Outcome]:
    row, found, future = queue.popleft()
    computed = future.result()
    return row, computed if isinstance(computed, str) else (found, computed)


class _Job:
    """What a worker does with one photo; each thread opens the network once."""

    def __init__(self, compiled: CompiledBackbone, views: Views) -> None:
        self._compiled = compiled
        self._views = views
        self._local = threading.local()

    def compute(self, example: Example, keys: Sequence[str]) -> _ByView | str:
        """Returns the features by view, or the reason why the photo cannot be read."""
        spec = self._compiled.module.input_spec
        run = self._network()
        computed = {}
        with images.reserve_memory():
            try:
                photo = self._views.read(example, spec)
            except ImageError as error:
                return str(error)
            for key in keys:
                view = self._views.render(photo, key, sha256=example.sha256, spec=spec)
                computed[key] = run(view[None])[0]
        return computed

    def _network(self) -> Run:
        if not hasattr(self._local, "run"):
            self._local.run = self._compiled.open()
        run: Run = self._local.run
        return run
