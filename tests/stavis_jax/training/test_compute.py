"""Number formats, BatchNorm statistics over a batch or a device's share, and rematerialisation."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_training import RATES, SmallNetwork

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.layers import BatchNorm, Conv3D
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, Layer
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import TEXTBOOK, BackendForm
from stavis_jax.ops.pooling import max_pool3d
from stavis_jax.ops.video import lay_out
from stavis_jax.training import optimizer, step
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel

# Compiling is nearly all of the time.
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
PLATFORMS = pytest.mark.parametrize("platform", ["cpu", "gpu"])
LAYOUTS = pytest.mark.parametrize("layout", ["array", "frames"])


def draw(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(1.0, 2.0, shape), jnp.float32)


def gathered(video) -> np.ndarray:
    """Returns a video in any layout as [B, T, H, W, C]."""
    return np.asarray(jnp.stack(video, 1) if isinstance(video, tuple) else video, np.float32)


def norm_of(groups: int) -> BatchNorm:
    norm = BatchNorm(3)
    norm.scale[...], norm.bias[...] = jnp.float32([0.5, 1.0, 2.0]), jnp.float32([0.0, 1.0, -1.0])
    norm.groups = groups
    return norm


def outputs_and_gradients(norm: BatchNorm, clip: jax.Array, weights: jax.Array, layout: str):
    """Returns outputs, gradients of their weighted sum by clip, scale and bias, and the statistics afterwards."""
    graphdef, params, stats = nnx.split(norm, nnx.Param, nnx.BatchStat)

    @functools.partial(jax.grad, argnums=(0, 1), has_aux=True)
    def loss(params, clip):
        layer = nnx.merge(graphdef, params, jax.tree.map(lambda x: x, stats))  # a fresh tree: it changes in here
        outputs = layer(lay_out(clip, layout), True)
        stacked = jnp.stack(outputs, 1) if isinstance(outputs, tuple) else outputs
        return jnp.sum(stacked * weights), (stacked, nnx.state(layer, nnx.BatchStat))

    (of_params, of_clip), (outputs, after) = jax.jit(loss)(params, clip)
    return np.asarray(outputs), np.asarray(of_clip), jax.tree.leaves(of_params), jax.tree.leaves(after)


@LAYOUTS
def test_per_device_statistics_are_those_of_each_part_by_itself(layout):
    clip, weights = draw(0, 8, 2, 3, 3, 3), draw(1, 8, 2, 3, 3, 3)
    outputs, of_clip, of_params, after = outputs_and_gradients(norm_of(4), clip, weights, layout)
    alone = [outputs_and_gradients(norm_of(1), clip[i : i + 2], weights[i : i + 2], layout) for i in range(0, 8, 2)]
    np.testing.assert_allclose(outputs, np.concatenate([part[0] for part in alone]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_clip, np.concatenate([part[1] for part in alone]), rtol=1e-4, atol=1e-5)
    for ours, *theirs in zip(of_params, *(part[2] for part in alone), strict=True):
        np.testing.assert_allclose(ours, sum(theirs), rtol=1e-5, atol=1e-4)  # parameters are shared
    for ours, first, second in zip(after, alone[0][3], alone[1][3], strict=True):
        np.testing.assert_allclose(ours, first, rtol=1e-6)
        assert np.abs(np.asarray(ours) - np.asarray(second)).max() > 1e-3  # the first part's and no other's


@LAYOUTS
def test_statistics_are_those_of_pytorch(layout):
    torch = pytest.importorskip("torch")

    clip, theirs = draw(2, 4, 2, 3, 3, 3), torch.nn.BatchNorm3d(3)
    norm = norm_of(1)
    with torch.no_grad():
        theirs.weight[:], theirs.bias[:] = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([0.0, 1.0, -1.0])
    expected = theirs(torch.tensor(np.moveaxis(np.asarray(clip), -1, 1))).detach().numpy()
    np.testing.assert_allclose(gathered(norm(lay_out(clip, layout), True)), np.moveaxis(expected, 1, -1), atol=1e-5)
    np.testing.assert_allclose(norm.mean[...], theirs.running_mean, rtol=1e-5)
    np.testing.assert_allclose(norm.var[...], theirs.running_var, rtol=1e-5)


def small_step(devices: DataParallel, compute: Compute, seed: int = 3):
    """Runs one step of the small network. Returns its values, the parameters and the statistics."""
    network = SmallNetwork(rngs=nnx.Rngs(0))
    compute.configure(network, 8)
    job, state = step.create(network, functools.partial(optimizer.sgd, 0.1), RATES, effective_batch=16)
    batch = {
        "clip": 20 * draw(seed, 16, 4, 16, 16, 3),
        "waveform": jnp.zeros((16, 16)),
        "density": 50 * jnp.abs(draw(seed + 1, 16, 16, 16)),
        "fixations": (draw(seed + 2, 16, 16, 16) > 4).astype(jnp.float32),
        "weight": jnp.ones(16),
    }
    run = quick_jit(functools.partial(step.train_step, job), out_shardings=devices.everywhere)
    state, values = run(devices.replicate(state), devices.split_batch(jax.device_get(batch)), jnp.float32(0.5))
    return jax.device_get(values), jax.tree.leaves(state.params), jax.tree.leaves(state.batch_stats)


def assert_steps_close(ours, theirs, rtol: float, atol: float) -> None:
    for name, value in theirs[0].items():
        np.testing.assert_allclose(ours[0][name], value, rtol=rtol, atol=atol, err_msg=name)
    for a, b in zip(ours[1] + ours[2], theirs[1] + theirs[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


@pytest.mark.slow
def test_per_device_statistics_are_the_same_on_eight_devices_as_in_eight_parts_on_one():
    per_device = Compute(batch_norm="per-device")
    one = small_step(DataParallel(jax.devices()[:1]), per_device)
    assert_steps_close(small_step(DataParallel(), per_device), one, rtol=1e-4, atol=1e-5)
    over_all = small_step(DataParallel(jax.devices()[:1]), Compute())
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(over_all[2], one[2], strict=True))


def test_per_device_statistics_need_no_talk_between_devices():
    """The compiled layer has no collective operation except for the running statistics."""
    devices, norm = DataParallel(), norm_of(8)
    graphdef, state = nnx.split(norm)

    def outputs(state, clip):
        return nnx.merge(graphdef, jax.tree.map(lambda x: x, state))(clip, True)

    clip = jax.ShapeDtypeStruct((16, 2, 3, 3, 3), jnp.float32, sharding=devices.split)
    text = jax.jit(outputs, out_shardings=devices.split).lower(state, clip).compile().as_text()
    assert "all-reduce" not in text and "all-gather" not in text


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "platform"), [(10, "gpu"), (50, "cpu")])
def test_rematerialised_blocks_give_the_same_gradients_and_statistics(depth, platform):
    form = BackendForm.for_platform(platform)
    channels = 4 * 4 if depth == 50 else 4
    results = []
    for rematerialize in (False, True):
        layer = Layer(depth, 8, 4, 2, 2, "B", rngs=nnx.Rngs(0))
        layer.rematerialize = rematerialize
        layer.set_attributes(Conv3D, form=form)
        graphdef, params, stats = nnx.split(layer, nnx.Param, nnx.BatchStat)

        def loss(params, graphdef=graphdef, stats=stats):
            layer = nnx.merge(graphdef, params, jax.tree.map(lambda x: x, stats))
            outputs = jax.tree.leaves(layer(lay_out(draw(4, 2, 4, 8, 8, 8), form.layout), True))
            assert outputs[0].shape[-1] == channels
            return sum(jnp.sum(x * x) for x in outputs), nnx.state(layer, nnx.BatchStat)

        gradients = jax.value_and_grad(loss, has_aux=True)
        saved = jax.make_jaxpr(gradients)(params)
        assert ("remat" in str(saved) or "checkpoint" in str(saved)) == rematerialize
        results.append(jax.tree.leaves(quick_jit(gradients)(params)))
    for plain, again in zip(*results, strict=True):
        np.testing.assert_allclose(again, plain, rtol=1e-5, atol=1e-5 * float(jnp.abs(plain).max()))


@pytest.mark.parametrize("variant", ["visual", "l3mul-s3"])
@PLATFORMS
def test_bfloat16_is_the_trunks_and_all_else_stays_float32(variant, platform):
    form = BackendForm.for_platform(platform)
    network = nnx.eval_shape(lambda: Stavis(NetworkConfig(variant, 10), rngs=nnx.Rngs(0), form=form))
    Compute(dtype="bfloat16", rematerialize=True).configure(network, 1)
    clip, waveform = jax.ShapeDtypeStruct((2, 4, 32, 32, 3), jnp.float32), jax.ShapeDtypeStruct((2, 35280), jnp.float32)
    graphdef, state = nnx.split(network)

    def run(state, clip, waveform):
        network = nnx.merge(graphdef, state)
        outputs = network(clip, waveform, train=True)
        stem = network.trunk.stem(lay_out(clip, form.layout), True)
        return outputs, nnx.state(network), network.trunk.layer1(max_pool3d(stem, form.max_pool), True)

    outputs, after, activations = jax.eval_shape(run, state, clip, waveform)
    assert {leaf.dtype for leaf in jax.tree.leaves(activations)} == {jnp.dtype("bfloat16")}
    assert {leaf.dtype for leaf in jax.tree.leaves((outputs, after))} == {jnp.dtype("float32")}


@PLATFORMS
def test_bfloat16_pools_as_float32(platform):
    form, clip = BackendForm.for_platform(platform), draw(5, 1, 5, 6, 7, 2).astype(jnp.bfloat16)
    pooled, expected = (
        max_pool3d(lay_out(clip.astype(dtype), form.layout), form.max_pool) for dtype in (jnp.bfloat16, jnp.float32)
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(pooled)} == {jnp.dtype("bfloat16")}
    np.testing.assert_array_equal(gathered(pooled), gathered(expected))


@pytest.mark.slow
def test_bfloat16_steps_as_float32_within_its_rounding():
    one = DataParallel(jax.devices()[:1])
    half, full = small_step(one, Compute(dtype="bfloat16")), small_step(one, Compute(dtype="float32"))
    assert half[0]["loss"] == pytest.approx(full[0]["loss"], rel=1e-3)
    assert half[0]["loss"] != full[0]["loss"]
    assert half[0]["grad_norm"] == pytest.approx(full[0]["grad_norm"], rel=0.02)
    assert all(leaf.dtype == jnp.float32 for leaf in half[1] + half[2])
    start = jax.tree.leaves(nnx.state(SmallNetwork(rngs=nnx.Rngs(0)), nnx.Param))
    ours, theirs = (
        np.concatenate([np.ravel(a - b) for a, b in zip(run[1], start, strict=True)]) for run in (half, full)
    )
    # The way that the step goes. Rounding moves some values over ReLU's and the maximum's edges: 0.9937 with this draw.
    assert ours @ theirs > 0.98 * np.linalg.norm(ours) * np.linalg.norm(theirs)
    for a, b in zip(half[2], full[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=0.02, atol=0.02 * float(jnp.abs(b).max()))


def test_auto_is_the_number_format_of_the_device(monkeypatch):
    network = SmallNetwork(rngs=nnx.Rngs(0))
    Compute().configure(network, 1)
    assert network.trunk.dtype == jnp.float32
    monkeypatch.setattr(jax, "devices", lambda: [types.SimpleNamespace(platform="tpu")])
    Compute().configure(network, 1)
    assert network.trunk.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dtype": "float16"}, "--config.compute.dtype=float16: choose from auto, float32, bfloat16"),
        ({"batch_norm": "local"}, "--config.compute.batch_norm=local: choose from global, per-device"),
    ],
)
def test_a_wrong_choice_lists_the_right_ones(wrong, message):
    with pytest.raises(UserError, match=message):
        Compute(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize("depth", BLOCKS_OF_DEPTH)
def test_every_depth_has_a_step(depth):
    """The step is traced with all shapes and not run. Each parameter gets a gradient of its shape."""
    network = nnx.eval_shape(lambda: Stavis(NetworkConfig("visual", depth), rngs=nnx.Rngs(0), form=TEXTBOOK))
    Compute(dtype="bfloat16", batch_norm="per-device", rematerialize=True).configure(network, 2)
    jobs = []

    def make(params, stats):
        graphdef = nnx.graphdef(network)
        job, state = step.create(
            nnx.merge(graphdef, params, stats), functools.partial(optimizer.sgd, 0.1), RATES, effective_batch=4
        )
        jobs.append(job)
        return state

    _, params, stats = nnx.split(network, nnx.Param, nnx.BatchStat)
    state = jax.eval_shape(make, params, stats)
    image = jax.ShapeDtypeStruct((4, 32, 32), jnp.float32)
    batch = {"density": image, "fixations": image, "weight": jax.ShapeDtypeStruct((4,), jnp.float32)}
    batch |= {
        "clip": jax.ShapeDtypeStruct((4, 16, 32, 32, 3), jnp.float32),
        "waveform": jax.ShapeDtypeStruct((4, 16), jnp.float32),
    }
    after, values = jax.eval_shape(
        lambda *given: step.train_step(jobs[0], *given), state, batch, jax.ShapeDtypeStruct((), jnp.float32)
    )
    shapes = [
        [(jax.tree_util.keystr(path), x.shape, x.dtype) for path, x in jax.tree_util.tree_leaves_with_path(tree)]
        for tree in (state, after)
    ]
    assert shapes[0] == shapes[1]
    assert values.keys() == {"loss", "cross_entropy", "correlation", "nss", "grad_norm"}
