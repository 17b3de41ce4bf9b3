"""Command: train and evaluate.

  python -m stavis_jax.main --config=configs/av.py [--workdir=DIR] [--mode=train_and_evaluate|train|evaluate]
      [--config.KEY=VALUE ...]

Short on purpose: what it does is in stavis_jax/experiments/job.py.
"""

import contextlib
from pathlib import Path

import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags
from rich.console import Console

from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli import flags as command_line
from stavis_jax.cli.malloc import keep_big_buffers

CONFIG = config_flags.DEFINE_config_file("config", None, "Recipe: configs/av.py, configs/visual.py, or FILE:demo.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for weights, maps and results. Default: runs/<preset>-<variant>."
)
MODE = flags.DEFINE_enum(
    "mode",
    "train_and_evaluate",
    ["train_and_evaluate", "train", "evaluate"],
    "What to do; evaluate: with weights there.",
)
COORDINATOR = flags.DEFINE_string("coordinator", None, "Several hosts: HOST:PORT of the first one.")
PROCESSES = flags.DEFINE_integer("processes", None, "Several hosts: how many processes there are.")
PROCESS = flags.DEFINE_integer("process", None, "Several hosts: which one this is, from 0.")
DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Several hosts that know of each other: TPU pod, Slurm, MPI.")

REAL_THING = (
    "To train on the real databases: python -m data_pipelines.fetch --output RAW; "
    "python -m data_pipelines.prepare --data RAW --output SHARDS; then give --config.data.path=SHARDS."
)


@command
def run(argv: list[str]) -> None:
    logging.set_verbosity(logging.WARNING)  # orbax reports every step of every checkpoint
    keep_big_buffers()
    config = command_line.check(CONFIG.value, argv, "configs/av.py")
    several = (COORDINATOR.value, PROCESSES.value, PROCESS.value)
    if any(value is not None for value in several) and None in several:
        raise UserError(
            "--coordinator, --processes, --process: give all three, or --distributed where a cluster tells."
        )
    # After the flags: --help answers at once.
    from stavis_jax.cli import compilation_cache
    from stavis_jax.experiments import recipes
    from stavis_jax.training import devices

    compilation_cache.enable()
    if DISTRIBUTED.value or COORDINATOR.value:
        devices.connect(COORDINATOR.value, PROCESSES.value, PROCESS.value)
    console = Console(soft_wrap=True, markup=False, quiet=not devices.is_first_host())
    falls_back = config.preset != "demo" and not config.data.path
    if falls_back:
        config = recipes.demo(config)
        config.update_from_flattened_dict(config_flags.get_override_values(flags.FLAGS["config"]))
        console.print(f"No --config.data.path is given: this runs the demo preset. {REAL_THING}", highlight=False)
    workdir = Path(WORKDIR.value or Path("runs") / f"{config.preset}-{config.model.variant}")
    with locked_folder(workdir) if devices.is_first_host() else contextlib.nullcontext():
        _train_and_evaluate(config, workdir, console)
    if falls_back:
        console.print(f"This was the demo preset, on synthetic films. {REAL_THING}", highlight=False)


def _train_and_evaluate(config: ml_collections.ConfigDict, workdir: Path, console: Console) -> None:
    from stavis_jax.experiments import job
    from stavis_jax.training import devices

    if devices.is_first_host():
        job.find_data(config, workdir, console)  # it may make them
    devices.wait_for_all_hosts("data")
    data = job.find_data(config, workdir, console)
    work = job.Job(config, workdir, data, console)
    if MODE.value != "evaluate":
        if MODE.value == "train_and_evaluate" and not data.can_score:
            console.print("The shards hold no annotations: this trains and does not score.", highlight=False)
        work.train()
        console.print(f"Weights: {workdir}/<variant>/last; also best, by validation loss.", highlight=False)
    if MODE.value == "evaluate" or (MODE.value == "train_and_evaluate" and data.can_score):
        devices.wait_for_all_hosts("trained")
        if not devices.is_first_host():
            return  # scoring is the first host's
        work.evaluate()
        console.print(f"Results: {workdir}/results.json; pictures: {workdir}/comparison.png", highlight=False)


def main() -> None:
    app.run(run, flags_parser=command_line.parse)


if __name__ == "__main__":
    main()
