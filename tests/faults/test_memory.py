"""A batch that does not fit into memory: one line that names what was too large, by its flag."""

import types

import jax
import pytest
from bad_input import Place
from jobs import JOBS
from rich.console import Console

from data_pipelines.runtime import errors
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.experiments import job as jobs_of_main
from stavis_jax.experiments import recipes
from stavis_jax.models.stavis import NetworkConfig

FULL = "RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."


def full_memory(*_, **__):
    raise jax.errors.JaxRuntimeError(FULL)


@pytest.mark.slow
def test_a_batch_of_predict_that_is_too_large_names_its_size(commands, supplies, tmp_path, tally):
    """In a process that gets no more than six gigabytes of addresses."""
    tally.fault("predict", "memory full")
    place = Place(tmp_path, supplies)
    flags = [*JOBS["predict"].flags(place), "--batch-size", 100_000]
    line = commands.run(JOBS["predict"].module, *flags, limits={"RLIMIT_AS": 6 << 30}).error
    assert "memory" in line and "--batch-size" in line
    assert not place.output.exists()


@pytest.mark.parametrize(("variant", "stage"), [("visual", "visual"), ("l3mul-s3", "audiovisual")])
def test_a_training_batch_that_is_too_large_names_its_flag(variant, stage, supplies, tmp_path, tally, monkeypatch):
    tally.fault("main", "memory full")
    monkeypatch.setattr(jobs_of_main, "train", full_memory)
    job = make_job(variant, supplies, tmp_path)
    network = types.SimpleNamespace(config=NetworkConfig(variant, 10, "B"))
    with pytest.raises(UserError) as told:
        job._train_stage(job._recipe(stage), network)
    assert str(told.value) == (
        f"--config.stages.{stage}.batch_size=32: does not fit into memory (Out of memory allocating 17179869184 "
        "bytes). Give a smaller one: gradients are accumulated to effective_batch all the same."
    )


def test_a_scoring_batch_that_is_too_large_names_its_flag(supplies, tmp_path, tally, monkeypatch):
    tally.fault("main", "memory full")
    monkeypatch.setattr(jobs_of_main, "write_test_maps", full_memory)
    monkeypatch.setattr(jobs_of_main, "SaliencyModel", lambda *_, **__: None)
    job = make_job("visual", supplies, tmp_path)
    (tmp_path / "visual").mkdir()
    (tmp_path / "visual" / "last").symlink_to(supplies.weights)
    with pytest.raises(UserError, match=r"--config\.evaluation\.batch_size=8: does not fit into memory \(Out of"):
        job._predict("visual", [])


def make_job(variant: str, supplies, workdir) -> jobs_of_main.Job:
    config = recipes.config(variant, "paper")
    config.model.depth = 10
    config.data.path = str(supplies.shards)
    data = jobs_of_main.Data(supplies.shards, None, None, 1)
    return jobs_of_main.Job(config, workdir, data, Console(quiet=True))


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError(FULL), MemoryError(), MemoryError("7.28 TiB")])
def test_any_command_says_that_the_memory_is_full(error):
    @command
    def main() -> None:
        raise error

    with pytest.raises(SystemExit, match=r"error: memory is full.*\. Use smaller batches"):
        main()


def test_a_full_disk_is_no_full_memory():
    """TensorStore has the same word for both."""
    assert not errors.is_out_of_memory(ValueError("RESOURCE_EXHAUSTED: No space left on device [os_error_code='28']"))
    assert errors.is_out_of_memory(RuntimeError(FULL))
