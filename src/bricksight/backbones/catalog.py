"""The catalogue: known backbones with their sizes and costs.

The numbers are those that ``bricksight backbones describe`` counts; a test compares some of them.
"""

from dataclasses import dataclass

from bricksight.backbones.sources._applications import APPLICATIONS
from bricksight.packs import PackBackbone, pack_backbones


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """A backbone of the catalogue.

    Attributes:
        reference: Reference for ``resolve`` and ``--backbone``.
        title: Name for users, one line.
        source: Key of ``SOURCES``.
        input_size: Height and width of its input, in pixels.
        num_features: Number of features.
        num_parameters: Number of parameters without the classification layer.
        num_multiply_adds: Multiply-adds for one photo, without the classification layer.
        size_bytes: Size of the weights as float32 numbers; files are a few percent larger.
        licence: SPDX identifier of the weights.
    """

    reference: str
    title: str
    source: str
    input_size: int
    num_features: int
    num_parameters: int
    num_multiply_adds: int
    size_bytes: int
    licence: str


@dataclass(frozen=True)
class _Figures:
    num_features: int
    num_parameters: int
    num_multiply_adds: int


_EFFICIENTNET_LITE0 = _Figures(1280, 3_413_024, 383_907_552)

# Alpha → figures at 224 pixels.
_MOBILENET_V2 = {
    "0.35": _Figures(1280, 410_208, 58_005_808),
    "0.5": _Figures(1280, 706_224, 95_851_840),
    "0.75": _Figures(1280, 1_382_064, 207_789_792),
    "1.0": _Figures(1280, 2_257_984, 299_494_272),
    "1.3": _Figures(1664, 3_766_048, 507_710_560),
    "1.4": _Figures(1792, 4_363_712, 580_403_824),
}

# Name → figures at the network's default size.
_APPLICATIONS = {
    "MobileNet": _Figures(1024, 3_228_864, 567_716_352),
    "MobileNetV3Small": _Figures(576, 939_120, 54_896_576),
    "MobileNetV3Large": _Figures(960, 2_996_352, 214_080_960),
    "EfficientNetB0": _Figures(1280, 4_049_564, 384_534_752),
    "EfficientNetB1": _Figures(1280, 6_575_232, 685_522_832),
    "EfficientNetB2": _Figures(1408, 7_768_562, 992_153_872),
    "EfficientNetB3": _Figures(1536, 10_783_528, 1_825_605_392),
    "EfficientNetV2B0": _Figures(1280, 5_919_312, 716_806_176),
    "EfficientNetV2B1": _Figures(1280, 6_931_124, 1_195_539_360),
    "EfficientNetV2B2": _Figures(1408, 8_769_374, 1_696_134_832),
    "EfficientNetV2B3": _Figures(1536, 12_930_622, 3_009_922_816),
    "ResNet50": _Figures(2048, 23_587_712, 3_855_925_248),
    "ResNet50V2": _Figures(2048, 23_564_800, 3_480_207_360),
    "InceptionV3": _Figures(2048, 21_802_784, 5_711_168_096),
    "DenseNet121": _Figures(1024, 7_037_504, 2_833_137_664),
    "NASNetMobile": _Figures(1056, 4_269_716, 562_582_816),
}


def list_backbones() -> list[BackboneSpec]:
    """Return the catalogue, in the order in which it is shown."""
    return [
        _spec("packaged:efficientnet_lite0", "EfficientNet-Lite0", _EFFICIENTNET_LITE0),
        *map(_spec_of_pack, pack_backbones().values()),
        *(
            _spec(_keras_mobilenet_v2(alpha), f"MobileNetV2, alpha {alpha}", figures)
            for alpha, figures in _MOBILENET_V2.items()
        ),
        *(
            _spec(
                f"keras:{one.name}",
                one.name,
                _APPLICATIONS[one.name],
                size=one.size,
                licence=one.licence,
            )
            for one in APPLICATIONS
            if one.name in _APPLICATIONS
        ),
        *(
            _spec(_hub_mobilenet_v2(alpha, version), f"MobileNetV2, alpha {alpha}", figures)
            for version in (3, 5)
            for alpha, figures in _MOBILENET_V2.items()
        ),
        _spec(
            "kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2",
            "MobileNetV2, alpha 1.0",
            _MOBILENET_V2["1.0"],
        ),
    ]


def _spec(
    reference: str, title: str, figures: _Figures, *, size: int = 224, licence: str = "Apache-2.0"
) -> BackboneSpec:
    return BackboneSpec(
        reference=reference,
        title=title,
        source="tfhub" if "://" in reference else reference.partition(":")[0],
        input_size=size,
        num_features=figures.num_features,
        num_parameters=figures.num_parameters,
        num_multiply_adds=figures.num_multiply_adds,
        size_bytes=4 * figures.num_parameters,
        licence=licence,
    )


def _spec_of_pack(backbone: PackBackbone) -> BackboneSpec:
    figures = _Figures(backbone.num_features, backbone.num_parameters, backbone.num_multiply_adds)
    return _spec(
        backbone.reference,
        backbone.title,
        figures,
        size=backbone.input_size,
        licence=backbone.licence,
    )


def _keras_mobilenet_v2(alpha: str) -> str:
    return "keras:MobileNetV2" if alpha == "1.0" else f"keras:MobileNetV2@alpha={alpha}"


def _hub_mobilenet_v2(alpha: str, version: int) -> str:
    name = f"mobilenet_v2_{round(100 * float(alpha)):03d}_224"
    return f"https://tfhub.dev/google/imagenet/{name}/feature_vector/{version}"
