"""Reads compiled HLO text: estimated cycles, collectives, transposes, layouts of convolutions, scatters."""

import collections
import dataclasses
import math
import re
from collections.abc import Iterator

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")

_ARRAY = re.compile(r"\b(pred|bf16|[suf]\d+|f8\w+)\[([\d,]*)\]")
_INSTRUCTION = re.compile(r"(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\(")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_SOURCE = re.compile(r'op_name="([^"]*)"')
_BODY = re.compile(r"\bbody=%?([\w.\-]+)")
_CALLED = re.compile(r"\b(?:to_apply|calls|branch_computations=\{)=?%?([\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_CALLS = ("call", "async-start", "conditional")


@dataclasses.dataclass(frozen=True)
class Operation:
    """Describes an operation that the device executes.

    Attributes:
      name: its name in the program.
      shape: the arrays that it makes, such as `bf16[32,16,56,56,64]{4,0,3,2,1}`.
      opcode: such as `fusion`.
      text: the whole line.
      times: how often it is executed.
    """

    name: str
    shape: str
    opcode: str
    text: str
    times: int

    @property
    def cycles(self) -> int:
        """Returns the compiler's estimate for all executions; 0 if there is none."""
        found = _CYCLES.search(self.text)
        return self.times * int(found[1]) if found else 0

    @property
    def source(self) -> str:
        """Returns the JAX operation that it comes from, such as `jit(train_step)/conv_general_dilated`."""
        found = _SOURCE.search(self.text)
        return found[1] if found else ""

    @property
    def bytes(self) -> int:
        """Returns the size of the arrays that all executions make."""
        return self.times * bytes_of(self.shape)


def operations(text: str) -> list[Operation]:
    """Returns the operations that a program executes. Those inside fusions are parts of one operation."""
    computations, entry = _computations(text)
    return list(_executed(computations, entry, 1))


def collectives(executed: list[Operation]) -> dict[str, tuple[int, int]]:
    """Returns kind -> (number of transfers between chips, bytes of their results)."""
    found: dict[str, tuple[int, int]] = {}
    for one in executed:
        kind = one.opcode.removesuffix("-start")
        if kind in COLLECTIVES:
            size = one.bytes // 2 if one.opcode.endswith("-start") and kind != "all-reduce" else one.bytes
            count, total = found.get(kind, (0, 0))
            found[kind] = count + one.times, total + size
    return found


def transposes(executed: list[Operation]) -> tuple[int, int]:
    """Returns the number of operations that only bring an array into another layout, and the bytes that they write."""
    found = [one for one in executed if "transpose" in one.name or one.opcode in ("transpose", "copy")]
    return sum(one.times for one in found), sum(one.bytes for one in found)


def convolution_layouts(text: str) -> dict[str, int]:
    """Returns the number of convolutions for each layout, such as {"bf012_oi012->bf012": 43}."""
    calls = (line for line in text.splitlines() if "dim_labels=" in line)
    return dict(collections.Counter(re.search(r"dim_labels=([^,\s]+)", line)[1] for line in calls))


def scatters(text: str) -> int:
    """Returns the number of scatter operations, those inside fusions included. Select-and-scatter does not count."""
    return sum(found[3] == "scatter" for line in text.splitlines() if (found := _INSTRUCTION.match(line.strip())))


def bytes_of(shape: str) -> int:
    """Returns the size of an array or a tuple of arrays, written as in HLO."""
    return sum(
        _item_bytes(kind) * math.prod(map(int, filter(None, dims.split(",")))) for kind, dims in _ARRAY.findall(shape)
    )


def _item_bytes(kind: str) -> int:
    bits = re.search(r"\d+", kind)
    return max(int(bits[0]) // 8, 1) if bits else 1


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    """Returns the lines of each computation by its name, and the name of the entry."""
    found: dict[str, list[str]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if line[:1].strip() and line.rstrip().endswith("{"):
            words = line.split()
            name = words[words[0] == "ENTRY"].lstrip("%")
            entry = name if words[0] == "ENTRY" else entry
            lines = found.setdefault(name, [])
        elif line.startswith("  "):
            lines.append(line.strip())
    return found, entry


def _executed(computations: dict[str, list[str]], name: str, times: int) -> Iterator[Operation]:
    for line in computations.get(name, ()):
        found = _INSTRUCTION.match(line)
        if not found:
            continue
        operation = Operation(*found.groups(), line, times)
        if operation.opcode == "while":
            trips = _TRIPS.search(line)
            yield from _executed(computations, _BODY.search(line)[1], times * (int(trips[1]) if trips else 1))
        elif operation.opcode in _CALLS and not operation.cycles:
            for called in _CALLED.findall(line):
                yield from _executed(computations, called, times)
        else:
            yield operation
