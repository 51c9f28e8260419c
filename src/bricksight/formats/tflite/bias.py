"""Biases of a file, corrected for what rounding the weights has shifted."""

import copy
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from bricksight._support.native_log import without_native_notices
from bricksight._support.threads import num_cores
from bricksight.errors import ExportError
from bricksight.formats.tflite.flatbuffer import packed, unpacked

_LOGGER = logging.getLogger(__name__)

_WITH_BIAS = frozenset(
    {
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
        schema.BuiltinOperator.FULLY_CONNECTED,
    }
)
"""Operations whose third input is a bias."""

_STRAIGHT = {
    schema.ActivationFunctionType.NONE: (-np.inf, np.inf),
    schema.ActivationFunctionType.RELU: (0.0, np.inf),
    schema.ActivationFunctionType.RELU_N1_TO_1: (-1.0, 1.0),
    schema.ActivationFunctionType.RELU6: (0.0, 6.0),
}
"""Fused activation → the outputs between which it passes its input on as it is."""

_MAX_BATCHES = 32
"""More than 16 photos changed nothing that could be measured; each costs a run a layer."""

_BIAS_TYPES = {schema.TensorType.INT32: np.int32, schema.TensorType.FLOAT32: np.float32}

_LEAST_SHARE = 0.2
"""A channel that is clipped on most photos hardly follows its bias; its steps stay bounded."""


def corrected(rounded: bytes, *, reference: bytes, batches: np.ndarray) -> bytes:
    """Return the file with biases that give each channel its float mean back.

    Rounding weights shifts the mean of a channel's outputs, and the shifts of many layers add up to
    other answers. So, layer by layer from the input on, the mean over photos and pixels is taken in
    both files, the rounded one as corrected so far, and the difference is taken off the bias. Size
    and speed stay as they are. This is the empirical bias correction of Nagel et
    al., "Data-free quantization through weight equalization and bias correction", 2019,
    arXiv:1906.04721, with one addition: where the activation clips a part of the outputs, the bias
    moves further, as only the rest follows it.

    Left as they are, and named in the log: layers without a bias of their own, with an
    activation that is nowhere straight, or without a counterpart in ``reference``.

    Args:
        rounded: a ``.tflite`` file, int8, where input and output may be float32, uint8 or int8, or
            float32 with rounded weights.
        reference: the same network in float32, from the same converter.
        batches: photos, float32 (num_batches, batch, height, width, 3) in [0, 1].
            The first 32 batches are used.

    Raises:
        ExportError: LiteRT cannot run a layer.
    """
    batches = batches[:_MAX_BATCHES]
    wanted = _float_statistics(reference, batches)
    walk = _Walk(rounded, batches)
    num_layers = num_corrected = 0
    for operator in walk:
        if not walk.has_bias(operator):
            continue
        num_layers += 1
        name = walk.name(operator)
        bias = walk.own_bias(operator)
        if bias is None or name not in wanted:
            _LOGGER.info("The bias of %s is left as it is.", name)
            continue
        mean, share = wanted[name]
        error = np.mean([values.mean(axis=0) for values in walk.outputs(operator)], axis=0)
        error = (error - mean) / np.maximum(share, _LEAST_SHARE)
        walk.shift(bias, -error)
        walk.run(operator)
        num_corrected += 1
    num_photos = batches.shape[0] * batches.shape[1]
    _LOGGER.info(
        "Biases of %d of %d layers corrected on %d photos.", num_corrected, num_layers, num_photos
    )
    return packed(walk.model)


