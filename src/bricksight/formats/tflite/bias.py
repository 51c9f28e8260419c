"""Bias correction: compensate the shift of layer outputs that quantized weights cause."""

import copy
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from bricksight._support.native_log import without_native_notices
from bricksight._support.threads import num_cores
from bricksight.errors import ExportError
from bricksight.formats.tflite.flatbuffer import parse, serialize

_LOGGER = logging.getLogger(__name__)

_OPERATORS_WITH_BIAS = frozenset(
    {
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
        schema.BuiltinOperator.FULLY_CONNECTED,
    }
)
"""Operators whose third input is a bias."""

_LINEAR_RANGES = {
    schema.ActivationFunctionType.NONE: (-np.inf, np.inf),
    schema.ActivationFunctionType.RELU: (0.0, np.inf),
    schema.ActivationFunctionType.RELU_N1_TO_1: (-1.0, 1.0),
    schema.ActivationFunctionType.RELU6: (0.0, 6.0),
}
"""Fused activation → (low, high): the range of outputs in which it is the identity."""

_MAX_BATCHES = 32
"""Most batches that are used; more than 16 photos made no measurable difference."""

_BIAS_TYPES = {schema.TensorType.INT32: np.int32, schema.TensorType.FLOAT32: np.float32}

_MIN_LINEAR_FRACTION = 0.2
"""Lower bound of a channel's linear fraction, which limits the correction of clipped channels."""


def correct_biases(rounded: bytes, *, reference: bytes, batches: np.ndarray) -> bytes:
    """Correct the biases of a quantized file so that each channel has its float32 mean.

    Quantized weights shift the mean of a channel's outputs, and the shifts of many layers add up.
    Layer by layer from the input, the mean over photos and pixels is measured in both files, and
    the difference is subtracted from the bias. Size and speed of the file do not change.

    This is the empirical bias correction of Nagel et al., "Data-free quantization through weight
    equalization and bias correction", 2019, arXiv:1906.04721, with one addition: if the activation
    clips a fraction of the outputs, the correction is divided by the remaining fraction.

    Layers are skipped, with a log message, if they have no bias of their own, an activation without
    a linear range, or no counterpart in ``reference``.

    Args:
        rounded: A ``.tflite`` file, int8 (input and output float32, uint8 or int8), or float32 with
            rounded weights.
        reference: The same network in float32, from the same converter.
        batches: Photos, float32 (num_batches, batch, height, width, 3) in [0, 1]. The first 32
            batches are used.

    Raises:
        ExportError: LiteRT cannot run a layer.
    """
    batches = batches[:_MAX_BATCHES]
    expected = _float_statistics(reference, batches)
    runner = _LayerRunner(rounded, batches)
    corrected = [
        _correct_bias(runner, operator, expected)
        for operator in runner
        if runner.has_bias(operator)
    ]
    _LOGGER.info(
        "Corrected the biases of %d of %d layers on %d photos.",
        sum(corrected),
        len(corrected),
        batches.shape[0] * batches.shape[1],
    )
    return serialize(runner.model)


def _correct_bias(
    runner: "_LayerRunner",
    operator: Any,
    expected: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> bool:
    """Correct the bias of one operator and run it again; returns whether that was possible."""
    name = runner.name(operator)
    bias = runner.bias_tensor(operator)
    if bias is None or name not in expected:
        _LOGGER.info("The bias of %s is not corrected.", name)
        return False
    mean, linear_fraction = expected[name]
    found = np.mean([values.mean(axis=0) for values in runner.outputs(operator)], axis=0)
    runner.shift(bias, (mean - found) / np.maximum(linear_fraction, _MIN_LINEAR_FRACTION))
    runner.run(operator)
    return True


def _float_statistics(
    reference: bytes, batches: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return layer → per channel, mean output and fraction of outputs in the linear range."""
    found = {}
    runner = _LayerRunner(reference, batches)
    for operator in runner:
        linear_range = runner.linear_range(operator) if runner.has_bias(operator) else None
        if linear_range is not None:
            low, high = linear_range
            outputs = list(runner.outputs(operator))
            means = [values.mean(axis=0) for values in outputs]
            shares = [((values > low) & (values < high)).mean(axis=0) for values in outputs]
            found[runner.name(operator)] = np.mean(means, axis=0), np.mean(shares, axis=0)
    return found


class _LayerRunner:
    """Runs a model operator by operator, so that biases can be changed in between.

    Iterating yields each operator after it was run. Running the whole model for every layer would
    take time quadratic in the number of layers.
    """

    def __init__(self, content: bytes, batches: np.ndarray) -> None:
        self.model = parse(content)
        (self._graph,) = self.model.subgraphs
        (entrance,) = self._graph.inputs
        self._held = {
            entrance: [_quantize(batch, self._graph.tensors[entrance]) for batch in batches]
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
        """Run one operator on all batches; the results of earlier operators are its inputs."""
        inputs = [tensor for tensor in dict.fromkeys(operator.inputs) if tensor in self._held]
        with without_native_notices():
            interpreter = Interpreter(
                model_content=serialize(self._single_operator_model(operator, inputs)),
                num_threads=num_cores(),
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
            f"LiteRT cannot run the quantized layer {self.name(operator)} ({error}). This happens "
            "if a layer gives 0 for all calibration photos, for example if they are very "
            "different from the photos of the backbone's training. Train with a larger image "
            "size, or export with another precision."
        )

    def _single_operator_model(self, operator: Any, inputs: list[int]) -> Any:
        """Return a model that consists of one operator, with the tensors ``inputs`` as input."""
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
        """Return whether an operator is of a type that may have a bias."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        # Codes below 127 are in the deprecated field.
        return max(code.builtinCode, code.deprecatedBuiltinCode) in _OPERATORS_WITH_BIAS

    def name(self, operator: Any) -> str:
        """Return the name of an operator's output, which is the same in every precision."""
        name: bytes = self._graph.tensors[operator.outputs[0]].name
        return name.decode()

    def linear_range(self, operator: Any) -> tuple[float, float] | None:
        """Return (low, high) between which the fused activation is linear, if it has such."""
        return _LINEAR_RANGES.get(operator.builtinOptions.fusedActivationFunction)

    def outputs(self, operator: Any) -> Iterator[np.ndarray]:
        """Yield an operator's output per batch as float32 (num_values, num_channels)."""
        tensor = operator.outputs[0]
        for stored in self._held[tensor]:
            values = _dequantize(stored, self._graph.tensors[tensor])
            yield values.reshape(-1, values.shape[-1])

    def bias_tensor(self, operator: Any) -> Any:
        """Return the bias tensor of an operator, ``None`` if it has none or shares it."""
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


def _quantize(values: np.ndarray, tensor: Any) -> np.ndarray:
    """Quantize float32 values to the type of a tensor."""
    if tensor.type == schema.TensorType.FLOAT32:
        return values
    limits = np.iinfo(_TYPES[tensor.type])
    steps = np.rint(values / tensor.quantization.scale[0]) + tensor.quantization.zeroPoint[0]
    stored: np.ndarray = np.clip(steps, limits.min, limits.max).astype(limits.dtype)
    return stored


def _dequantize(stored: np.ndarray, tensor: Any) -> np.ndarray:
    """Convert the values of a tensor to float32."""
    values = stored.astype(np.float32)
    if tensor.type != schema.TensorType.FLOAT32:
        values -= np.float32(tensor.quantization.zeroPoint[0])
        values *= np.float32(tensor.quantization.scale[0])
    return values
