"""The PyTorch implementation we measure against is the authors' network, and so a second opinion on ours."""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from benchmarks.reference import training as torch_training
from benchmarks.reference.network import TorchStavis
from stavis_jax.configs import av
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.training import optimizer, step
from stavis_jax.weights.checkpoint_kinds import Architecture
from stavis_jax.weights.conversion import to_checkpoint
from stavis_jax.weights.directory import WeightsInfo
from stavis_jax.weights.flat_names import flat_name, network_from
from stavis_jax.weights.transfer import from_pytorch, to_pytorch

GOLDEN = Path(__file__).parents[2] / "golden"
LOGITS_ATOL = 2e-4  # float32; the authors' code against itself in float64: 2.3e-5 (golden/README.md)
LOSS_RTOL = 1e-5
QUICK = {"xla_backend_optimization_level": 0}  # compiles faster
LOSSES_RTOL = 1e-3  # over 8 updates
GRADIENT_RTOL = 1e-4  # of a parameter's norm; two float32 programs: 1.6e-5
GRADIENT_FLOOR = 1e-6  # of the largest norm: biases before BatchNorm have no gradient but rounding, 3e-7
SIZE, BATCH = 32, 2
SEED = 2  # with 1, an activation is so close to 0 that versions of XLA round it to different sides of the ReLU
RESNET10 = Architecture("stavis", 10, "B")


@pytest.fixture(scope="module")
def state_of(formulas, read_spec):
    """The authors' tensors of a depth, keys without `module.`, as numpy."""

    @functools.cache
    def make(depth: int, seed: int = 0, variant: str = "plain") -> dict[str, np.ndarray]:
        state = formulas.state_dict(read_spec(f"audiovisual_resnet{depth}"), seed, variant)
        return {key.removeprefix("module."): array for key, array in state.items()}

    return make


def torch_network(variant: str, depth: int, state: dict[str, np.ndarray]) -> TorchStavis:
    network = TorchStavis(variant, depth)
    network.load_state_dict({key: torch.tensor(array) for key, array in state.items()}, strict=True)
    return network.eval()


def test_its_tensors_have_the_names_shapes_and_order_of_the_authors_checkpoints(read_spec):
    for depth in (10, 18, 34, 50):
        spec = read_spec(f"audiovisual_resnet{depth}")
        with torch.device("meta"):
            state = TorchStavis(depth=depth).state_dict()
        assert [[f"module.{key}", list(tensor.shape)] for key, tensor in state.items()] == [
            [key, shape] for key, (shape, _) in spec.items()
        ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["av10_size64_s0", "v18_size45_s3", "v50_upscale_s2"])
def test_its_logits_are_the_authors(name, formulas, state_of):
    case = json.loads((GOLDEN / "forward.json").read_text())["cases"][name]
    golden = np.load(GOLDEN / "forward.npz")
    state = state_of(case["depth"], case["weights_seed"], case["variant"])
    network = torch_network("l3mul-s3" if case["audiovisual"] else "visual", case["depth"], state)
    clip = torch.tensor(formulas.clip(case["input_seed"], 2, 16, case["sample_size"]))
    with torch.inference_mode():
        outputs = network(clip, torch.tensor(formulas.audio(case["input_seed"], 2)[:, 0, 0]))
    np.testing.assert_allclose(outputs.logits, golden[f"{name}/map"][:, 0], rtol=0, atol=LOGITS_ATOL)
    if not case["audiovisual"]:
        for number, side in enumerate(outputs.side_logits, start=1):
            np.testing.assert_allclose(side, golden[f"{name}/out{number}"][:, 0], rtol=0, atol=LOGITS_ATOL)


@pytest.mark.slow
def test_its_rates_are_the_released_trainings():
    table = json.loads((GOLDEN / "train.json").read_text())["parameters"]["audiovisual_resnet18"]["table"]
    with torch.device("meta"):
        network = TorchStavis(depth=18)
        rates = {id(p): group["lr"] for group in torch_training.sgd(network).param_groups for p in group["params"]}
    assert {name: pytest.approx(rates[id(p)]) for name, p in network.named_parameters()} == {
        name: row["lr"] for name, row in table.items()
    }


