"""EfficientNet-Lite0 out of its Python package, and the reader of PyTorch files."""

import collections
import os
import pickle  # noqa: TID251  (files that the reader must refuse)
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight.backbones import frozen_graph, resolve
from bricksight.backbones.sources import packaged
from bricksight.backbones.sources._torch_file import read_tensors
from bricksight.errors import BackboneError, MissingPackageError

REFERENCE = Path(__file__).parent / "efficientnet_lite0_features.npz"


def reference_images() -> np.ndarray:
    """Four images of 224 x 224 in [0, 1]: a colour ramp, rings, noise, and dark noise."""
    rows, columns = np.mgrid[0:224, 0:224] / 223.0
    ramp = np.stack([columns, rows, 1 - columns], axis=-1)
    radius = np.hypot(columns - 0.5, rows - 0.5)
    rings = np.stack([0.5 + 0.5 * np.sin(20 * radius + phase) for phase in (0, 2, 4)], axis=-1)
    noise = np.random.RandomState(0).uniform(size=(2, 224, 224, 3))
    return np.stack([ramp, rings, noise[0], 0.1 * noise[1]]).astype(np.float32)


@pytest.mark.tf
def test_packaged__gives_the_features_of_the_original() -> None:
    """The stored features come from the package's own network, run by PyTorch 2.13.

    In an environment with torch and efficientnet_lite_pytorch 0.1.0::

        net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=PATH).eval()
        x = torch.tensor((reference_images() * 255 - 127) / 128).permute(0, 3, 1, 2)
        np.savez_compressed("...npz", features=net.extract_features(x).mean((2, 3)).numpy())
    """
    backbone = resolve("packaged:efficientnet_lite0")
    frozen = frozen_graph(backbone)
    features = np.asarray(frozen.load()(reference_images()))
    with np.load(REFERENCE) as stored:
        np.testing.assert_allclose(features, stored["features"], rtol=0, atol=1e-4)
    assert backbone.num_features == frozen.num_features == 1280
    assert backbone.licence == "Apache-2.0"


@pytest.mark.tf
def test_packaged__network_has_layers_to_fine_tune() -> None:
    network = resolve("packaged:efficientnet_lite0@size=64").network()
    assert network.input_shape == (None, 64, 64, 3)
    assert network.output_shape == (None, 1280)
    assert network.count_params() == 3_413_024
    assert network.get_layer("block7a_project_bn").moving_variance.numpy().min() > 0
    assert network.get_layer("block3a_dwconv").kernel.shape == (5, 5, 144, 1)


def test_packaged__package_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(packaged._LITE, package="no_such_package_here", file=lambda: None)
    monkeypatch.setattr(packaged, "_LITE", missing)
    with pytest.raises(MissingPackageError, match=r"pip install no_such_package_here"):
        resolve("packaged:efficientnet_lite0")


class _Call:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


START = b"".join(pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))
"""How a file of PyTorch 1.5 begins: a magic number, a protocol, the writer's machine."""


def tensor_pickle(num_elements: int, offset: int, shape: Any, strides: Any) -> bytes:
    """Return the pickle of ``{"w": tensor}``, spelled out because torch is not there to do it."""

    def number(value: int) -> bytes:
        content = pickle.encode_long(value)
        return b"\x8a" + bytes([len(content)]) + content

    def numbers(values: Any) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    storage = text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    persistent = b"(" + storage + number(num_elements) + b"NtQ"
    arguments = b"(" + persistent + number(offset) + numbers(shape) + numbers(strides)
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"\x89}tR"
    return b"\x80\x02}" + text("w") + rebuilt + b"s."


def tensor_file(path: Path, values: np.ndarray, **tensor: Any) -> Path:
    path.write_bytes(
        START
        + tensor_pickle(**tensor)
        + pickle.dumps(["0"], 2)
        + struct.pack("<q", values.size)
        + values.astype("<f4").tobytes()
    )
    return path


