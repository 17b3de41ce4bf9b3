"""Reads the pickles inside PyTorch checkpoints without PyTorch, and without running anything that they name.

A pickle is a program for a small machine, and may name any function to be called. The machine here knows the steps that
build plain values, and looks names up in a fixed list. Tensors and storages become records of `pickled_tensors`. What
checkpoints often carry beside them (paths, NumPy scalars, options of argparse, Lightning or OmegaConf) becomes an empty
placeholder. Every other name is refused. Work and memory are proportional to the pickle's length.
"""

import io
import mmap
import pickletools
import re
import struct
from typing import IO, Any, NamedTuple, cast

from stavis_jax.weights.pickled_tensors import Storage, rebuild, rebuilds_tensors, storage_of, storage_type

_DATA = re.compile(
    r"torch\.(Tensor|nn\.parameter\.Parameter)|argparse\.Namespace|types\.SimpleNamespace|pathlib(\._local)?\.\w*Path"
    r"|numpy\.(_?core\.multiarray\.(scalar|_reconstruct)|_?core\.numeric\._frombuffer|ndarray|dtype|dtypes\.\w+DType)"
    r"|numpy\.(bool_?|u?int\d+|float\d+|str_|bytes_)|_codecs\.encode|copy_?reg\._reconstructor"
    r"|(pytorch_)?lightning(_fabric)?(\.\w+)*\.AttributeDict|omegaconf(\.\w+)+|easydict\.EasyDict|yacs\.config\.CfgNode"
    r"|typing\.\w+|collections\.(defaultdict|Counter|deque)|datetime\.(datetime|date|time|timedelta|timezone)"
    r"|(builtins|__builtin__)\.(set|frozenset|list|dict|tuple|int|long|float|complex|str|unicode|bool|bytes|object|slice|x?range)"
    r"|torch\.(device|memory_format|contiguous_format|preserve_format|strided|layout|Generator|q?u?int\d+(x\d)?|complex\d+|per_\w+_affine\w*|sparse_\w+)|torch\.serialization\._get_layout"
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = re.compile(
    r"(?:SHORT_)?BIN(?:UNICODE|BYTES|STRING)8?|BININT[12]?|BINFLOAT|INT|LONG[14]?|FLOAT|STRING|UNICODE|BYTEARRAY8"
)
_NEW: dict[str, Any] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_LARGEST_KEY = 2**31  # of numbers as keys


class RefusedNameError(Exception):
    """A pickle names a function or a class that is not on the list. The message is the name."""


class Placeholder:
    """Stands for what a checkpoint carries beside tensors."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "an object"


class Named(NamedTuple):
    """A function or class on the list, by its full name."""

    name: str


def read_pickle(file: io.BytesIO | mmap.mmap, machine: "PickleMachine | None" = None) -> tuple[Any, dict[str, Storage]]:
    """Reads the pickle that begins at the file's position, and leaves the position behind it.

    Args:
      file: in memory or mapped, so that reading too many bytes reserves no memory.
      machine: runs the steps; by default one for the pickles of PyTorch.

    Returns:
      its value, and its storages by key.

    Raises:
      RefusedNameError: it names a function or a class that is not on the list.
      ValueError: it is damaged, or no pickle.
    """
    machine = machine or PickleMachine()
    try:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], file)):
            machine.step(opcode.name, argument)
        return machine.stack.pop(), machine.storages
    # What a damaged pickle raises: the stack is too short, a value is of another type than the step expects, ...
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, struct.error) as error:
        raise ValueError(f"no pickle, or damaged ({error})") from error


class PickleMachine:
    """Runs the steps of a pickle of PyTorch. `stack` holds the values of the innermost unfinished container."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # stacks below, one for each mark
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def step(self, name: str, argument: Any) -> None:
        if _LITERALS.fullmatch(name):
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _NEW:
            self.stack.append(_NEW[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self.stack.append(self.known(*(argument.split(" ") if argument else self.pop(2))))
        elif name not in ("PROTO", "FRAME", "STOP"):
            step = getattr(self, f"_{name.lower()}", None)
            if step is None:
                raise ValueError(f"{name} is not expected")
            step()

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise ValueError("too few values")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def pop_mark(self) -> list[Any]:
        """Returns the values since the last mark."""
        values, self.stack = self.stack, self.outer.pop()
        return values

    def _mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def _pop_mark(self) -> None:
        self.pop_mark()

    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _list(self) -> None:
        values = self.pop_mark()
        self.stack.append(values)

    def _tuple(self) -> None:
        values = self.pop_mark()
        self.stack.append(tuple(values))

    def _tuple1(self) -> None:
        self.stack.append(tuple(self.pop(1)))

    def _tuple2(self) -> None:
        self.stack.append(tuple(self.pop(2)))

    def _tuple3(self) -> None:
        self.stack.append(tuple(self.pop(3)))

    def _dict(self) -> None:
        values = self.pop_mark()
        self.stack.append(_filled({}, values))

    def _frozenset(self) -> None:
        self.pop_mark()
        self.stack.append(Placeholder())

    def _empty_set(self) -> None:
        self.stack.append(Placeholder())

    def _append(self) -> None:
        self.extend(self.pop(1))

    def _appends(self) -> None:
        self.extend(self.pop_mark())

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], Placeholder):
            cast(list, self.stack[-1]).extend(values)

    def _additems(self) -> None:
        self.pop_mark()

    def _setitem(self) -> None:
        self.fill(self.pop(2))

    def _setitems(self) -> None:
        self.fill(self.pop_mark())

    def fill(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], Placeholder):
            _filled(self.stack[-1], values)

    def _reduce(self) -> None:
        function, arguments = self.pop(2)
        self.stack.append(self.called(function, arguments))

    def _newobj(self) -> None:
        self._reduce()

    def _newobj_ex(self) -> None:
        function, arguments, _ = self.pop(3)
        self.stack.append(self.called(function, arguments))

    def known(self, module: Any, name: Any) -> Any:
        """Returns what stands for a function or a class.

        Raises:
          RefusedNameError: it is not on the list.
          ValueError: the names are no texts.
        """
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name that is no text")
        full = f"{module}.{name}"
        kind = storage_type(module, name)
        if kind is not None:
            return kind
        if rebuilds_tensors(full) or full in ("collections.OrderedDict", "torch.Size") or _DATA.fullmatch(full):
            return Named(full)
        raise RefusedNameError(full)

    def called(self, function: Any, arguments: Any) -> Any:
        """Returns what stands for the result of a function or class on the list."""
        if not isinstance(function, Named) or not isinstance(arguments, tuple):
            raise ValueError("a call of something else than a function")
        if rebuilds_tensors(function.name):
            return rebuild(function.name, arguments)
        if function.name == "collections.OrderedDict":
            pairs = arguments[0] if arguments else []
            values = [value for key, item in cast(list, pairs) for value in (key, item)]
            cast(list, pairs).clear()  # so that naming a list often does not copy it often
            return _filled({}, values)
        return Placeholder()

    def _build(self) -> None:
        (state,) = self.pop(1)
        self.build(self.stack[-1], state)

    def build(self, target: Any, state: Any) -> None:
        """Leaves out the attributes of an object, such as `_metadata` of a state dict."""
        if not isinstance(target, dict | Placeholder):
            raise ValueError("attributes of a plain value")

    def _binpersid(self) -> None:
        (described,) = self.pop(1)
        if not isinstance(described, tuple) or not described or described[0] != "storage":
            raise RefusedNameError("a module, whose code is in the file")
        storage = storage_of(described)
        if self.storages.setdefault(storage.key, storage).dtype != storage.dtype:
            raise ValueError("a storage of two types")
        self.stack.append(storage)


def _filled(target: Any, values: list[Any]) -> dict:
    """Adds key, value, key, value, ... to a dictionary.

    A key that is neither a text nor a small number is replaced by a placeholder. Nested keys may take forever to hash.
    """
    if not isinstance(target, dict) or len(values) % 2:
        raise ValueError("an item of something else than a dictionary")
    for key, value in zip(values[::2], values[1::2], strict=True):
        is_plain = isinstance(key, str) or (type(key) is int and abs(key) < _LARGEST_KEY)
        target[key if is_plain else Placeholder()] = value
    return target
