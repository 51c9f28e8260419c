"""Settings refuse what cannot be used, and say what may be."""

import dataclasses
import inspect
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight.cli.commands.classify import ClassifyOptions, FrozenGraphOptions
from bricksight.cli.commands.evaluate import EvaluateOptions, SplitAsNamed
from bricksight.config import (
    AugmentConfig,
    BackboneConfig,
    CrossValidationConfig,
    DataConfig,
    FilesConfig,
    FineTuneConfig,
    HeadConfig,
    InputSpec,
    OutputConfig,
    SplitConfig,
    TrainingConfig,
)
from bricksight.errors import BricksightError, ConfigError
from bricksight.training import cross_validate, train

CONFIGS = (InputSpec, SplitConfig, AugmentConfig, HeadConfig, FineTuneConfig, TrainingConfig)
PARTS = (DataConfig, BackboneConfig, OutputConfig, FilesConfig)

OPTION_GROUPS = (
    *(
        InputSpec,
        SplitConfig,
        AugmentConfig,
        HeadConfig,
        FineTuneConfig,
        CrossValidationConfig,
        *PARTS,
    ),
    *(ClassifyOptions, FrozenGraphOptions, EvaluateOptions, SplitAsNamed),
)


@pytest.mark.parametrize("group", OPTION_GROUPS, ids=lambda group: group.__name__)
def test_config__every_field_has_its_line_of_help(group: type) -> None:
    _, _, attributes = inspect.getdoc(group).partition("Attributes:\n")
    described = re.findall(r"^ {4}(\w+): \S", attributes, flags=re.MULTILINE)
    assert described == list(group.__annotations__)


def test_training_config__no_two_sections_have_a_setting_of_one_name() -> None:
    kinds = [type(getattr(TrainingConfig.of("x"), one.name)) for one in fields(TrainingConfig)]
    names = [one.name for kind in kinds for one in fields(kind)]
    assert len(names) == len(set(names))


