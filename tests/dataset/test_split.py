import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricksight.config import SPLITS, SplitConfig
from bricksight.dataset import SPLIT_RULE_VERSION, Dataset, Example, scan, suggest_group_by
from bricksight.dataset._dataset import assemble
from bricksight.dataset._examples import Photo
from bricksight.dataset._groups import join_identical
from bricksight.dataset._split import assign_splits, hashed_split
from bricksight.errors import DataError

NAMES = st.text("abcdefghij_0123456789", min_size=1, max_size=6)
LABELS = st.sampled_from(["ant", "bee", "cat", "dog"])
CONTENTS = st.integers(0, 60).map(str)
PHOTOS = st.dictionaries(st.tuples(LABELS, NAMES), CONTENTS, min_size=2, max_size=40)
PERCENTAGES = st.tuples(st.integers(0, 40), st.integers(0, 40))


def photos_of(drawn: dict[tuple[str, str], str], image_dir: str = "photos") -> list[Photo]:
    return [
        Photo(Path(image_dir, label, f"{name}.jpg"), f"{label}/{name}.jpg", label, content)
        for (label, name), content in drawn.items()
    ]


def build_dataset(photos: list[Photo], split: SplitConfig) -> Dataset | None:
    """Return the data set, or None if there are fewer than two classes to deal."""
    if len({photo.label for photo in photos}) < 2:
        return None
    return assemble(Path("photos"), photos, classes=(), split=split, problems=())


def split_of(percentages: tuple[int, int], group_by: str | None = None) -> SplitConfig:
    validation, testing = percentages
    return SplitConfig(
        validation_percentage=validation, testing_percentage=testing, group_by=group_by
    )