def _float_statistics(
    reference: bytes, batches: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return layer → its channels' means, and the shares of outputs on the straight part."""
    found = {}
    walk = _Walk(reference, batches)
    for operator in walk:
        straight = walk.straight(operator) if walk.has_bias(operator) else None
        if straight is not None:
            low, high = straight
            outputs = list(walk.outputs(operator))
            means = [values.mean(axis=0) for values in outputs]
            shares = [((values > low) & (values < high)).mean(axis=0) for values in outputs]
            found[walk.name(operator)] = np.mean(means, axis=0), np.mean(shares, axis=0)
    return found


class _Walk:
    """Runs a file operation by operation, so that a bias can be changed between two of them.

    Iterating yields each operation when it has been run. The whole file run anew for every layer
    would give the same, in a time that grows with the square of the number of layers.
    """

    def __init__(self, content: bytes, batches: np.ndarray) -> None:
        self.model = unpacked(content)
        (self._graph,) = self.model.subgraphs
        (entrance,) = self._graph.inputs
        self._held = {
            entrance: [_stored(batch, self._graph.tensors[entrance]) for batch in batches]
        }
        self._num_batches = len(batches)

    def __iter__(self) -> Iterator[Any]:
        last_use = {
            tensor: position
            for position, operator in enumerate(self._graph.operators)
            for tensor in operator.inputs
        }
        for position, operator in enumerate(self._graph.operators):
            self.run(operator)
            yield operator
            self._held = {
                tensor: values
                for tensor, values in self._held.items()
                if last_use.get(tensor, -1) > position
            }

    def run(self, operator: Any) -> None:
        """Run one operation on all batches; its inputs are there, its outputs are kept."""
        inputs = [tensor for tensor in dict.fromkeys(operator.inputs) if tensor in self._held]
        with without_native_notices():
            interpreter = Interpreter(
                model_content=packed(self._alone(operator, inputs)), num_threads=num_cores()
            )
            try:
                interpreter.allocate_tensors()
            except RuntimeError as error:
                raise ExportError(self._not_runnable(operator, error)) from error
        entrances = [detail["index"] for detail in interpreter.get_input_details()]
        exits = [detail["index"] for detail in interpreter.get_output_details()]
        found: dict[int, list[np.ndarray]] = {tensor: [] for tensor in operator.outputs}
        for batch in range(self._num_batches):
            for entrance, tensor in zip(entrances, inputs, strict=True):
                interpreter.set_tensor(entrance, self._held[tensor][batch])
            interpreter.invoke()
            for exit_, tensor in zip(exits, operator.outputs, strict=True):
                found[tensor].append(interpreter.get_tensor(exit_))
        self._held.update(found)

    def _not_runnable(self, operator: Any, error: RuntimeError) -> str:
        return (
            f"LiteRT cannot run {self.name(operator)} with rounded values ({error}). This is so "
            "where a layer gives 0 for all photos that the ranges of values are read from, as for "
            "photos unlike those that the network is for. Train with a larger image size, or "
            "export another precision."
        )

    def _alone(self, operator: Any, inputs: list[int]) -> Any:
        """Return a model of this one operation, from the tensors ``inputs`` to its outputs."""
        numbers = [number for number in (*operator.inputs, *operator.outputs) if number >= 0]
        places = {number: place for place, number in enumerate(dict.fromkeys(numbers))}
        alone, graph, only = copy.copy(self.model), schema.SubGraphT(), copy.copy(operator)
        only.inputs = [places.get(number, -1) for number in operator.inputs]
        only.outputs = [places[number] for number in operator.outputs]
        graph.tensors = [copy.copy(self._graph.tensors[number]) for number in places]
        graph.inputs = [places[number] for number in inputs]
        graph.outputs, graph.operators = only.outputs, [only]
        alone.buffers = [schema.BufferT()]  # the first is empty by convention
        for tensor in graph.tensors:
            alone.buffers.append(self.model.buffers[tensor.buffer])
            tensor.buffer = len(alone.buffers) - 1
        alone.subgraphs, alone.signatureDefs, alone.metadata = [graph], None, None
        return alone

    def has_bias(self, operator: Any) -> bool:
        """Return whether it is of a kind that may have a bias."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        # Codes below 127 stand in the older field, whatever the newer one holds.
        return max(code.builtinCode, code.deprecatedBuiltinCode) in _WITH_BIAS

    def name(self, operator: Any) -> str:
        """Return the name of its output, which the converter gives alike in every precision."""
        name: bytes = self._graph.tensors[operator.outputs[0]].name
        return name.decode()

    def straight(self, operator: Any) -> tuple[float, float] | None:
        """Return the outputs between which its activation changes nothing, if it has such."""
        return _STRAIGHT.get(operator.builtinOptions.fusedActivationFunction)

    def outputs(self, operator: Any) -> Iterator[np.ndarray]:
        """Yield, a batch, its output as float32 (num_values, num_channels)."""
        tensor = operator.outputs[0]
        for stored in self._held[tensor]:
            values = _real(stored, self._graph.tensors[tensor])
            yield values.reshape(-1, values.shape[-1])

    def own_bias(self, operator: Any) -> Any:
        """Return the tensor of its bias, ``None`` if it has none or shares it."""
        number = operator.inputs[2] if len(operator.inputs) > 2 else -1
        if number < 0 or self._graph.tensors[number].type not in _BIAS_TYPES:
            return None
        tensor = self._graph.tensors[number]
        readers = Counter(
            self._graph.tensors[other].buffer
            for one in self._graph.operators
            for other in one.inputs
            if other >= 0
        )
        return tensor if readers[tensor.buffer] == 1 else None

    def shift(self, bias: Any, change: np.ndarray) -> None:
        """Add ``change``, float (num_channels,), to the bias ``bias``."""
        buffer = self.model.buffers[bias.buffer]
        values = np.asarray(buffer.data, np.uint8).view(_BIAS_TYPES[bias.type])
        if bias.type == schema.TensorType.INT32:
            change = np.rint(change / np.asarray(bias.quantization.scale))
        buffer.data = (values + change.astype(values.dtype)).view(np.uint8)


_TYPES = {schema.TensorType.UINT8: np.uint8, schema.TensorType.INT8: np.int8}


def _stored(values: np.ndarray, tensor: Any) -> np.ndarray:
    """Return float32 values as the tensor holds them."""
    if tensor.type == schema.TensorType.FLOAT32:
        return values
    limits = np.iinfo(_TYPES[tensor.type])
    steps = np.rint(values / tensor.quantization.scale[0]) + tensor.quantization.zeroPoint[0]
    stored: np.ndarray = np.clip(steps, limits.min, limits.max).astype(limits.dtype)
    return stored


def _real(stored: np.ndarray, tensor: Any) -> np.ndarray:
    """Return as float32 what the tensor holds."""
    values = stored.astype(np.float32)
    if tensor.type != schema.TensorType.FLOAT32:
        values -= np.float32(tensor.quantization.zeroPoint[0])
        values *= np.float32(tensor.quantization.scale[0])
    return values