def test_read_tensors__strides_and_offset(tmp_path: Path) -> None:
    values = np.arange(10, dtype=np.float32)
    path = tensor_file(
        tmp_path / "t.pth", values, num_elements=10, offset=2, shape=(2, 3), strides=(1, 2)
    )
    (tensor,) = read_tensors(path).values()
    np.testing.assert_array_equal(tensor, [[2, 4, 6], [3, 5, 7]])


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"offset": 5}, "incomplete"),
        ({"strides": (100, 1)}, "incomplete"),
        ({"offset": -1}, "negative"),
        ({"strides": (-3, 1)}, "negative"),
        ({"num_elements": 99}, "incomplete"),
        ({"strides": (1,)}, "2 sizes and 1 strides"),
    ],
)
def test_read_tensors__beyond_the_values(
    tmp_path: Path, tensor: dict[str, Any], message: str
) -> None:
    whole = {"num_elements": 6, "offset": 0, "shape": (2, 3), "strides": (3, 1)}
    path = tensor_file(tmp_path / "t.pth", np.zeros(6), **(whole | tensor))
    with pytest.raises(BackboneError, match=message):
        read_tensors(path)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((2**28,), (0,)), ((2**33, 2**33), (0, 0)), ((2**70,), (0,)), ((1,) * 40, (1,) * 40)],
)
def test_read_tensors__takes_no_more_memory_than_the_file(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    path = tensor_file(
        tmp_path / "t.pth", np.zeros(6), num_elements=6, offset=0, shape=shape, strides=strides
    )
    with pytest.raises(BackboneError, match=r"more elements than values|40 sizes"):
        read_tensors(path)


def test_read_tensors__stride_of_a_single_element_means_nothing(tmp_path: Path) -> None:
    path = tensor_file(
        tmp_path / "t.pth", np.ones(6), num_elements=6, offset=0, shape=(1,), strides=(2**62,)
    )
    np.testing.assert_array_equal(read_tensors(path)["w"], [1.0])


NUMBER_2_31 = struct.pack("<I", 2**31 - 1)
WILD_PICKLES = {
    "nested tuples as a key": b"\x80\x02})" + b"\x85" * 40_000 + b"Ns.",
    "more instructions than it needs": b"\x80\x02)" + b"\x85" * 60_000 + b".",
    "memory for 2 billion objects": b"\x80\x02Nr" + NUMBER_2_31 + b".",
    "text of 2 GB": b"\x80\x02X" + NUMBER_2_31 + b".",
    "bytes of 2**63": b"\x80\x04\x8e" + struct.pack("<Q", 2**63) + b".",
    "tuple of more than there is": b"\x80\x02\x87.",
    "memory that was never written": b"\x80\x02h\x07.",
    "attributes of a function": b"ctorch._utils\n_rebuild_tensor_v2\n}b.",
    "call of no function": b"\x80\x02})R.",
}


@pytest.mark.parametrize("case", WILD_PICKLES)
def test_read_tensors__wild_pickle(tmp_path: Path, case: str) -> None:
    path = tmp_path / "t.pth"
    path.write_bytes(START + WILD_PICKLES[case])
    tracemalloc.start()
    with pytest.raises(BackboneError, match=r"not a legacy PyTorch file of tensors, or is damaged"):
        read_tensors(path)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("stated", [-1, 5, 7, 2**61, -(2**63)])
def test_read_tensors__number_of_values_that_is_wrong(tmp_path: Path, stated: int) -> None:
    tensor = tensor_pickle(num_elements=6, offset=0, shape=(6,), strides=(1,))
    path = tmp_path / "t.pth"
    keys = pickle.dumps(["0"], 2)
    path.write_bytes(START + tensor + keys + struct.pack("<q", stated) + bytes(24))
    with pytest.raises(BackboneError, match="incomplete"):
        read_tensors(path)


@pytest.mark.parametrize(
    "attack",
    [
        lambda mark: _Call(os.mkdir, str(mark)),
        lambda mark: _Call(eval, f"__import__('os').mkdir({str(mark)!r})"),
        lambda mark: collections.OrderedDict(w=_Call(os.mkdir, str(mark))),
    ],
    ids=["call", "eval", "inside"],
)
def test_read_tensors__malicious_pickle_is_refused(tmp_path: Path, attack: Any) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "evil.pth"
    path.write_bytes(START + pickle.dumps(attack(mark), protocol=2))
    with pytest.raises(BackboneError, match=r"only tensors are read"):
        read_tensors(path)
    assert not mark.exists()
    with path.open("rb") as file:
        for _ in range(4):
            pickle.load(file)
    assert mark.exists(), "the attack works on an unguarded reader"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a newer file", pickle.dumps(1)])
def test_read_tensors__other_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.pth"
    path.write_bytes(data)
    with pytest.raises(BackboneError, match=r"not a legacy PyTorch file of tensors, or is damaged"):
        read_tensors(path)


def test_read_tensors__cut_off(tmp_path: Path) -> None:
    path = tensor_file(
        tmp_path / "t.pth", np.zeros(6), num_elements=6, offset=0, shape=(6,), strides=(1,)
    )
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BackboneError, match=r"damaged"):
        read_tensors(path)
