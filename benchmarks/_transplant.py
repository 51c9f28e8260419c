"""EfficientNet-Lite0's weights carried over into the narrower and deeper MobileNetV2.

Both are chains of the same inverted residual blocks at the same strides; MobileNetV2's are narrower
in the middle stages, filter with 3 x 3 instead of 5 x 5 elements, and two stages have a block more.
Block by block, the new network is made to give what the old one gives, on some photos:

- what the blocks of a stage pass on has no activation after it, so that it can be turned and cut to
  its first principal components (Ashkboos et al. 2024, arXiv 2401.15024);
- of the widened channels those stay that count most for the block's result, by activation times
  weight (Sun et al. 2024, arXiv 2306.11695);
- filters of 3 x 3 elements are fitted to the results of 5 x 5 ones, and the narrowing convolution
  to the result of the whole block, both by least squares (He et al. 2017, arXiv 1707.06168), which
  makes up for what was cut.

The new network is a start for training, not a copy: deep down little is left of the likeness.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

_BLOCKS: tuple[tuple[str, str, bool], ...] = (
    ("block_3", "block3a", True),
    ("block_4", "block3b", False),
    ("block_5", "block3b", False),
    ("block_6", "block4a", True),
    ("block_7", "block4b", False),
    ("block_8", "block4c", False),
    ("block_9", "block4c", False),
    ("block_10", "block5a", True),
    ("block_11", "block5b", False),
    ("block_12", "block5c", False),
    ("block_13", "block6a", True),
    ("block_14", "block6b", False),
    ("block_15", "block6d", False),
    ("block_16", "block7a", True),
)
"""Block of MobileNetV2, block of EfficientNet-Lite0, whether it begins a stage."""

_COPIED: tuple[tuple[str, str], ...] = (
    ("Conv1", "stem_conv"),
    ("bn_Conv1", "stem_bn"),
    ("expanded_conv_depthwise", "block1a_dwconv"),
    ("expanded_conv_depthwise_BN", "block1a_bn"),
    ("expanded_conv_project", "block1a_project_conv"),
    ("expanded_conv_project_BN", "block1a_project_bn"),
    *(
        (f"block_{new}_{new_part}", f"block{old}_{old_part}")
        for new, old in ((1, "2a"), (2, "2b"))
        for new_part, old_part in (
            ("expand", "expand_conv"),
            ("expand_BN", "expand_bn"),
            ("depthwise", "dwconv"),
            ("depthwise_BN", "bn"),
            ("project", "project_conv"),
            ("project_BN", "project_bn"),
        )
    ),
)
"""Layers of the same shape in both, before the first stage that differs."""

_RIDGE = 1e-3


@dataclass(frozen=True)
class _Affine:
    """A convolution and the normalisation after it as one: kernel and bias."""

    kernel: np.ndarray
    bias: np.ndarray


def transplant(old: Any, new: Any, images: np.ndarray) -> None:
    """Fills ``new`` with what ``old`` has learned.

    Args:
        old: EfficientNet-Lite0 as a Keras model of any input size.
        new: MobileNetV2 of width 1 as a Keras model of the same input size.
        images: float32 (num_images, size, size, 3), RGB in [0, 1]; some hundred.
    """
    for new_name, old_name in _COPIED:
        new.get_layer(new_name).set_weights(old.get_layer(old_name).get_weights())
    wanted = {name: _outputs(old, f"{name}_project_bn", f"{name}_add", images) for name in _olds()}
    given = _outputs(new, "block_2_project_BN", "block_2_add", images)
    turn, rest = np.eye(given.shape[-1], dtype=np.float32), np.zeros(given.shape[-1], np.float32)
    for new_name, old_name, begins in _BLOCKS:
        source = _block_of(old, old_name)
        width = new.get_layer(f"{new_name}_project").filters
        before, rest_before = turn, rest
        if begins:
            turn, rest = _principal([wanted[one] for one in _stage_of(old_name, wanted)], width)
        into = wanted[old_name] @ turn
        given = _fit_block(
            new, new_name, source, given=given, turn=before, rest=rest_before, wanted=into
        )
    top = _affine(old, "top_conv", "top_bn")
    _set(new, "Conv_1", "Conv_1_bn", _turned(top, turn, rest), given)


def _olds() -> Iterator[str]:
    yield from dict.fromkeys(old for _, old, _ in _BLOCKS)


def _stage_of(name: str, wanted: dict[str, np.ndarray]) -> list[str]:
    return [one for one in wanted if one[:-1] == name[:-1]]


def _outputs(network: Any, last: str, residual: str, images: np.ndarray) -> np.ndarray:
    names = {layer.name for layer in network.layers}
    layer = network.get_layer(residual if residual in names else last)
    return np.asarray(tf.keras.Model(network.input, layer.output).predict(images, verbose=0))


def _block_of(old: Any, name: str) -> tuple[_Affine, _Affine, _Affine]:
    return (
        _affine(old, f"{name}_expand_conv", f"{name}_expand_bn"),
        _affine(old, f"{name}_dwconv", f"{name}_bn"),
        _affine(old, f"{name}_project_conv", f"{name}_project_bn"),
    )


def _affine(network: Any, conv: str, norm: str) -> _Affine:
    kernel = network.get_layer(conv).get_weights()[0]
    layer = network.get_layer(norm)
    gamma, beta, mean, variance = layer.get_weights()
    scale = gamma / np.sqrt(variance + layer.epsilon)
    depthwise = kernel.shape[-1] == 1 and kernel.shape[2] == len(scale)
    shaped = scale[:, None] if depthwise else scale
    return _Affine(kernel=kernel * shaped, bias=beta - mean * scale)


def _principal(outputs: list[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first principal directions, (channels, width), and the mean beside them."""
    rows = np.concatenate([one.reshape(-1, one.shape[-1]) for one in outputs])
    mean = rows.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(rows - mean, rowvar=False))
    turn = directions[:, ::-1][:, :width].astype(np.float32)
    return turn, mean - turn @ (turn.T @ mean)


