"""Compiles a lowered program, and collects what the compiler says of it."""

import hashlib
import heapq
import re
import time
from typing import Any

import jax

from benchmarks.compile_ahead import hlo

Facts = dict[str, Any]
TOP = 10  # operations listed for each program
LONGEST_ERROR = 300  # characters


def digest_of(lowered: jax.stages.Lowered, compiler: str) -> str:
    """Returns a digest of a program and its compiler. Equal digests mean equal results."""
    return hashlib.sha256(f"{compiler}\n{lowered.as_text()}".encode()).hexdigest()[:16]


def compile_facts(lowered: jax.stages.Lowered) -> tuple[Facts, str]:
    """Compiles a program.

    Returns:
      The compiler's facts, of one chip, which can be written as JSON; and the compiled HLO text. If the program does
      not compile, the facts are "error" and "seconds", and the text is "".
    """
    begin = time.perf_counter()
    try:
        compiled = lowered.compile()
    except Exception as error:  # whatever the compiler objects to
        return {"error": reason(error), "seconds": time.perf_counter() - begin}, ""
    seconds = time.perf_counter() - begin
    text = compiled.as_text()
    return {"error": "", "seconds": seconds, **_costs(compiled), **text_facts(text)}, text


def text_facts(text: str) -> Facts:
    """Returns the facts that are in compiled HLO text."""
    executed = hlo.operations(text)
    labels = hlo.convolution_layouts(text)
    return {
        "cycles": sum(one.cycles for one in executed),
        "operations": len(executed),
        "collectives": hlo.collectives(executed),
        "transposes": hlo.transposes(executed),
        "convolutions": labels,
        "scatters": hlo.scatters(text),
        "top": [
            {"cycles": one.cycles, "name": one.name, "shape": re.sub(r"\{.*?\}", "", one.shape), "source": one.source}
            for one in heapq.nlargest(TOP, executed, key=lambda one: one.cycles)
            if one.cycles
        ],
    }


def reason(error: Exception) -> str:
    """Returns in one line why a program does not compile. If memory is missing, the line begins with the amount."""
    text = " ".join(str(error).split())
    memory = re.search(r"(Ran out of memory|Used [\d.]+[KMGT]? of |Program hbm requirement).*", text)
    return (memory[0] if memory else f"{type(error).__name__}: {text}")[:LONGEST_ERROR]


def _costs(compiled: jax.stages.Compiled) -> Facts:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    return {
        "arguments": memory.argument_size_in_bytes,
        "outputs": memory.output_size_in_bytes,
        "aliases": memory.alias_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "code": memory.generated_code_size_in_bytes,
        "bytes": cost.get("bytes accessed"),
        "flops": cost.get("flops"),
    }
