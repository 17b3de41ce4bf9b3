"""Command: train and score many systems alike, and put them in one table.

  python -m stavis_jax.ablate --config=configs/ablation.py [--workdir=DIR] [--variants=l1-s1,l2-s2] [--splits=1,2,3]
      [--mode=train_and_evaluate|train|evaluate|table] [--only=VARIANT|I/N] [--config.KEY=VALUE ...]

Short on purpose: what it does is in stavis_jax/experiments/ablation.py.
"""

from pathlib import Path

from absl import app, flags, logging
from ml_collections import config_flags
from rich.console import Console

from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.cli import flags as command_line
from stavis_jax.cli.malloc import keep_big_buffers

CONFIG = config_flags.DEFINE_config_file("config", None, "Recipe: configs/ablation.py, or configs/ablation.py:demo.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for trainings, scores and the table. Default: runs/<preset>-ablation."
)
VARIANTS = flags.DEFINE_string("variants", None, "Which systems, with commas between; visual is always one. All.")
SPLITS = flags.DEFINE_string("splits", None, "Which splits, with commas between. The config's.")
ONLY = flags.DEFINE_string(
    "only", None, "Only a part, and no table: a variant, or I/N, the I-th of N shares of the systems with sound."
)
MODE = flags.DEFINE_enum(
    "mode",
    "train_and_evaluate",
    ["train_and_evaluate", "train", "evaluate", "table"],
    "What to do; evaluate: with weights there; table: with scores there.",
)


@command
def run(argv: list[str]) -> None:
    logging.set_verbosity(logging.WARNING)  # orbax reports every step of every checkpoint
    keep_big_buffers()
    config = command_line.check(CONFIG.value, argv, "configs/ablation.py")
    if "ablation" not in config:
        raise UserError("--config: names no ablation. Try --config=configs/ablation.py.")
    table_only = MODE.value == "table"
    if table_only and ONLY.value:
        raise UserError("--only: a table is over all parts. Leave it out, or give another --mode.")
    if config.preset != "demo" and not config.data.path and not table_only:
        raise UserError(
            "--config.data.path: not given. Give shards, or see it small with --config=configs/ablation.py:demo."
        )
    # After the flags: --help answers at once.
    from stavis_jax.cli import compilation_cache
    from stavis_jax.experiments import ablation

    parts = ablation.plan(
        config.ablation.variants if VARIANTS.value is None else VARIANTS.value,
        config.ablation.splits if SPLITS.value is None else SPLITS.value,
    )
    mine = ablation.chosen(parts, ONLY.value) if ONLY.value else parts
    compilation_cache.enable()
    console = Console(soft_wrap=True, markup=False)
    workdir = Path(WORKDIR.value or Path("runs") / f"{config.preset}-ablation")
    failed = {} if table_only else ablation.Ablation(config, workdir, MODE.value, console).run(mine)
    if not ONLY.value and MODE.value != "train":
        ablation.collect(workdir, parts, console)
        console.print(
            f"Table: {workdir}/ablation.md, .tex, .csv, .json; report: {workdir}/report.html", highlight=False
        )
    if failed:
        (name, error), *others = failed.items()
        more = f" {len(others)} more failed: {', '.join(name for name, _ in others)}." if others else ""
        raise UserError(f"{name} failed: {error}{more} The same command goes on from here.")


if __name__ == "__main__":
    app.run(run, flags_parser=command_line.parse)