def _turned(affine: _Affine, turn: np.ndarray, rest: np.ndarray) -> _Affine:
    """Returns a 1 x 1 convolution for inputs that were turned by ``turn``."""
    flat = affine.kernel[0, 0]
    return _Affine(kernel=(turn.T @ flat)[None, None], bias=affine.bias + rest @ flat)


def _fit_block(
    new: Any,
    name: str,
    source: tuple[_Affine, _Affine, _Affine],
    *,
    given: np.ndarray,
    turn: np.ndarray,
    rest: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """Fills one block and returns what it gives for ``given``."""
    expand, depthwise, project = source
    stride = new.get_layer(f"{name}_depthwise").strides[0]
    expand = _turned(expand, turn, rest)
    widened = _relu6(_conv(given, expand))
    filtered = _relu6(_depthwise(widened, depthwise, stride))
    importance = filtered.std(axis=(0, 1, 2)) * np.linalg.norm(project.kernel[0, 0], axis=1)
    kept = np.sort(np.argsort(importance)[-new.get_layer(f"{name}_expand").filters :])
    expand = _Affine(kernel=expand.kernel[..., kept], bias=expand.bias[kept])
    _set(new, f"{name}_expand", f"{name}_expand_BN", expand, given)
    widened = widened[..., kept]
    depthwise = _Affine(kernel=depthwise.kernel[:, :, kept], bias=depthwise.bias[kept])
    if len(depthwise.kernel) != 3:
        depthwise = _smaller_filters(widened, depthwise, stride)
    _set(new, f"{name}_depthwise", f"{name}_depthwise_BN", depthwise, widened)
    filtered = _relu6(_depthwise(widened, depthwise, stride))
    residual = stride == 1 and given.shape[-1] == wanted.shape[-1]
    missing = wanted - given if residual else wanted
    project = _least_squares(filtered, missing)
    _set(new, f"{name}_project", f"{name}_project_BN", project, filtered)
    result = _conv(filtered, project)
    return result + given if residual else result


def _smaller_filters(images: np.ndarray, affine: _Affine, stride: int) -> _Affine:
    """Returns filters of 3 x 3 elements with nearly the results of larger ones."""
    wanted = _depthwise(images, affine, stride) - affine.bias
    # As TensorFlow pads: nothing before the first element where the stride is 2.
    before = 1 if stride == 1 else 0
    padded = np.pad(images, ((0, 0), (before, 2), (before, 2), (0, 0)))
    rows, columns = wanted.shape[1:3]
    shifted = [
        padded[:, y : y + stride * rows : stride, x : x + stride * columns : stride]
        for y in range(3)
        for x in range(3)
    ]
    products = np.empty((wanted.shape[-1], 9, 9))
    for (i, one), (j, other) in itertools.combinations_with_replacement(enumerate(shifted), 2):
        products[:, i, j] = products[:, j, i] = np.einsum("nhwc,nhwc->c", one, other)
    against = np.stack([np.einsum("nhwc,nhwc->c", one, wanted) for one in shifted])
    ridge = _RIDGE * np.trace(products, axis1=1, axis2=2)[:, None, None] / 9 + 1e-6
    fitted = np.linalg.solve(products + ridge * np.eye(9), against.T[..., None])[..., 0]
    kernel = fitted.T.reshape(3, 3, -1, 1).astype(np.float32)
    return _Affine(kernel=kernel, bias=affine.bias)


def _least_squares(inputs: np.ndarray, wanted: np.ndarray) -> _Affine:
    rows = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
    results = wanted.reshape(-1, wanted.shape[-1]).astype(np.float64)
    mean, mean_result = rows.mean(axis=0), results.mean(axis=0)
    rows, results = rows - mean, results - mean_result
    products = rows.T @ rows
    ridge = _RIDGE * np.trace(products) / len(products)
    kernel = np.linalg.solve(products + ridge * np.eye(len(products)), rows.T @ results)
    bias = mean_result - mean @ kernel
    return _Affine(kernel=kernel.astype(np.float32)[None, None], bias=bias.astype(np.float32))


def _conv(images: np.ndarray, affine: _Affine) -> np.ndarray:
    return np.asarray(images @ affine.kernel[0, 0] + affine.bias)


def _depthwise(images: np.ndarray, affine: _Affine, stride: int) -> np.ndarray:
    strides = [1, stride, stride, 1]
    return np.asarray(tf.nn.depthwise_conv2d(images, affine.kernel, strides, "SAME") + affine.bias)


def _relu6(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 6)


def _set(new: Any, conv: str, norm: str, affine: _Affine, inputs: np.ndarray) -> None:
    """Sets a convolution, and a normalisation that has the statistics of what comes out of it."""
    layer, normalisation = new.get_layer(conv), new.get_layer(norm)
    plain = _Affine(kernel=affine.kernel, bias=np.zeros_like(affine.bias))
    is_depthwise = affine.kernel.shape[-1] == 1 and affine.kernel.shape[2] > 1
    outputs = _depthwise(inputs, plain, layer.strides[0]) if is_depthwise else _conv(inputs, plain)
    mean, variance = outputs.mean(axis=(0, 1, 2)), outputs.var(axis=(0, 1, 2))
    layer.set_weights([affine.kernel])
    scale = np.sqrt(variance + normalisation.epsilon)
    normalisation.set_weights([scale, affine.bias + mean, mean, variance])
