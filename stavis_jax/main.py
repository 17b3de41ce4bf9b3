"""Command: trains a network and scores it on held-out films.

python -m stavis_jax.main --config=av [--workdir=DIR] [--mode=train_and_evaluate|train|evaluate]
    [--notify=COMMAND] [--config.KEY=VALUE ...]
"""

import contextlib
from pathlib import Path

import ml_collections
from absl import flags
from rich.console import Console

from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax import configs
from stavis_jax.cli import flags as run_flags
from stavis_jax.cli import process
from stavis_jax.watch.notify import Notifier

RUN = run_flags.define_run_flags(
    "av", ["train_and_evaluate", "train", "evaluate"], default_workdir="runs/<preset>-<variant>"
)
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first host, for training on several hosts.")
PROCESSES = flags.DEFINE_integer("processes", None, "Number of processes on all hosts.")
PROCESS = flags.DEFINE_integer("process", None, "Number of this process, from 0.")
DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Train on several hosts that find each other: TPU pod, Slurm or Open MPI."
)

REAL_DATA = (
    "To train on the real databases: python -m data_pipelines.fetch --output RAW; "
    "python -m data_pipelines.prepare --data RAW --output SHARDS; then give --config.data.path=SHARDS."
)


@command
def run(rest: list[str]) -> None:
    with Notifier(RUN.notify.value, RUN.workdir.value or "") as notifier:
        notifier.speaks = PROCESS.value in (None, 0)
        _run(rest, notifier)


def _run(rest: list[str], notifier: Notifier) -> None:
    config = run_flags.read_config(RUN, rest)
    host = COORDINATOR.value, PROCESSES.value, PROCESS.value
    if None in host and host != (None, None, None):
        raise UserError("--coordinator, --processes, --process: give all three, or --distributed on a cluster.")
    process.prepare_training()
    from stavis_jax.experiments.settings import watch_settings  # after the flags: JAX takes seconds to import
    from stavis_jax.training import devices

    if DISTRIBUTED.value or COORDINATOR.value:
        devices.connect(*host, watch_settings(config).host_seconds)
    notifier.speaks = devices.is_first_host()
    console = Console(soft_wrap=True, markup=False, highlight=False, quiet=not devices.is_first_host())
    is_fallback = config.preset != "demo" and not config.data.path
    if is_fallback:
        from stavis_jax.configs import av

        config = configs.changed(config, av.DEMO | run_flags.overrides())
        console.print(f"--config.data.path is not given, so this runs the demo preset. {REAL_DATA}")
    workdir = Path(RUN.workdir.value or Path("runs") / f"{config.preset}-{config.model.variant}")
    notifier.run = workdir
    with locked_folder(workdir) if devices.is_first_host() else contextlib.nullcontext():
        _train_and_evaluate(config, workdir, console)
    if is_fallback:
        console.print(f"This was the demo preset, on synthetic films. {REAL_DATA}")


def _train_and_evaluate(config: ml_collections.ConfigDict, workdir: Path, console: Console) -> None:
    import jax

    from stavis_jax.experiments.data import find_data
    from stavis_jax.experiments.scoring import score_workdir
    from stavis_jax.experiments.settings import check_settings, watch_settings
    from stavis_jax.experiments.training import train_stages
    from stavis_jax.training import devices
    from stavis_jax.watch import pulse
    from stavis_jax.watch.watch import Watch

    check_settings(config)
    mode, scores = RUN.mode.value, RUN.mode.value != "train"
    with Watch(workdir, watch_settings(config), jax.process_index(), jax.process_count()) as watch:
        with devices.leaving_together():
            data = find_data(config, workdir, console)
            if mode == "train_and_evaluate" and not data.can_score:
                console.print("The shards hold no annotations, so this run trains and does not score.")
                scores = False
            if mode != "evaluate":
                train_stages(config, data, workdir, console)
                console.print(f"Weights: {workdir}/<variant>/last, and best by validation loss.")
        watch.forget_others()
        if scores and devices.is_first_host():
            pulse.current.doing = "scoring"
            score_workdir(config, data, workdir, console)
            console.print(f"Results: {workdir}/results.json; pictures: {workdir}/comparison.png")


def main() -> None:
    run_flags.start(run, "stavis_jax.main", __doc__)


if __name__ == "__main__":
    main()
