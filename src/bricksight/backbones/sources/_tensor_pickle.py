"""Read the pickles of a legacy PyTorch file safely, without executing them.

``pickle.Unpickler`` is unsafe for untrusted files: it calls any function that a pickle names,
recurses without a limit, and allocates any size that is stated. ``pickletools.genops`` only parses
the instructions. This file executes the few that tensors need, and raises an error for any other.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any, NamedTuple

_MAX_INSTRUCTIONS = 50_000  # a network of 300 tensors has 11,000
_DTYPES = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
_ORDERED_DICT = "collections OrderedDict"
_REBUILD = "torch._utils _rebuild_tensor_v2"


class PickleError(ValueError):
    """The pickle is damaged or holds more than tensors; the message has no full stop."""


class Storage(NamedTuple):
    """The block of values that one or more tensors use."""

    dtype: str
    key: str
    num_elements: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Name(NamedTuple):
    """A class or function that the pickle refers to, as "module name"."""

    text: str


def read_pickle(stream: IO[bytes]) -> Any:
    """Read the next pickle of a stream.

    The result is a number, text, ``None``, a tensor, or tuples, lists and dicts of these; keys are
    text.

    Raises:
        PickleError: The pickle is damaged, or refers to anything else.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > _MAX_INSTRUCTIONS:
                raise PickleError(f"it has more than {_MAX_INSTRUCTIONS:,} instructions")
            if opcode.name in _CONSTANTS:
                machine.stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _PUSHES:
                machine.stack.append(argument)
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](machine, argument)
            elif opcode.name not in ("PROTO", "STOP"):
                raise PickleError(
                    f"it has the instruction {opcode.name}, but only tensors are read"
                )
        return machine.stack.pop()
    except PickleError:
        raise
    except (ValueError, LookupError, TypeError) as error:
        raise PickleError(str(error) or type(error).__name__) from error


class _Machine:
    """The stack and the memo of a pickle's instructions."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def put(self, index: Any) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: Any) -> None:
        self.stack.append(self.memo[index])

    def empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def empty_list(self, _: Any) -> None:
        self.stack.append([])

    def tuple_since_mark(self, _: Any) -> None:
        self.stack.append(tuple(self.since_mark()))

    def tuple_of(self, number: int) -> None:
        if len(self.stack) < number:
            raise PickleError("a tuple is incomplete")
        self.stack[-number:] = [tuple(self.stack[-number:])]

    def append(self, _: Any) -> None:
        item = self.stack.pop()
        self._extend([item])

    def extend(self, _: Any) -> None:
        self._extend(self.since_mark())

    def _extend(self, items: list[Any]) -> None:
        _require(self.stack[-1], list).extend(items)

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def set_items(self, _: Any) -> None:
        self._update(self.since_mark())

    def _update(self, items: list[Any]) -> None:
        found = _require(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            found[_require(key, str)] = value

    def name(self, text: Any) -> None:
        if text not in (*_DTYPES, _ORDERED_DICT, _REBUILD):
            shown = str(text)[:100].replace(" ", ".")
            raise PickleError(f"it refers to {shown}, but only tensors are read")
        self.stack.append(_Name(text))

    def storage(self, _: Any) -> None:
        kind, dtype, key, _device, num_elements, _view = _require(self.stack.pop(), tuple)
        if kind != "storage" or not isinstance(dtype, _Name) or dtype.text not in _DTYPES:
            raise PickleError("it holds values of another type, but only tensors are read")
        key, num_elements = _require(key, str), _require(num_elements, int)
        self.stack.append(Storage(_DTYPES[dtype.text], key, num_elements))

    def call(self, _: Any) -> None:
        arguments, called = _require(self.stack.pop(), tuple), _require(self.stack.pop(), _Name)
        if called.text == _ORDERED_DICT and not arguments:
            self.stack.append({})
        elif called.text == _REBUILD:
            self.stack.append(_tensor(*arguments[:4]))
        else:
            raise PickleError(f"it calls {called.text}, but only tensors are read")

    def set_attributes(self, _: Any) -> None:
        """Ignore the attributes of the dict of tensors, which are versions of the layers."""
        self.stack.pop()
        _require(self.stack[-1], dict)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    for numbers in (shape, strides):
        for number in _require(numbers, tuple):
            _require(number, int)
    return Tensor(_require(storage, Storage), _require(offset, int), shape, strides)


def _require(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise PickleError(f"it holds a {type(value).__name__} instead of a {kind.__name__}")
    return value


_PUSHES = frozenset({"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"})
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "EMPTY_DICT": _Machine.empty_dict,
    "EMPTY_LIST": _Machine.empty_list,
    "TUPLE": _Machine.tuple_since_mark,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.name,
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.set_attributes,
}
