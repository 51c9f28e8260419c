"""Near-duplicates are those of the definition, found without comparing all pairs."""

from pathlib import Path

import numpy as np
import pytest

from bricksight.dataset import Example
from bricksight.quality import NearDuplicates, _near_duplicates
from bricksight.quality._fingerprint import Fingerprint
from bricksight.quality._near_duplicates import match_fingerprints
from bricksight.quality._neighbours import MAX_DIFFERENCE, MAX_DISTANCE

Found = dict[str, float]


def some_photos(
    num: int, *, scenes: int, noise: float, unstable_bits: int, copies: int = 0, seed: int = 0
) -> tuple[list[Example], list[Fingerprint]]:
    """Photos of a few scenes: the noise of their thumbnails, and bits that are now 0, now 1."""
    rng = np.random.default_rng([seed, num, scenes])
    scene = rng.integers(0, scenes, num)
    base = rng.integers(0, 256, (scenes, 16, 16, 3))
    thumbnails = np.clip(base[scene] + rng.normal(0, noise, (num, 16, 16, 3)), 0, 255)
    thumbnails = thumbnails.round().astype(np.uint8)
    hashes = [int(word) for word in rng.integers(0, 1 << 63, scenes)[scene]]
    hashes = [word ^ int(rng.integers(0, 1 << unstable_bits)) for word in hashes]
    contents = [f"content {row}" for row in range(num)]
    for row, other in rng.integers(0, num, (copies, 2)).tolist():
        thumbnails[row], hashes[row] = thumbnails[other], hashes[other]
        contents[row] = contents[other]
    labels = rng.integers(0, 3, num).tolist()
    splits = rng.choice(["training", "validation", "test"], num, p=[0.6, 0.2, 0.2])
    examples = [
        Example(Path(f"{row}"), f"{label}/{row}", f"{label}", f"{row}", contents[row], str(split))
        for row, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]
    return examples, [Fingerprint(*both) for both in zip(hashes, thumbnails, strict=True)]


def by_definition(
    examples: list[Example], fingerprints: list[Fingerprint], limit: float
) -> tuple[Found, Found, Found]:
    """Return photo → difference of its most similar near-duplicate, for each of the three kinds."""
    in_class: Found = {}
    across_labels: Found = {}
    across_split: Found = {}
    values = np.stack([each.thumbnail.ravel() for each in fingerprints]).astype(float)
    for row, one in enumerate(examples):
        differences = (values - values[row]).std(axis=1)
        for column in np.flatnonzero(differences <= limit).tolist():
            other = examples[column]
            changed = fingerprints[row].hash ^ fingerprints[column].hash
            if changed.bit_count() > MAX_DISTANCE or one.sha256 == other.sha256:
                continue
            kinds = [in_class if one.label == other.label else across_labels]
            if one.split != "training" == other.split:
                kinds.append(across_split)
            for found in kinds:
                nearest = min(found.get(one.relative_path, np.inf), differences[column])
                found[one.relative_path] = nearest
    return in_class, across_labels, across_split


def found_of(found: NearDuplicates) -> tuple[Found, Found, Found]:
    in_class, across_labels, across_split = (
        {one.path: one.difference for one in kind}
        for kind in (
            found.in_class,
            found.across_labels,
            found.across_split,
        )
    )
    return in_class, across_labels, across_split


KINDS = {
    "nothing-alike": {"scenes": 250, "noise": 1, "unstable_bits": 0},
    "some-alike": {"scenes": 40, "noise": 1.5, "unstable_bits": 5, "copies": 30},
    "at-the-limits": {"scenes": 30, "noise": 2.12, "unstable_bits": 9},
    "all-alike": {"scenes": 1, "noise": 1, "unstable_bits": 3, "copies": 100},
    "identical-thumbnails": {"scenes": 1, "noise": 0, "unstable_bits": 0},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most_pairs", [1 << 24, 1 << 14, 0], ids=["all", "crowded", "neighbours"])
def test_match_fingerprints__are_those_of_the_definition(
    kind: str, most_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_near_duplicates, "_MAX_PAIRS", most_pairs)
    examples, fingerprints = some_photos(200, **KINDS[kind])  # type: ignore[arg-type]
    found_kinds = found_of(match_fingerprints(examples, fingerprints))
    certain = by_definition(examples, fingerprints, MAX_DIFFERENCE - 1e-3)
    possible = by_definition(examples, fingerprints, MAX_DIFFERENCE + 1e-3)
    is_exact = most_pairs > 1 << 14 or kind != "all-alike"
    for found, least, most in zip(found_kinds, certain, possible, strict=True):
        assert set(least) <= set(found) <= set(most)
        for path, difference in found.items():
            assert difference >= most[path] - 0.06
            assert difference <= (most[path] + 0.06 if is_exact else MAX_DIFFERENCE)


def test_match_fingerprints__of_many_that_are_all_alike_is_not_quadratic() -> None:
    examples, fingerprints = some_photos(12_000, scenes=1, noise=0.3, unstable_bits=3)
    calls: list[tuple[int, int]] = []
    compared: list[int] = []
    add = _near_duplicates._Pairs._add

    def counting(pairs: object, one: np.ndarray, others: np.ndarray, found: np.ndarray) -> None:
        compared.append(found.size)
        add(pairs, one, others, found)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_near_duplicates._Pairs, "_add", counting)
        found = match_fingerprints(
            examples, fingerprints, progress=lambda *call: calls.append(call)
        )
    assert sum(compared) < 100 * len(examples)
    assert len(found.in_class) == len(found.across_labels) == len(examples)
    assert len(found.across_split) == sum(one.split != "training" for one in examples)
    assert calls[-1] == (12_000, 12_000)
    assert len(calls) > 2


@pytest.mark.parametrize("num", [0, 1])
def test_match_fingerprints__of_too_few(num: int) -> None:
    examples, fingerprints = some_photos(5, scenes=1, noise=0, unstable_bits=0)
    assert match_fingerprints(examples[:num], fingerprints[:num]) == NearDuplicates((), (), ())
