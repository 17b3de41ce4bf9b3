"""What is measured, most valuable first, and how long each is expected to take on an H100."""

import dataclasses
from typing import Any, Literal

NHWC = "--xla_gpu_force_conv_nhwc=true"
FIRST = "training step, visual, bfloat16"  # what decides which flags the later sections use
CASES = ("av50_s0",)
MORE_CASES = (
    "v50_s0",
    "av50_s1",
    "v50_s1",
    "av50_silent_s0",
    "av50_upscale_s2",
    "av18_s0",
    "av10_size64_s0",
    "av50_size64_s0",
)
MORE_CASES += ("v50_upscale_s2", "av18_shortcutA_size64_s0", "v18_size45_s3")


HERE = "benchmarks.accelerator"
UNTOLD = ("depth", "size", "seconds", "folder", "profile")  # arguments that do not tell items apart


@dataclasses.dataclass(frozen=True)
class Item:
    """One call of a measuring function, MODULE:FUNCTION."""

    call: str
    seconds: float  # expected, its compilation included
    arguments: dict[str, Any]

    @property
    def name(self) -> str:
        told = [value for key, value in self.arguments.items() if key not in UNTOLD]
        words = [" ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in told]
        return ", ".join([self.call.partition(":")[2].replace("_", " "), *filter(None, words)])

    def to_dict(self) -> dict[str, Any]:
        return {"item": self.name, "call": self.call, "seconds": self.seconds, "arguments": self.arguments}


@dataclasses.dataclass(frozen=True)
class Section:
    """Items of one child process.

    Attributes:
      flags: of XLA: "plain", "nhwc", or whichever of the two was faster before.
      background: beside the others, which is for work that needs no device.
    """

    name: str
    items: tuple[Item, ...]
    flags: Literal["plain", "nhwc", "best"] = "plain"
    background: bool = False


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large everything is."""

    depth: int = 50
    size: int = 112
    clips: int = 32
    many_clips: int = 128
    forward: tuple[int, ...] = (1, 8, 64)
    frames: int = 256
    films: int = 12
    workers: tuple[int, ...] = (0, 4, 8, 15)
    seconds: float = 1.5
    megabytes: int = 1024
    side: int = 8192
    cases: tuple[str, ...] = CASES
    more_cases: tuple[str, ...] = MORE_CASES
    torch_compiler: str = "inductor"


SMALL = Scale(
    depth=10,
    size=32,
    clips=2,
    many_clips=4,
    forward=(1, 2),
    frames=20,
    films=5,
    workers=(0, 1),
    seconds=0.1,
    megabytes=16,
    side=128,
    cases=("av10_size64_s0",),
    more_cases=("v18_size45_s3",),
    torch_compiler="aot_eager",
)


def sections(scale: Scale, work: str, output: str) -> list[Section]:
    """All of it. `work`, `output`: folders for shards, and for traces."""
    of_network = {"depth": scale.depth, "size": scale.size}

    def ours(
        expected: float, clips: int = scale.clips, variant: str = "visual", dtype: str = "bfloat16", **more
    ) -> Item:
        more = {"variant": variant, "dtype": dtype, "clips": clips, "seconds": scale.seconds} | of_network | more
        return Item(f"{HERE}.jax_training:training_step", expected, more)

    def torch(job: str, expected: float, variant: str = "visual", dtype: str = "bfloat16", **more) -> Item:
        return Item(f"{HERE}.torch_side:{job}", expected, {"variant": variant, "dtype": dtype} | of_network | more)

    def forward(expected: float, variant: str, dtype: str, precision: str, clips: tuple[int, ...]) -> Item:
        more = {"variant": variant, "dtype": dtype, "precision": precision, "clips": clips} | of_network
        return Item(f"{HERE}.jax_scoring:forward", expected, more | {"seconds": scale.seconds / 2})

    def dense(expected: float, dtype: str, clips: int, shared: bool) -> Item:
        more = {"variant": "l3mul-s3", "dtype": dtype, "clips": clips, "frames": scale.frames, "shared_stem": shared}
        return Item(f"{HERE}.jax_scoring:dense", expected, more | of_network)

    def parity(expected: float, cases: tuple[str, ...], others: tuple[tuple[str, str], ...]) -> Item:
        return Item(f"{HERE}.jax_scoring:parity", expected, {"cases": cases, "others": others})

    shards = {"folder": f"{work}/films"}
    reading = {"clips": scale.clips, "seconds": 2 * scale.seconds}
    few = scale.forward[-2]
    return [
        Section(
            "shards",
            (Item(f"{HERE}.feeding:shards", 40, shards | {"films": scale.films, "size": scale.size}),),
            background=True,
        ),
        Section(
            "jax, plain flags",
            (
                Item(f"{HERE}.device_facts:device", 5, {}),
                Item(f"{HERE}.device_facts:ceilings", 10, {"megabytes": scale.megabytes, "side": scale.side}),
                parity(30, scale.cases, (("bfloat16", "highest"),)),
                ours(50, profile=f"{output}/plain"),
            ),
        ),
        Section("jax, nhwc", (ours(50, profile=f"{output}/nhwc"),), "nhwc"),
        Section(
            "torch, eager",
            (
                torch("training_step", 25, clips=scale.clips, seconds=scale.seconds),
                torch("training_step", 15, clips=scale.many_clips, seconds=scale.seconds),
                torch("forward", 15, clips=scale.forward, seconds=scale.seconds / 2),
                torch("dense", 10, "l3mul-s3", clips=scale.clips, frames=scale.frames),
            ),
        ),
        Section(
            "jax, rewrites",
            (
                ours(20),
                ours(30, clips=scale.many_clips),
                forward(25, "visual", "bfloat16", "highest", scale.forward),
                *(ours(25, rewrites=(name,)) for name in ("pool", "one-pass", "dots", "taps2d")),
                dataclasses.replace(ours(25), call=f"{HERE}.jax_training:rewrites_that_help"),
            ),
            "best",
        ),
        Section(
            "input pipeline",
            (
                *(
                    Item(f"{HERE}.feeding:reading", 10, shards | reading | {"workers": number})
                    for number in scale.workers
                ),
                Item(
                    f"{HERE}.feeding:training",
                    50,
                    shards | reading | {"workers": scale.workers[::2], "variant": "visual"} | of_network,
                ),
            ),
            "best",
        ),
        Section(
            "jax, more",
            (
                dense(20, "float32", few, True),
                dense(25, "bfloat16", scale.clips, True),
                dense(15, "bfloat16", scale.clips, False),
                ours(30, variant="l3mul-s3"),
                ours(35, dtype="float32", precision="highest"),
                ours(30, dtype="float32", precision="default"),
                forward(20, "l3mul-s3", "float32", "highest", (few,)),
                forward(20, "l3mul-s3", "bfloat16", "highest", scale.forward),
                *(ours(25, rewrites=(name,)) for name in ("stem-channels", "stem-pairs")),
                ours(35, clips=scale.many_clips, variant="l3mul-s3"),
            ),
            "best",
        ),
        Section(
            "torch, compiled",
            (
                torch("training_step", 90, clips=scale.clips, seconds=scale.seconds, compiler=scale.torch_compiler),
                torch(
                    "forward", 40, clips=scale.forward[-1:], seconds=scale.seconds / 2, compiler=scale.torch_compiler
                ),
            ),
        ),
        Section(
            "torch, more",
            (
                torch("training_step", 20, "l3mul-s3", clips=scale.clips, seconds=scale.seconds),
                torch("training_step", 15, dtype="float32", clips=scale.clips, seconds=scale.seconds, tf32=True),
                torch("training_step", 20, dtype="float32", clips=scale.clips, seconds=scale.seconds),
                torch("forward", 15, "l3mul-s3", "float32", clips=(few,), seconds=scale.seconds / 2),
                torch("dense", 10, "l3mul-s3", "float32", clips=few, frames=scale.frames),
            ),
        ),
        Section(
            "jax, more parity",
            (
                parity(25, scale.cases, (("float32", "default"),)),
                *(parity(12, (name,), ()) for name in scale.more_cases),
            ),
        ),
    ]