def own_groups(drawn: dict[tuple[str, str], str]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for label, name in drawn:
        groups[label].add(f"{label}/{name}")
    return groups


def wanted(split: SplitConfig) -> set[str]:
    shares = {"validation": split.validation_percentage, "test": split.testing_percentage}
    return {"training", *(split for split, share in shares.items() if share)}


def retrain_split(file_name: str, validation: int, testing: int) -> str:
    """The arithmetic of retrain.py's create_image_lists, of whose file names it takes the path."""
    hash_name = re.sub(r"_nohash_.*$", "", file_name)
    hashed = hashlib.sha1(hash_name.encode("utf-8")).hexdigest()
    largest = 2**27 - 1
    percentage = (int(hashed, 16) % (largest + 1)) * (100.0 / largest)
    if percentage < validation:
        return "validation"
    return "test" if percentage < testing + validation else "training"


@given(key=NAMES, percentages=PERCENTAGES)
def test_hashed_split__is_retrains(key: str, percentages: tuple[int, int]) -> None:
    assert hashed_split(key, split_of(percentages)) == retrain_split(key, *percentages)


def test_split__known_photos_stay_in_their_split() -> None:
    """A change here is a change of the rule, and then SPLIT_RULE_VERSION must go up."""
    groups = {label: [f"{label}/{number}.jpg" for number in range(20)] for label in ("ant", "bee")}
    split_of = assign_splits(groups, SplitConfig())
    assert SPLIT_RULE_VERSION == 1
    assert {key: split for key, split in split_of.items() if split != "training"} == {
        "ant/0.jpg": "test",
        "ant/11.jpg": "test",
        "ant/17.jpg": "validation",
        "bee/11.jpg": "validation",
        "bee/16.jpg": "validation",
        "bee/8.jpg": "test",
    }


@given(drawn=PHOTOS, percentages=PERCENTAGES, group_by=st.sampled_from([None, r"/(\w)", r"\d"]))
def test_split__no_group_and_no_content_in_two_splits(
    drawn: dict[tuple[str, str], str], percentages: tuple[int, int], group_by: str | None
) -> None:
    try:
        dataset = build_dataset(photos_of(drawn), split_of(percentages, group_by))
    except DataError as error:
        assert "matches none of" in str(error)
        return
    for attribute in ("group", "sha256"):
        splits_of: dict[str, set[str]] = defaultdict(set)
        for example in dataset.examples if dataset else ():
            splits_of[getattr(example, attribute)].add(example.split)
        assert all(len(splits) == 1 for splits in splits_of.values())


@given(drawn=PHOTOS, percentages=PERCENTAGES)
def test_split__class_of_three_groups_is_in_every_split(
    drawn: dict[tuple[str, str], str], percentages: tuple[int, int]
) -> None:
    own_content = {key: "/".join(key) for key in drawn}
    split = split_of(percentages)
    dataset = build_dataset(photos_of(own_content), split)
    if dataset is None:
        return
    for label in dataset.labels:
        examples = [example for example in dataset.examples if example.label == label]
        splits = {example.split for example in examples}
        assert "training" in splits
        assert splits <= wanted(split)
        if len({example.group for example in examples}) >= 3:
            assert splits == wanted(split)


@given(drawn=PHOTOS, percentages=PERCENTAGES)
def test_split__shared_groups_leave_no_class_without_training_and_no_missing_split_unreported(
    drawn: dict[tuple[str, str], str], percentages: tuple[int, int]
) -> None:
    split = split_of(percentages)
    dataset = build_dataset(photos_of(drawn), split)
    if dataset is None:
        return
    reported = {problem.paths[0] for problem in dataset.problems if problem.kind == "missing_split"}
    for label in dataset.labels:
        examples = [example for example in dataset.examples if example.label == label]
        splits = {example.split for example in examples}
        lacking = len({example.group for example in examples}) >= 3 and splits != wanted(split)
        assert "training" in splits
        assert (label in reported) == lacking


@given(drawn=PHOTOS, percentages=PERCENTAGES, order=st.randoms(use_true_random=False))
def test_split__place_of_the_folder_and_order_of_listing_change_nothing(
    drawn: dict[tuple[str, str], str], percentages: tuple[int, int], order: random.Random
) -> None:
    split = split_of(percentages)
    here = photos_of(drawn)
    there = photos_of(drawn, "moved/to/elsewhere")
    order.shuffle(there)
    first, second = build_dataset(here, split), build_dataset(there, split)
    if first is None or second is None:
        assert first is second
        return
    assert [
        (example.relative_path, example.split, example.group) for example in first.examples
    ] == [(example.relative_path, example.split, example.group) for example in second.examples]


def test_scan__renaming_the_folder_changes_nothing(photo_folder: Path) -> None:
    before = {example.relative_path: example.split for example in scan(photo_folder).examples}
    moved = photo_folder.rename(photo_folder.with_name("elsewhere"))
    assert {example.relative_path: example.split for example in scan(moved).examples} == before


@given(drawn=PHOTOS)
def test_assign_splits__moves_no_more_than_the_minimum_asks(
    drawn: dict[tuple[str, str], str],
) -> None:
    split = SplitConfig()
    groups = own_groups(drawn)
    split_of = assign_splits(groups, split)
    for keys in groups.values():
        moved = [key for key in keys if split_of[key] != hashed_split(key, split)]
        required = set(SPLITS) if len(keys) >= 3 else {"training"}
        assert len(moved) == len(required - {hashed_split(key, split) for key in keys})


@given(drawn=PHOTOS, added=PHOTOS)
def test_assign_splits__added_photos_move_none_of_a_class_that_is_in_every_split(
    drawn: dict[tuple[str, str], str], added: dict[tuple[str, str], str]
) -> None:
    split = SplitConfig(validation_percentage=30, testing_percentage=30)
    after = assign_splits(own_groups({**drawn, **added}), split)
    for keys in own_groups(drawn).values():
        if {hashed_split(key, split) for key in keys} == set(SPLITS):
            assert {key: after[key] for key in keys} == assign_splits({"": keys}, split)


def test_assign_splits__moves_the_group_nearest_to_the_split() -> None:
    split = SplitConfig()
    training = [key for key in map(str, range(100)) if hashed_split(key, split) == "training"][:9]
    split_of = assign_splits({"a": training}, split)

    def percent(key: str) -> int:
        return int(hashlib.sha1(key.encode()).hexdigest(), 16) % 2**27

    by_percent = sorted(training, key=percent)
    assert split_of[by_percent[0]] == "validation"
    assert split_of[by_percent[1]] == "test"
    assert all(split_of[key] == "training" for key in by_percent[2:])


def test_scan__copies_under_two_labels_stay_together(faulty_folder: Path) -> None:
    examples = {example.relative_path: example for example in scan(faulty_folder).examples}
    one, other = examples["blue/photo_05.jpg"], examples["green/blue_photo.jpg"]
    assert (one.group, one.split) == (other.group, other.split)


def test_join_identical__links_groups_into_one_with_the_shortest_name() -> None:
    keys = ["long name", "b", "a", "c"]
    assert join_identical(keys, ["1", "1", "2", "3"]) == ["b", "b", "a", "c"]
    assert join_identical(["x", "b", "b", "a"], ["1", "1", "2", "2"]) == ["a", "a", "a", "a"]


def test_group__is_cut_at_nohash(tmp_path: Path) -> None:
    for name in ("a/one_nohash_1.jpg", "a/one_nohash_2.jpg", "b/two.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    assert [example.group for example in scan(tmp_path).examples] == ["a/one", "a/one", "b/two.jpg"]


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        (r"(\d+)_", ["7", "7", "7", "b/other.jpg"]),
        (r"\d+_", ["7_", "7_", "7_", "b/other.jpg"]),
        (r"(x)?7", ["7", "7", "7", "b/other.jpg"]),
    ],
    ids=["capture", "whole match", "capture without part"],
)
def test_group_by__is_the_capture_or_the_match(
    tmp_path: Path, group_by: str, groups: list[str]
) -> None:
    for name in ("a/7_back.jpg", "a/7_front.jpg", "b/7_front.jpg", "b/other.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    dataset = scan(tmp_path, split=SplitConfig(group_by=group_by))
    assert [example.group for example in dataset.examples] == groups
    assert [problem.paths for problem in dataset.problems if problem.kind == "no_group"] == [
        ("b/other.jpg",)
    ]


def test_group_by__that_finds_nothing_is_refused(photo_folder: Path) -> None:
    with pytest.raises(DataError, match=r"matches none of 24 paths.*'blue/photo_00\.jpg'"):
        scan(photo_folder, split=SplitConfig(group_by="nowhere"))


def examples_named(pattern: str, *numbers: range) -> list[Example]:
    names = [f"{label}/{pattern.format(*number)}" for label in "ab" for number in product(*numbers)]
    return [Example(Path(name), name, name[0], name, name, "training") for name in names]


def groups_found(group_by: str, examples: Sequence[Example]) -> set[str]:
    matches = [re.search(group_by, example.relative_path) for example in examples]
    return {match[1] for match in matches if match}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("17{}.5_view{}.jpg", "a/170.5"),
        ("photo{}-{}.png", "a/photo0"),
        ("img{}_jpg.rf.abc{}.jpg", "a/img0_jpg"),
    ],
    ids=["cameras", "numbers", "roboflow"],
)
def test_suggest_group_by__finds_the_photos_of_one_object(name: str, group: str) -> None:
    examples = examples_named(name, range(4), range(2))
    suggestion = suggest_group_by(examples)
    assert suggestion is not None
    found = groups_found(suggestion, examples)
    assert group in found
    assert len(found) == 8


@pytest.mark.parametrize(
    "name",
    ["IMG_00{}{}.jpg", "photo{}{}-0.png", "{}{}.jpg", "IMG_2024011{}_10150{}.jpg"],
    ids=["camera", "one number each", "numbers", "date and time"],
)
def test_suggest_group_by__is_silent_on_names_of_single_photos(name: str) -> None:
    assert suggest_group_by(examples_named(name, range(5), range(9))) is None


def test_suggest_group_by__on_real_folders(shared_dir: Path) -> None:
    bricks = scan(shared_dir / "data" / "lego_bricks").examples
    suggestion = suggest_group_by(bricks)
    assert suggestion is not None
    timestamps = {f"{example.label}/{example.path.name.split('_')[0]}" for example in bricks}
    assert groups_found(suggestion, bricks) == timestamps
    assert suggest_group_by(scan(shared_dir / "data" / "lego_plates").examples) is None
