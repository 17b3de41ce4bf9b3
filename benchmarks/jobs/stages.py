"""Where the time of a forward pass goes: each stage of the network alone, and the limit that its arithmetic sets."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import inputs, report
from benchmarks.inputs import CLIP_FRAMES
from benchmarks.paired_timing import Pairs
from benchmarks.session import Session

BATCH = 4
STAGES = (
    "stem",
    "attention1",  # with the pooling after it
    "layer1",
    "attention2",
    "layer2",
    "attention3",
    "layer3",
    "attention4",
    "sound",
    "fusion",  # from saliency features, layer2's middle and sound features to the map
)
MATMUL = "matmul"  # a product of square float32 matrices: the machine's peak


def theirs(weights: str, stage: str, batch: int, size: int) -> Callable[[], Any]:
    import torch
    import torch.nn.functional as F  # noqa: N812

    from benchmarks import torch_side
    from benchmarks.reference.network import attend

    network = torch_side.load(weights)
    features = [torch_side.channels_first(x) for x in stage_inputs(stage, network.depth, batch, size)]

    def run() -> torch.Tensor:
        if stage == MATMUL:
            return features[0] @ features[0]
        if stage in ("stem", "sound") or stage.startswith("layer"):
            return getattr(network, stage)(*features)
        if stage.startswith("attention"):
            attention = network.score_dsn[int(stage[-1]) - 1].attention(*features)[2]
            if stage == "attention4":
                return attention
            attended = attend(*features, attention)
            return network.maxpool(attended) if stage == "attention1" else attended
        *saliency, middle, sound = features
        whole = [
            module.upsampled(x, x[:, :1], (size, size))[0]
            for module, x in zip(network.score_dsn, saliency, strict=True)
        ]
        located = F.interpolate(network.fusion3(middle, sound), (size, size), mode="bilinear", align_corners=False)
        return network.fuseav(torch.cat([*whole, located], dim=1))

    def job() -> None:
        with torch.inference_mode():
            run()

    return job


def ours(weights: str, stage: str, batch: int, size: int) -> Callable[[], Any]:
    """Returns a stage as it scores: one clip at a time on a CPU."""
    import jax
    import jax.numpy as jnp

    from benchmarks import jax_side
    from stavis_jax.models.attention import StageSaliency
    from stavis_jax.models.fusion import FusionInputs
    from stavis_jax.models.stavis import Stavis
    from stavis_jax.ops.pooling import max_pool3d
    from stavis_jax.ops.video import lay_out, scale_by_map
    from stavis_jax.weights.flat_names import Weights, network_from

    model = jax_side.load_model(weights, size)
    features = [jnp.asarray(x) for x in stage_inputs(stage, model.depth, batch, size)]

    def clips(begin: int, end: int) -> list:
        shares = [x[begin:end] for x in features]
        return [lay_out(x, model.form.layout) if x.ndim == 5 else x for x in shares]

    clips_at_once = 1 if model.form.clip_by_clip else batch
    shares = [clips(i, i + clips_at_once) for i in range(0, batch, clips_at_once)]
    if stage == MATMUL:
        shares = [features]

    def run(network: Stavis, features: list) -> Any:
        if stage == MATMUL:
            return features[0] @ features[0]
        if stage == "stem" or stage.startswith("layer"):
            return getattr(network.trunk, stage)(*features, False)
        if stage.startswith("attention"):
            saliency = getattr(network, stage)(*features)
            if stage == "attention4":
                return saliency
            attended = scale_by_map(*features, 1 + saliency.attention)
            return saliency, max_pool3d(attended, network.form.max_pool) if stage == "attention1" else attended
        if stage == "sound":
            return network.soundnet(*features, False)
        *saliency, middle, sound = features
        stages = [StageSaliency(x, x[..., 0], x[..., 0]) for x in saliency]  # fusion reads the features alone
        attention = [getattr(network, f"attention{number}") for number in (1, 2, 3, 4)]
        hidden = network.hidden(middle, sound)
        localization, shape = network.localization, (size, size)
        return network.fuseav(FusionInputs(stages, attention, network.fuse, localization, hidden, shape))

    @jax.jit
    def compiled(arrays: Weights, features: list) -> Any:
        with jax.default_matmul_precision("highest"):
            return run(network_from(model.config, arrays, model.form), features)

    def job() -> None:
        for share in shares:
            jax.block_until_ready(compiled(model.device_weights, share))

    return job


def measure(session: Session) -> dict[str, str]:
    from benchmarks.reference.gflop import gflop_of_clip

    plan = session.plan
    measured = {stage: session.compare("stages", stage=stage, batch=BATCH) for stage in STAGES}
    measured["whole network"] = session.compare("forward", batch=BATCH)
    matmul = session.compare("stages", stage=MATMUL, batch=1, size=plan.matmul_size)
    their_peak, peak = (
        2 * plan.matmul_size**3 / seconds / 1e9 for seconds in (matmul.their_seconds, matmul.our_seconds)
    )
    gflop = gflop_of_clip(plan.depth, plan.size)
    total = gflop["whole network"] = sum(gflop.values())
    rows = [[stage, *_cells(pairs, gflop.get(stage), peak)] for stage, pairs in measured.items()]
    whole = measured["whole network"]
    text = (
        f"ms a clip at batch {BATCH}, which ours runs clip by clip on a CPU; each stage compiled alone on made-up "
        "features, attention 1 with the pooling after it. PyTorch's fusion makes the stages' own maps too. Depth "
        f"{plan.depth}, {plan.size} pixels. GFLOP are those of textbook layers, {gflop['attention']:.2f} for the four "
        "attentions; cheaper algorithms may pass the peak. Plain malloc."
    )
    limit = (
        f"The limit without them: {total:.1f} GFLOP a clip over the measured peak of a {plan.matmul_size}-square "
        f"float32 matrix product ({peak:.0f} GFLOP/s in XLA, {their_peak:.0f} in PyTorch) are "
        f"{1e3 * total / peak:.0f} ms; ours takes {1e3 * whole.our_seconds / BATCH:.0f} ms, "
        f"PyTorch {1e3 * whole.their_seconds / BATCH:.0f} ms."
    )
    head = ["", "PyTorch, ms", "ours, ms", "ratio", "GFLOP", "ours, GFLOP/s", "of the matmul peak"]
    return session.section("Where the time goes", text, report.table(head, rows), limit, pairs=[*measured.values()])


def _cells(pairs: Pairs, gflop: float | None, peak: float) -> list[str]:
    rate = gflop and gflop * BATCH / pairs.our_seconds
    work = [f"{gflop:.2f}", f"{rate:.0f}", f"{rate / peak:.0%}"] if gflop else ["-", "-", "-"]
    return [*report.milliseconds(pairs, BATCH), *work]


def stage_inputs(stage: str, depth: int, batch: int, size: int) -> tuple[np.ndarray, ...]:
    """Returns made-up features, channels last: a video [B, T, h, w, C]; for `sound` a waveform.

    For `fusion`: four saliency features [B, h, w, 16], the middle [B, h, w, C], sound features [B, 1024].
    """
    from stavis_jax.models.attention import SALIENCY_CHANNELS
    from stavis_jax.models.resnet3d import stage_channels
    from stavis_jax.models.soundnet import SOUND_FEATURES

    clip, waveform = inputs.clips(batch, size)
    sides = [size >> number for number in (1, 2, 3, 4)]
    channels = stage_channels(depth)
    if stage in ("stem", "sound"):
        return (clip if stage == "stem" else waveform,)
    if stage == MATMUL:
        shapes = [(size, size)]
    elif stage == "fusion":
        saliency = [(batch, side, side, SALIENCY_CHANNELS) for side in sides]
        shapes = [*saliency, (batch, sides[2], sides[2], channels[2]), (batch, SOUND_FEATURES)]
    elif stage == "layer1":  # the pooling has halved the stem's output
        shapes = [(batch, CLIP_FRAMES // 2, sides[1], sides[1], channels[0])]
    else:
        i = int(stage[-1]) - 1
        shapes = [(batch, CLIP_FRAMES >> i, sides[i], sides[i], channels[i])]
    rng = np.random.default_rng(0)
    return tuple(np.maximum(rng.standard_normal(shape, np.float32), 0) for shape in shapes)  # as after a ReLU
