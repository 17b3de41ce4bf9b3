"""A batch that does not fit into memory: one line names the flag whose value was too large."""

import jax
import pytest
from bad_input import Place
from jobs import JOBS
from rich.console import Console

from data_pipelines.runtime import errors
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.configs import av
from stavis_jax.experiments import test_maps, training
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.settings import ScoringSettings
from stavis_jax.experiments.stages import plan_stages
from stavis_jax.weights.flat_names import new_network

FULL = "RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."


def full_memory(*_, **__):
    raise jax.errors.JaxRuntimeError(FULL)


@pytest.mark.slow
def test_a_batch_of_predict_that_is_too_large_names_its_size(commands, supplies, tmp_path, tally):
    """Runs in a process with at most six gigabytes of address space."""
    tally.fault("predict", "memory full")
    place = Place(tmp_path, supplies)
    flags = [*JOBS["predict"].flags(place), "--batch-size", 100_000]
    line = commands.run(JOBS["predict"].module, *flags, limits={"RLIMIT_AS": 6 << 30}).error
    assert "memory" in line and "--batch-size" in line
    assert not place.output.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "stage", "placement", "rest"),
    [
        ("visual", "visual", "host", ""),
        ("l3mul-s3", "audiovisual", "device", " --config.data.placement=host leaves it the memory of the films."),
    ],
)
def test_a_training_batch_that_is_too_large_names_its_flag(
    variant, stage, placement, rest, supplies, tmp_path, tally, monkeypatch
):
    tally.fault("main", "memory full")
    monkeypatch.setattr(training, "train", full_memory)
    config = av.get_config()
    config.model.update({"variant": variant, "depth": 10})
    config.data.placement = placement
    *_, last = plan_stages(config, tmp_path)
    network, console = new_network(last.network, seed=0), Console(quiet=True)
    with pytest.raises(UserError) as told:
        training.train_stage(last, network, config, ExperimentData(supplies.shards), tmp_path, console)
    assert str(told.value) == (
        f"--config.stages.{stage}.batch_size=32: does not fit into memory (Out of memory allocating 17179869184 "
        f"bytes). Give a smaller one: gradients are still accumulated up to effective_batch.{rest}"
    )


def test_a_scoring_batch_that_is_too_large_names_its_flag(supplies, tmp_path, tally, monkeypatch):
    tally.fault("main", "memory full")
    monkeypatch.setattr(test_maps, "write_test_maps", full_memory)
    monkeypatch.setattr(test_maps, "StavisModel", lambda *_, **__: None)
    data, maps = ExperimentData(supplies.shards), tmp_path / "maps" / "visual"
    settings = ScoringSettings(weights="last", batch_size=8, pictures=1)
    with pytest.raises(UserError, match=r"--config\.evaluation\.batch_size=8: does not fit into memory \(Out of"):
        test_maps.predict_test_films(supplies.weights, data, [], maps, settings, Console(quiet=True))


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError(FULL), MemoryError(), MemoryError("7.28 TiB")])
def test_any_command_says_that_the_memory_is_full(error):
    @command
    def main() -> None:
        raise error

    with pytest.raises(SystemExit, match=r"error: memory is full.*\. Use smaller batches"):
        main()


def test_a_full_disk_is_no_full_memory():
    """TensorStore reports both with the same word."""
    assert not errors.is_out_of_memory(ValueError("RESOURCE_EXHAUSTED: No space left on device [os_error_code='28']"))
    assert errors.is_out_of_memory(RuntimeError(FULL))
