"""Reads the operations that take the most time from a trace file of jax.profiler."""

import collections
import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Operation(NamedTuple):
    """An operation of the compiled program, or all of one kind: its time in the trace and how often it ran."""

    name: str
    milliseconds: float
    times: int


def operations(path: Path) -> list[Operation]:
    """Returns the operations in a *.trace.json.gz, those with the most time first.

    They are those on the streams of an accelerator, or XLA's operations on a CPU. A kernel that does not name its
    operation is listed under its own name.
    """
    with gzip.open(path, "rt", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    named = [event for event in events if event.get("ph") == "M" and "name" in event.get("args", {})]
    processes = {event["pid"]: event["args"]["name"] for event in named if event["name"] == "process_name"}
    threads = {(event["pid"], event["tid"]): event["args"]["name"] for event in named if event["name"] == "thread_name"}
    accelerators = {pid for pid, name in processes.items() if name.startswith("/device:")}
    seconds, times = collections.Counter(), collections.Counter()
    for event in events:
        if event.get("ph") != "X":
            continue
        arguments = event.get("args", {})
        if accelerators:
            # Other threads of a device list the same time again, by module, step and source.
            thread = threads.get((event["pid"], event["tid"]), "")
            counts = event["pid"] in accelerators and thread.startswith(("Stream", "XLA Ops"))
        else:
            counts = "hlo_op" in arguments
        if counts:
            name = arguments.get("hlo_op") or event["name"]
            seconds[name] += event["dur"] / 1e3
            times[name] += 1
    return [Operation(name, total, times[name]) for name, total in seconds.most_common()]


def by_kind(found: Iterable[Operation]) -> list[Operation]:
    """Adds up operations whose names differ only in their numbers. Returns those with the most time first."""
    total, times = collections.Counter(), collections.Counter()
    for operation in found:
        kind = re.sub(r"[._]?\d+$", "", re.sub(r"\.\d+", "", operation.name))
        total[kind] += operation.milliseconds
        times[kind] += operation.times
    return [Operation(kind, milliseconds, times[kind]) for kind, milliseconds in total.most_common()]


def origin(name: str, compiled: str) -> str:
    """Finds an instruction in a program's text. Returns its shape and its source in the network, or "" if not found."""
    found = re.search(rf"^\s*(?:ROOT )?%?{re.escape(name)} = (.*)", compiled, re.MULTILINE)
    if not found:
        return ""
    shape = re.match(r"\(.*?\)|\S+", re.sub(r"\{[^}]*\}", "", found[1]))[0]  # without layouts
    source = re.search(r'op_name="([^"]*)"', found[1])
    return shape[:80] + (f" of {'/'.join(source[1].split('/')[-3:])}" if source else "")