@pytest.mark.slow
def test_ours_has_its_logits_loss_and_gradients(formulas, state_of):
    """Weights go over through the export; our videos are arrays, which compiles fastest."""
    weights = from_pytorch(state_of(10, variant="head"), RESNET10, "golden").weights
    batch = {
        "clip": np.moveaxis(formulas.clip(SEED, BATCH, 16, SIZE), 1, -1),
        "waveform": formulas.audio(SEED, BATCH)[:, 0, 0],
        "density": formulas.salmap(SEED, BATCH, SIZE)[:, 0],
        "fixations": formulas.binmap(SEED, BATCH, SIZE)[:, 0],
        "weight": np.ones(BATCH, np.float32),
    }
    network = network_from(NetworkConfig(depth=10), jax.tree.map(jnp.asarray, weights), TEXTBOOK)
    rates = av.get_config().stages.audiovisual.group_rates.to_dict()
    make_optimizer = functools.partial(optimizer.sgd, 0.01)
    job, state = step.create(network, make_optimizer, rates, effective_batch=BATCH)

    @jax.jit
    def scored_and_learned(state: step.TrainState, batch: dict):
        logits = job.network(state)(batch["clip"], batch["waveform"]).logits
        return logits, step.loss_gradients(job, state, batch, jnp.float32(0))[:2]

    logits, (gradients, terms) = jax.device_get(scored_and_learned(state, batch))

    exported = to_checkpoint(weights, WeightsInfo("stavis", "l3mul-s3", 10, "B"), "golden").checkpoint.state
    theirs = torch_network("l3mul-s3", 10, exported)
    clip = torch.tensor(np.ascontiguousarray(np.moveaxis(batch["clip"], -1, 1)))
    waveform, density, fixations = (torch.tensor(batch[key]) for key in ("waveform", "density", "fixations"))
    with torch.inference_mode():
        np.testing.assert_allclose(logits, theirs(clip, waveform).logits, rtol=0, atol=LOGITS_ATOL)

    theirs.train()
    loss = torch_training.loss(theirs(clip, waveform), density, fixations)
    loss.backward()
    assert float(terms["loss"]) == pytest.approx(loss.item(), rel=LOSS_RTOL)
    everything = {name: np.zeros_like(array) for name, array in weights.items()}
    everything |= {flat_name(path): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(gradients)}
    ours = to_pytorch(everything, None, RESNET10)
    expected = {name: np.zeros_like(ours[name]) for name in ours}
    expected |= {name: p.grad.numpy() for name, p in theirs.named_parameters() if p.grad is not None}
    floor = GRADIENT_FLOOR * max(map(np.linalg.norm, expected.values()))
    for name, _ in theirs.named_parameters():
        error = np.linalg.norm(ours[name] - expected[name])
        assert error <= GRADIENT_RTOL * np.linalg.norm(expected[name]) + floor, name


@pytest.mark.slow
def test_ours_has_its_losses_over_epochs_with_two_drops_of_the_rate(formulas, state_of):
    epochs, batches_per_epoch = 8, 1
    weights = from_pytorch(state_of(10, variant="head"), RESNET10, "golden").weights
    batches = [
        {
            "clip": np.moveaxis(formulas.clip(seed, BATCH, 16, SIZE), 1, -1),
            "waveform": formulas.audio(seed, BATCH)[:, 0, 0],
            "density": formulas.salmap(seed, BATCH, SIZE)[:, 0],
            "fixations": formulas.binmap(seed, BATCH, SIZE)[:, 0],
            "weight": np.ones(BATCH, np.float32),
        }
        for seed in range(SEED, SEED + batches_per_epoch)
    ]
    network = network_from(NetworkConfig(depth=10), jax.tree.map(jnp.asarray, weights), TEXTBOOK)
    rates = av.get_config().stages.audiovisual.group_rates.to_dict()
    schedule = optimizer.step_schedule(0.01, epochs, batches_per_epoch)
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        job, state = step.create(network, functools.partial(optimizer.sgd, schedule), rates, effective_batch=BATCH)
        train_step = jax.jit(functools.partial(step.train_step, job), compiler_options=QUICK)
        losses = []
        for _ in range(epochs):
            for batch in batches:
                state, values = train_step(state, batch, jnp.float32(0))
                losses.append(float(values["loss"]))

    exported = to_checkpoint(weights, WeightsInfo("stavis", "l3mul-s3", 10, "B"), "golden").checkpoint.state
    theirs = torch_network("l3mul-s3", 10, exported)
    names = ("waveform", "density", "fixations")
    tensors = [
        (
            torch.tensor(np.ascontiguousarray(np.moveaxis(batch["clip"], -1, 1))),
            *(torch.tensor(batch[name]) for name in names),
        )
        for batch in batches
    ]
    expected = torch_training.train(theirs, epochs, tensors)
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(np.reshape(losses, (epochs, -1)), expected, rtol=LOSSES_RTOL)
