"""Command: trains and scores many systems in the same way, and compares them in one table.

python -m stavis_jax.ablate --config=ablation [--workdir=DIR] [--variants l1-s1 l2-s2] [--splits 1 2 3]
    [--mode=train_and_evaluate|train|evaluate|table] [--only=VARIANT|I/N] [--notify=COMMAND] [--config.KEY=VALUE ...]
"""

from pathlib import Path

from absl import flags
from rich.console import Console

from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli import flags as run_flags
from stavis_jax.cli import process
from stavis_jax.watch.notify import Notifier

RUN = run_flags.define_run_flags(
    "ablation", ["train_and_evaluate", "train", "evaluate", "table"], default_workdir="runs/<preset>-ablation"
)
VARIANTS = run_flags.define_list(
    "variants", "Systems to train besides visual, such as l1-s1 l2-s2. Default: all in the configuration."
)
SPLITS = run_flags.define_list("splits", "Splits to train on, such as 1 2 3. Default: all in the configuration.")
ONLY = flags.DEFINE_string(
    "only",
    None,
    "Run a part and write no table: a variant, or I/N for the I-th of N shares of the systems with sound.",
)


@command
def run(rest: list[str]) -> None:
    with Notifier(RUN.notify.value, RUN.workdir.value or "") as notifier:
        _run(rest, notifier)


def _run(rest: list[str], notifier: Notifier) -> None:
    config = run_flags.read_config(RUN, rest)
    mode = RUN.mode.value
    if "ablation" not in config:
        raise UserError("--config: not a recipe for an ablation. Try --config=ablation.")
    if mode == "table" and ONLY.value:
        raise UserError("--only: --mode=table covers all parts. Leave out --only, or give another --mode.")
    if config.preset != "demo" and not config.data.path and mode != "table":
        raise UserError("--config.data.path: missing. Give shards, or try the demo with --config=ablation:demo.")
    process.prepare_training()
    from stavis_jax.experiments import ablation_parts  # after the flags: JAX takes seconds to import
    from stavis_jax.experiments.ablation import Ablation
    from stavis_jax.experiments.ablation_scores import collect

    parts = ablation_parts.plan(
        VARIANTS.value if VARIANTS.value is not None else [config.ablation.variants],
        SPLITS.value if SPLITS.value is not None else [config.ablation.splits],
    )
    chosen = ablation_parts.chosen(parts, ONLY.value) if ONLY.value else parts
    console = Console(soft_wrap=True, markup=False, highlight=False)
    workdir = Path(RUN.workdir.value or Path("runs") / f"{config.preset}-ablation")
    notifier.run = workdir
    failed = {} if mode == "table" else Ablation(config, workdir, mode, console).run(chosen)
    if not ONLY.value and mode != "train":
        collect(workdir, parts, console)
        console.print(f"Table: {workdir}/ablation.md, .tex, .csv, .json; report: {workdir}/report.html")
    if failed:
        (name, error), *others = failed.items()
        more = f" {len(others)} more failed: {', '.join(name for name, _ in others)}." if others else ""
        raise UserError(f"{name} failed: {error}{more} The same command continues the run.")


def main() -> None:
    run_flags.start(run, "stavis_jax.ablate", __doc__)


if __name__ == "__main__":
    main()
