"""The measurements, the most valuable first, with the seconds that each is expected to take on an H100."""

import dataclasses
from typing import Any

from benchmarks.accelerator.subjects import Setting

CHANNELS_FIRST = "--xla_gpu_force_conv_nhwc=false"  # our commands set it to true on a GPU
CASES = ("av50_s0",)  # of tests/golden
MORE_CASES = ("v50_s0", "av50_s1", "v50_s1", "av50_silent_s0", "av50_upscale_s2", "v50_upscale_s2", "av50_size64_s0")
MORE_CASES += ("av18_s0", "av18_shortcutA_size64_s0", "v18_size45_s3", "av10_size64_s0")
FORMS = ("textbook", "3D convolutions by XLA", "max pooling by windows", "two-pass BatchNorm")  # jax_network.CHANGES
HERE = "benchmarks.accelerator"
NOT_NAMED = ("folder", "profile")  # arguments that are not part of an item's name


@dataclasses.dataclass(frozen=True)
class Item:
    """One call of a measuring function, given as MODULE:FUNCTION."""

    call: str
    seconds: float  # expected, with compilation
    arguments: dict[str, Any]

    @property
    def name(self) -> str:
        named = [value for key, value in self.arguments.items() if key not in NOT_NAMED]
        return ", ".join([self.call.partition(":")[2].replace("_", " "), *filter(None, map(_words, named))])

    def to_dict(self) -> dict[str, Any]:
        arguments = {key: dataclasses.asdict(x) if key == "setting" else x for key, x in self.arguments.items()}
        return {"item": self.name, "call": self.call, "seconds": self.seconds, "arguments": arguments}


def _words(value: Any) -> str:
    if isinstance(value, Setting):
        return value.name
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@dataclasses.dataclass(frozen=True)
class Section:
    """Items that one child process measures.

    Attributes:
      flags: XLA_FLAGS of the child process; "" for none.
      background: whether it runs beside the other sections. This is for work that needs no device.
    """

    name: str
    items: tuple[Item, ...]
    flags: str = ""
    background: bool = False


@dataclasses.dataclass(frozen=True)
class Scale:
    """Sizes of everything that is measured."""

    network: Setting = Setting()
    many_clips: int = 128
    forward: tuple[int, ...] = (1, 8, 64)
    frames: int = 1024
    torch_frames: int = 256  # PyTorch is slower, and its rate settles sooner
    films: int = 12
    workers: tuple[int, ...] = (0, 4, 8, 15)
    megabytes: int = 1024
    side: int = 8192
    cases: tuple[str, ...] = CASES
    more_cases: tuple[str, ...] = MORE_CASES
    torch_compiler: str = "inductor"


SMALL = Scale(
    network=Setting(clips=2, depth=10, size=32, seconds=0.1),
    many_clips=4,
    forward=(1, 2),
    frames=20,
    torch_frames=20,
    films=5,
    workers=(0, 1),
    megabytes=16,
    side=128,
    cases=("av10_size64_s0",),
    more_cases=("v18_size45_s3",),
    torch_compiler="aot_eager",
)


def sections(scale: Scale, work: str, output: str) -> list[Section]:
    """Returns all sections. Shards go into the folder `work`, traces into `output`."""
    few, many = scale.forward[-2], scale.many_clips
    films, frames = f"{work}/films", scale.frames
    workers, compiler = scale.workers, scale.torch_compiler

    def item(seconds: float, call: str, setting: dict[str, Any] | None = None, **arguments: Any) -> Item:
        if setting is not None:
            arguments = {"setting": dataclasses.replace(scale.network, **setting), **arguments}
        return Item(f"{HERE}.{call}", seconds, arguments)

    def training(seconds: float, setting: dict[str, Any] | None = None, **arguments: Any) -> Item:
        return item(seconds, "jax_training:training_step", setting or {}, **arguments)

    longer = {"seconds": 2 * scale.network.seconds}
    sound, exact, tf32 = {"variant": "l3mul-s3"}, {"dtype": "float32"}, {"dtype": "TF32"}
    return [
        Section(
            "shards",
            (item(40, "feeding:shards", folder=films, films=scale.films, size=scale.network.size),),
            background=True,
        ),
        Section(
            "jax",
            (
                item(5, "device_facts:device"),
                item(10, "device_facts:ceilings", megabytes=scale.megabytes, side=scale.side),
                item(30, "jax_scoring:parity", cases=scale.cases, others=("bfloat16",)),
                training(50, profile=f"{output}/channels-last"),
            ),
        ),
        Section("jax, channels first", (training(50, profile=f"{output}/channels-first"),), CHANNELS_FIRST),
        Section(
            "torch, eager",
            (
                item(25, "torch_side:training_step", {}),
                item(15, "torch_side:training_step", {"clips": many}),
                item(15, "torch_side:forward", {}, batches=scale.forward),
                item(10, "torch_side:dense", sound, frames=scale.torch_frames),
            ),
        ),
        Section(
            "jax, forms",
            (
                training(30, {"clips": many}),
                item(25, "jax_scoring:forward", {}, batches=scale.forward),
                *(training(25, {"form": form}) for form in FORMS),
            ),
        ),
        Section(
            "input pipeline",
            (
                *(item(10, "feeding:reading", longer, folder=films, workers=number) for number in workers),
                item(40, "feeding:training_from_shards", longer, folder=films, workers=workers[::2]),
                item(25, "device_films:training_from_device_films", longer),
            ),
        ),
        Section(
            "jax, more",
            (
                item(20, "jax_dense:dense", sound | exact | {"clips": few}, frames=frames),
                item(25, "jax_dense:dense", sound, frames=frames),
                item(15, "jax_dense:dense", sound, frames=frames, shared_stem=False),
                training(30, sound),
                training(35, exact),
                training(30, tf32),
                item(20, "jax_scoring:forward", sound | exact, batches=(few,)),
                item(20, "jax_scoring:forward", sound, batches=scale.forward),
                training(35, sound | {"clips": many}),
            ),
        ),
        Section(
            "torch, compiled",
            (
                item(90, "torch_side:training_step", {}, compiler=compiler),
                item(40, "torch_side:forward", {}, batches=scale.forward[-1:], compiler=compiler),
            ),
        ),
        Section(
            "torch, more",
            (
                item(20, "torch_side:training_step", sound),
                item(15, "torch_side:training_step", tf32),
                item(20, "torch_side:training_step", exact),
                item(15, "torch_side:forward", sound | exact, batches=(few,)),
                item(10, "torch_side:dense", sound | exact, frames=scale.torch_frames),
            ),
        ),
        Section(
            "jax, more parity",
            tuple(item(12, "jax_scoring:parity", cases=(name,), others=()) for name in scale.more_cases),
        ),
    ]
