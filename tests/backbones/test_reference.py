"""References and what is said about those that are not understood."""

from pathlib import Path

import pytest

from bricksight.backbones import SOURCES, find, resolve
from bricksight.backbones.reference import Reference, parse_reference
from bricksight.errors import BackboneError

KNOWN = ["keras:MobileNetV2", "keras:MobileNetV3Small", "packaged:efficientnet_lite0"]


def parse(text: str) -> Reference:
    return parse_reference(text, sources=SOURCES, known=KNOWN)


@pytest.mark.parametrize(
    ("text", "source", "name", "options"),
    [
        ("keras:MobileNetV2", "keras", "MobileNetV2", {}),
        (
            " keras:MobileNetV2@alpha=0.5,size=160 ",
            "keras",
            "MobileNetV2",
            {"alpha": "0.5", "size": "160"},
        ),
        ("https://tfhub.dev/a/b/1/", "tfhub", "https://tfhub.dev/a/b/1", {}),
        ("http://127.0.0.1:80/m@size=96", "tfhub", "http://127.0.0.1:80/m", {"size": "96"}),
        ("https://me@server/m", "tfhub", "https://me@server/m", {}),
        ("kaggle:a/b/c/d/1", "kaggle", "a/b/c/d/1", {}),
        ("saved_model:/data/my model", "saved_model", "/data/my model", {}),
        ("saved_model:C:\\modules\\mine", "saved_model", "C:\\modules\\mine", {}),
    ],
)
def test_parse_reference__parts(text: str, source: str, name: str, options: dict[str, str]) -> None:
    reference = parse(text)
    assert (reference.source, reference.name, dict(reference.options)) == (source, name, options)


def test_parse_reference__bare_path_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    assert parse(str(tmp_path)).source == "saved_model"
    assert parse(f"{tmp_path}@size=64").size == 64


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("MobileNetV2", "keras:MobileNetV2"),
        ("mobilenetv2", "keras:MobileNetV2"),
        ("keras-MobileNetV2", "keras:MobileNetV2"),
        ("karas:MobileNetV3small", "keras:MobileNetV3Small"),
        ("efficientnet_lite", "packaged:efficientnet_lite0"),
    ],
)
def test_parse_reference__nearest_names(text: str, suggested: str) -> None:
    with pytest.raises(BackboneError, match=f"Did you mean .*{suggested}"):
        parse(text)


@pytest.mark.parametrize("text", ["", "nothing:like-it", "keras:", "/no/such/folder"])
def test_parse_reference__all_forms_are_shown(text: str) -> None:
    with pytest.raises(BackboneError) as caught:
        parse(text)
    for form in ("https://tfhub.dev/", "kaggle:", "keras:", "saved_model:PATH", "packaged:"):
        assert form in str(caught.value)


def test_parse_reference__folder_that_is_not_a_backbone(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"exists but is not a backbone.*saved_model\.pb"):
        parse(str(tmp_path))


@pytest.mark.parametrize("name", ["MobileNetV2", "keras:MobileNetV2"])
def test_parse_reference__two_meanings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "saved_model.pb").touch()
    with pytest.raises(BackboneError, match=f"ambiguous.*saved_model:./{name}"):
        parse(name)
    assert parse(f"saved_model:./{name}").name == f"./{name}"


@pytest.mark.parametrize("size", ["0", "7", "5000", "-8", "1e2", "large"])
def test_reference__size_that_is_none(size: str) -> None:
    with pytest.raises(BackboneError, match=f"size={size}; expected a whole number from 8 to 4096"):
        _ = parse(f"keras:MobileNetV2@size={size}").size


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("keras:MobileNetV9", "there is no network 'MobileNetV9'.*MobileNetV2"),
        ("keras:MobileNetV2@depth=2", "option 'depth'; expected alpha, size"),
        ("keras:ResNet50@alpha=1.0", "option 'alpha'; expected size"),
        ("keras:MobileNetV2@alpha=0.6", "alpha=0.6; .*0.35, 0.5, 0.75, 1.0, 1.3, 1.4"),
        ("keras:InceptionV3@size=64", "size=64; expected 75 or more for InceptionV3"),
        ("packaged:efficientnet_lite7", "no packaged backbone 'efficientnet_lite7'"),
        ("packaged:efficientnet_lite0@size=16", "expected 32 or more"),
        ("kaggle:google/mobilenet-v2", "not a Kaggle model. Expected OWNER/MODEL"),
        (
            "kaggle:google/mobilenet-v2/tensorFlow2/x/latest",
            "ends in 'latest'; expected a version number",
        ),
        ("kaggle:a/b/../d/1", "is not a Kaggle model"),
        ("saved_model:/no/such/folder", "/no/such/folder does not exist"),
        (
            "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/classification/5",
            "is a classifier.*Try .*mobilenet_v2_100_224/feature_vector/5",
        ),
    ],
)
def test_resolve__what_cannot_be(reference: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        resolve(reference)


def test_find__nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    assert find("https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3") is None
    assert find("keras:MobileNetV2") is None
    assert find("kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2") is None
    assert find("saved_model:nowhere") is None
