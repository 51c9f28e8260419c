"""Data of the Keras Applications: names, input sizes, weight files, checksums.

File names, URLs and checksums are those in the source of ``keras.applications``. ``num_features``
is counted by ``describe`` on the network itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_GOOGLE = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True, kw_only=True)
class Application:
    """A network of ``keras.applications``.

    Attributes:
        name: Name of its function, such as "MobileNetV2".
        package: Subpackage with its ``preprocess_input``.
        url: URL of the folder of its weight files.
        file: Name of its weight file on disk, with ``{alpha}`` and ``{size}`` where they vary.
        remote_file: Name on the server, if it is different.
        md5: File name → MD5 checksum, as far as Keras knows them.
        size: Default height and width of the input, in pixels.
        smallest: Smallest height and width of the input.
        sizes: Sizes with separately trained weights; other sizes use those of ``size``.
        num_features: Alpha → number of features. There are no weights for other alphas. Networks
            without alpha have the only key 1.0.
        alpha_texts: Alpha → its spelling in file names, if that is not the number.
        licence: SPDX identifier of the weights, according to Keras's documentation.
        divides_by_stddev: Whether the weights need a correction that Keras makes only for
            ``weights="imagenet"``; see ``keras_applications._divide_by_stddev``.
    """

    name: str
    package: str
    url: str
    file: str
    remote_file: str | None = None
    md5: Mapping[str, str] = field(default_factory=dict)
    size: int = 224
    smallest: int = 32
    sizes: tuple[int, ...] = ()
    num_features: Mapping[float, int]
    alpha_texts: Mapping[float, str] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    divides_by_stddev: bool = False

    @property
    def takes_alpha(self) -> bool:
        """Whether the network has the width multiplier alpha."""
        return "{alpha}" in self.file

    def weights_size(self, size: int) -> int:
        """Return the input size at which the weights that ``size`` uses were trained."""
        return size if size in self.sizes else self.size

    def weights_file(self, *, alpha: float, size: int) -> str:
        """Return the name of the weight file (without the classification layer)."""
        text = self.alpha_texts.get(alpha, str(alpha))
        return self.file.format(alpha=text, size=self.weights_size(size))


def _efficientnet(number: int, size: int, num_features: int, md5: str) -> Application:
    file = f"efficientnetb{number}_notop.h5"
    return Application(
        name=f"EfficientNetB{number}",
        package="efficientnet",
        url="https://storage.googleapis.com/keras-applications",
        file=file,
        md5={file: md5},
        size=size,
        num_features={1.0: num_features},
        divides_by_stddev=True,
    )


def _efficientnet_v2(number: int, size: int, num_features: int, md5: str) -> Application:
    file = f"efficientnetv2-b{number}_notop.h5"
    return Application(
        name=f"EfficientNetV2B{number}",
        package="efficientnet_v2",
        url=f"{_GOOGLE}/efficientnet_v2",
        file=file,
        md5={file: md5},
        size=size,
        num_features={1.0: num_features},
    )


def _mobilenet_v3(kind: str, num_features: Mapping[float, int], *md5: str) -> Application:
    file = f"weights_mobilenet_v3_{kind}_224_{{alpha}}_float_no_top_v2.h5"
    return Application(
        name=f"MobileNetV3{kind.capitalize()}",
        package="mobilenet_v3",
        url=f"{_GOOGLE}/mobilenet_v3",
        file=file,
        md5={file.format(alpha=alpha): one for alpha, one in zip((0.75, 1.0), md5, strict=True)},
        num_features=num_features,
    )


def _resnet(name: str, package: str, *, md5: str, licence: str) -> Application:
    file = f"{name.lower()}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return Application(
        name=name,
        package=package,
        url=f"{_GOOGLE}/resnet",
        file=file,
        md5={file: md5},
        num_features={1.0: 2048},
        licence=licence,
    )


_INCEPTION = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_DENSENET = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
_NASNET = "nasnet_mobile_no_top.h5"

APPLICATIONS = (
    Application(
        name="MobileNet",
        package="mobilenet",
        url=f"{_GOOGLE}/mobilenet",
        file="mobilenet_{alpha}_{size}_tf_no_top.h5",
        sizes=(128, 160, 192, 224),
        num_features={0.25: 256, 0.5: 512, 0.75: 768, 1.0: 1024},
        # 7_5 is not a slip of ours.
        alpha_texts={0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"},
    ),
    Application(
        name="MobileNetV2",
        package="mobilenet_v2",
        url=f"{_GOOGLE}/mobilenet_v2",
        file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5",
        sizes=(96, 128, 160, 192, 224),
        num_features={0.35: 1280, 0.5: 1280, 0.75: 1280, 1.0: 1280, 1.3: 1664, 1.4: 1792},
    ),
    _mobilenet_v3(
        "small",
        {0.75: 432, 1.0: 576},
        "ebdb5cc8e0b497cd13a7c275d475c819",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    _mobilenet_v3(
        "large",
        {0.75: 720, 1.0: 960},
        "40af19a13ebea4e2ee0c676887f69a2e",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    _efficientnet(0, 224, 1280, "50bc09e76180e00e4465e1a485ddc09d"),
    _efficientnet(1, 240, 1280, "74c4e6b3e1f6a1eea24c589628592432"),
    _efficientnet(2, 260, 1408, "111f8e2ac8aa800a7a99e3239f7bfb39"),
    _efficientnet(3, 300, 1536, "af6d107764bb5b1abb91932881670226"),
    _efficientnet_v2(0, 224, 1280, "893217f2bb855e2983157299931e43ff"),
    _efficientnet_v2(1, 240, 1280, "0e80663031ca32d657f9caa404b6ec37"),
    _efficientnet_v2(2, 260, 1408, "1dfe2e7a5d45b6632553a8961ea609eb"),
    _efficientnet_v2(3, 300, 1536, "f6abf7b5849ac99a89b50dd3fd532856"),
    _resnet("ResNet50", "resnet", md5="4d473c1dd8becc155b73f8504c6f6626", licence="MIT"),
    _resnet(
        "ResNet50V2",
        "resnet_v2",
        md5="fac2f116257151a9d068a22e544a4917",
        licence="BSD-3-Clause",
    ),
    Application(
        name="InceptionV3",
        package="inception_v3",
        url=f"{_GOOGLE}/inception_v3",
        file=_INCEPTION,
        md5={_INCEPTION: "bcbd6486424b2319ff4ef7d526e38f63"},
        size=299,
        smallest=75,
        num_features={1.0: 2048},
    ),
    Application(
        name="DenseNet121",
        package="densenet",
        url=f"{_GOOGLE}/densenet",
        file=_DENSENET,
        md5={_DENSENET: "30ee3e1110167f948a6b9946edeeb738"},
        num_features={1.0: 1024},
        licence="BSD-3-Clause",
    ),
    Application(
        name="NASNetMobile",
        package="nasnet",
        url=f"{_GOOGLE}/nasnet",
        file=_NASNET,
        remote_file="NASNet-mobile-no-top.h5",
        md5={_NASNET: "1ed92395b5b598bdda52abe5c0dbfd63"},
        num_features={1.0: 1056},
    ),
)
