"""Tests of parts of the measurements: times, the operations of a trace, the figures of every measurement."""

import dataclasses
import gzip
import json
import time

import jax
import pytest

from benchmarks.accelerator import device_films, jax_dense, jax_scoring, jax_training, trace
from benchmarks.accelerator.plan import SMALL
from benchmarks.accelerator.timing import seconds_of

COMPILED = """
ENTRY %main {
  %fusion.3 = bf16[2,8]{1,0} fusion(%a), kind=kLoop, metadata={op_name="jit(train_step)/trunk/relu"}
  ROOT %conv.1 = (f32[4]{0}, u8[16]{0}) custom-call(%b), metadata={op_name="jit(train_step)/conv"}
}
"""


@pytest.fixture
def write_trace(tmp_path):
    def write(events: list[dict]):
        path = tmp_path / "x.trace.json.gz"
        with gzip.open(path, "wt") as file:
            json.dump({"traceEvents": events}, file)
        return path

    return write


def named(what: str, name: str, pid: int, tid: int = 0) -> dict:
    return {"ph": "M", "pid": pid, "tid": tid, "name": what, "args": {"name": name}}


def ran(name: str, microseconds: float, pid: int, tid: int, **arguments) -> dict:
    return {"ph": "X", "pid": pid, "tid": tid, "ts": 0, "dur": microseconds, "name": name, "args": arguments}


def test_operations_of_a_device_are_those_of_its_streams(write_trace):
    path = write_trace(
        [
            named("process_name", "/device:GPU:0", 1),
            named("thread_name", "Stream #13(Compute)", 1, 5),
            named("thread_name", "XLA Modules", 1, 6),
            named("process_name", "/host:CPU", 2),
            ran("kernel_a", 3000, 1, 5, hlo_op="fusion.3"),
            ran("kernel_b", 1000, 1, 5, hlo_op="fusion.3"),
            ran("memset", 500, 1, 5),
            ran("fusion.4", 2000, 1, 5, hlo_op="fusion.4"),
            ran("jit_train_step", 9000, 1, 6),
            ran("on the host", 9000, 2, 1, hlo_op="fusion.3"),
        ]
    )
    found = trace.operations(path)
    assert found == [("fusion.3", 4, 2), ("fusion.4", 2, 1), ("memset", 0.5, 1)]
    assert trace.by_kind(found) == [("fusion", 6, 3), ("memset", 0.5, 1)]


def test_operations_of_a_cpu_are_xlas_own(write_trace):
    events = [named("process_name", "/host:CPU", 2), ran("dot.1", 1000, 2, 1, hlo_op="dot.1"), ran("python", 9, 2, 1)]
    assert trace.operations(write_trace(events)) == [("dot.1", 1, 1)]


def test_the_origin_of_an_operation_is_its_shape_and_source():
    assert trace.origin("fusion.3", COMPILED) == "bf16[2,8] of jit(train_step)/trunk/relu"
    assert trace.origin("conv.1", COMPILED).endswith("u8[16]) of jit(train_step)/conv")
    assert trace.origin("fusion", COMPILED) == ""


def test_seconds_of_a_call_are_those_it_takes():
    took = seconds_of(lambda: time.sleep(0.01), lambda _: None, total=0.1)
    assert 0.01 <= took.shortest <= took.median <= took.longest
    slow = seconds_of(lambda: time.sleep(0.05), lambda _: None, total=0.01)
    assert slow.shortest == slow.longest >= 0.05


@pytest.mark.slow
def test_every_measurement_of_our_network_reports_figures(monkeypatch):
    small, found = dataclasses.replace(SMALL.network, clips=1, size=16, seconds=0.01), []
    jax_scoring.parity(found.append, cases=SMALL.cases, others=("bfloat16",))
    jax_scoring.forward(found.append, setting=small, batches=(1,))
    jax_dense.dense(found.append, setting=small, frames=3)
    jax_dense.dense(found.append, setting=small, frames=3, shared_stem=False)
    monkeypatch.setattr(device_films, "FRAMES", 20)
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules need it
        jax_training.training_step(found.append, setting=dataclasses.replace(small, form="textbook"))
        device_films.training_from_device_films(found.append, setting=small)
    assert [one["error"] for one in found] == [""] * 7
    in_float32, in_bfloat16 = found[:2]
    assert in_float32["detail"]["met"] == "True" and in_bfloat16["value"] > 0.99
    assert in_bfloat16["detail"]["logits off by"] > 10 * in_float32["value"]