def test_split_as_named__has_the_names_of_the_split() -> None:
    assert list(SplitAsNamed.__annotations__) == [
        one.name for one in dataclasses.fields(SplitConfig)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_config__cannot_be_changed(config: Any) -> None:
    made = config.of("photos") if config is TrainingConfig else config()
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field"):
        setattr(made, dataclasses.fields(made)[0].name, None)


RANGES = [
    (InputSpec, "height", 8, 4096),
    (InputSpec, "width", 8, 4096),
    (SplitConfig, "testing_percentage", 0, 89),
    (SplitConfig, "validation_percentage", 0, 89),
    (SplitConfig, "limit_per_class", 1, None),
    (AugmentConfig, "random_crop", 0, 400),
    (AugmentConfig, "random_scale", 0, 400),
    (AugmentConfig, "random_brightness", 0, 100),
    (AugmentConfig, "random_rotation", 0, 180),
    (AugmentConfig, "random_translation", 0, 100),
    (AugmentConfig, "random_contrast", 0, 100),
    (AugmentConfig, "random_saturation", 0, 100),
    (AugmentConfig, "random_hue", 0, 180),
    (AugmentConfig, "random_blur", 0, 20),
    (AugmentConfig, "random_noise", 0, 100),
    (AugmentConfig, "random_erasing", 0, 100),
    (HeadConfig, "how_many_training_steps", 1, None),
    (HeadConfig, "train_batch_size", 1, None),
    (HeadConfig, "eval_step_interval", 1, None),
    (HeadConfig, "augmented_copies", 0, 1000),
    (FineTuneConfig, "fine_tune_epochs", 1, None),
    (FineTuneConfig, "fine_tune_size", 32, 4096),
    (FineTuneConfig, "fine_tune_batch_size", 2, 4096),
    (FineTuneConfig, "fine_tune_extra_epochs", 0, None),
    (FineTuneConfig, "patience", 1, None),
    (FineTuneConfig, "mixup", 0, 100),
    (FineTuneConfig, "cutmix", 0, 100),
    (HeadConfig, "seed", 0, None),
]


@pytest.mark.parametrize(
    ("config", "name", "low", "high"), RANGES, ids=[f"{one[0].__name__}-{one[1]}" for one in RANGES]
)
def test_config__range_ends_are_inside(config: Any, name: str, low: int, high: int | None) -> None:
    wanted: dict[Any, Any] = {
        TrainingConfig: {"image_dir": "photos"},
        FineTuneConfig: {"fine_tune": True},
    }
    required = wanted.get(config, {})
    for good in (low, high):
        if good is not None:
            assert getattr(config(**required, **{name: good}), name) == good
    bad = [low - 1] if high is None else [low - 1, high + 1]
    for value in bad:
        with pytest.raises(ConfigError, match=rf"--{name}\b.* {value}\b"):
            config(**required, **{name: value})


@pytest.mark.parametrize("recipe", [None, "fast"])
def test_fine_tune_config__refuses_settings_of_what_does_not_take_place(recipe: Any) -> None:
    expected = r"--fine_tune_epochs 20, --mixup 0.2 has no effect .*--fine_tune"
    with pytest.raises(ConfigError, match=expected):
        FineTuneConfig(recipe=recipe, fine_tune_epochs=20, mixup=0.2)
    with pytest.raises(ConfigError, match=r"--batch_norm frozen has no effect"):
        FineTuneConfig(recipe=recipe, batch_norm="frozen")
    with pytest.raises(ConfigError, match=r"--teacher_share 0.3 has no effect without --teacher"):
        FineTuneConfig(fine_tune=True, teacher_share=0.3)


def test_retrain_config__a_frequency_below_0() -> None:
    with pytest.raises(ConfigError, match=r"--intermediate_store_frequency is -1"):
        TrainingConfig.of(image_dir="photos", intermediate_store_frequency=-1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["final_result", "answer", "a/b", "0.x-y_z", "input2"])
def test_retrain_config__names_of_the_output(name: str) -> None:
    assert (
        TrainingConfig.of(image_dir=Path(), final_tensor_name=name).output.final_tensor_name == name
    )


@pytest.mark.parametrize(
    "name", ["", "my result", "a[b]", "-x", "_x", "final_result:0", "a//b", "a/", "größe", "a\n"]
)
def test_retrain_config__a_name_that_tensorflow_refuses(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--final_tensor_name .* is not a valid name"):
        TrainingConfig.of(image_dir=Path(), final_tensor_name=name)


@pytest.mark.parametrize(
    "name", ["Placeholder", "placeholder", "input", "INPUT/x", "final_retrain_ops/Wx_plus_b/add"]
)
def test_retrain_config__a_name_that_is_taken(name: str) -> None:
    with pytest.raises(ConfigError, match=r"is taken: Placeholder, input, module_apply_default"):
        TrainingConfig.of(image_dir=Path(), final_tensor_name=name)


def test_split_config__something_must_be_left_to_train_on() -> None:
    assert SplitConfig(testing_percentage=50, validation_percentage=49)
    with pytest.raises(ConfigError, match=r"--testing_percentage 50 .* 50 leave nothing"):
        SplitConfig(testing_percentage=50, validation_percentage=50)


def test_split_config__a_pattern_that_is_none_is_shown_with_the_reason() -> None:
    assert SplitConfig(group_by=r"(\d+)_").group_by == r"(\d+)_"
    with pytest.raises(ConfigError, match=r"--group_by '\(a' is not a .*unterminated subpattern"):
        SplitConfig(group_by="(a")


@pytest.mark.parametrize("rate", [0.0, -0.1, float("inf"), float("nan")])
def test_head_config__learning_rate_must_be_above_0(rate: float) -> None:
    with pytest.raises(ConfigError, match=rf"--learning_rate is {rate}; it must be above 0"):
        HeadConfig(learning_rate=rate)
    with pytest.raises(ConfigError, match="fine_tune_learning_rate"):
        FineTuneConfig(fine_tune_learning_rate=rate)


def test_head_config__a_validation_batch_of_no_photos() -> None:
    """All negative sizes mean "every photo", as in retrain.py; the mean of none is no figure."""
    assert HeadConfig(validation_batch_size=-1).validation_batch_size == -1
    with pytest.raises(ConfigError, match=r"--validation_batch_size is 0"):
        HeadConfig(validation_batch_size=0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        (
            {"seed": 3, "augmented_copies": 2, "eval_step_interval": 5, "class_weight": "none"},
            False,
        ),
        ({"how_many_training_steps": 10}, True),
        ({"learning_rate": 0.1}, True),
        ({"train_batch_size": 8}, True),
    ],
)
def test_head_config__what_asks_for_retrains_way(settings: Any, expected: bool) -> None:
    assert HeadConfig(**settings).uses_gradient_descent is expected


def test_augment_config__is_the_identity_until_anything_is_set() -> None:
    assert AugmentConfig().is_identity
    for field in dataclasses.fields(AugmentConfig):
        assert not AugmentConfig(**{field.name: type(field.default)(1)}).is_identity


def test_input_spec__key_differs_where_the_pixels_would() -> None:
    specs = [
        InputSpec(),
        InputSpec(height=96),
        InputSpec(width=96),
        InputSpec(resize="letterbox"),
    ]
    assert len({spec.key for spec in specs}) == len(specs)
    assert InputSpec().key == "224x224-stretch"


def test_errors__every_one_is_a_bricksight_error() -> None:
    from bricksight import errors

    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    assert len(classes) > 5
    assert all(issubclass(one, BricksightError) and one.__doc__ for one in classes)


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        (InputSpec, {"height": "224"}, "--height is '224'; it must be a whole number"),
        (InputSpec, {"resize": "crop"}, "--resize is 'crop'; it must be one of stretch, letterbox"),
        (SplitConfig, {"testing_percentage": 12.5}, "must be a whole number"),
        (SplitConfig, {"testing_percentage": True}, "must be a whole number"),
        (SplitConfig, {"group_by": 7}, "--group_by is 7; it must be text or None"),
        (HeadConfig, {"head": "svm"}, "must be one of auto, softmax, lda"),
        (HeadConfig, {"color_invariant": "yes"}, "must be True or False"),
        (HeadConfig, {"seed": None}, "--seed is None; it must be a whole number"),
        (AugmentConfig, {"random_crop": "5"}, "--random_crop is '5'; it must be a number"),
        (AugmentConfig, {"flip_left_right": 1}, "must be True or False"),
        (FineTuneConfig, {"recipe": "good"}, "one of fast, balanced, best or None"),
        (FineTuneConfig, {"recipe": ["best"]}, "one of fast, balanced, best or None"),
        (TrainingConfig, {"image_dir": "x", "tta": 3}, "--tta is 3; it must be one of 1, 2, 4"),
        (TrainingConfig, {"image_dir": 3}, "--image_dir is 3"),
        (TrainingConfig, {"image_dir": "x", "backbone": None}, "must be text"),
        (TrainingConfig, {"image_dir": "x", "extra_share": "half"}, "must be a number"),
    ],
)
def test_configs__values_of_another_type_are_refused(
    kind: Any, settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        (kind.of if kind is TrainingConfig else kind)(**settings)


def test_configs__numbers_of_numpy_become_plain_ones() -> None:
    seed = HeadConfig(seed=np.int64(3)).seed  # type: ignore[arg-type]
    rate = HeadConfig(learning_rate=np.float32(0.5)).learning_rate  # type: ignore[arg-type]
    assert (type(seed), type(rate)) == (int, float)
    assert AugmentConfig(random_crop=5).random_crop == 5


@pytest.mark.parametrize("config", [None, "photos", Path("photos"), {"image_dir": "photos"}])
def test_retrain_and_crossval__their_settings_are_objects(config: Any) -> None:
    for function in (train, cross_validate):
        with pytest.raises(
            ConfigError, match=r"config is .*; it must be an object of TrainingConfig"
        ):
            function(config)


def test_training_config__a_section_is_an_object() -> None:
    config = TrainingConfig.of("photos")
    with pytest.raises(ConfigError, match="head is 'lda'; it must be an object of HeadConfig"):
        replace(config, head="lda")  # type: ignore[arg-type]


def test_training_config__settings_by_name() -> None:
    config = TrainingConfig.of("photos", group_by="(a)", recipe="best", head=HeadConfig(seed=3))
    assert config.data.image_dir == Path("photos")
    assert (config.split.group_by, config.finetuning.recipe, config.head.seed) == ("(a)", "best", 3)
    with pytest.raises(ConfigError, match=r"group_bye is not a setting .*group_by"):
        TrainingConfig.of("photos", group_bye="(a)")
    with pytest.raises(ConfigError, match=r"seed is given as well as head"):
        TrainingConfig.of("photos", seed=3, head=HeadConfig())


def test_training_config__the_backbone_is_a_reference_or_a_section() -> None:
    by_name = TrainingConfig.of("photos", backbone="keras:MobileNetV2", tta=2)
    section = BackboneConfig(reference="keras:MobileNetV2", tta=2)
    assert by_name.backbone == section
    assert by_name == TrainingConfig.of("photos", backbone=section)
    with pytest.raises(ConfigError, match=r"--backbone is 3; it must be text"):
        TrainingConfig.of("photos", backbone=3)
    with pytest.raises(ConfigError, match=r"reference is not a setting .*: .*backbone"):
        TrainingConfig.of("photos", reference="keras:MobileNetV2")


def test_training_config__as_plain_values() -> None:
    plain = TrainingConfig.of("photos", group_by="(a)").to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["split"]["group_by"] == "(a)"
    assert Path(plain["data"]["image_dir"]).is_absolute()
