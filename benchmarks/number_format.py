"""Measures what scoring in bfloat16 changes: the scores, and the 8-bit levels of the maps.

    python -m benchmarks.number_format WORKDIR

WORKDIR is a trained demo: python -m stavis_jax.main --config=av:demo --workdir=WORKDIR. Its test films are scored in
float32 in the fastest form, and in bfloat16 in the form for accelerators, because bfloat16 is used there.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import open_annotations
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.test_maps import read_test_maps, write_test_maps
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.prediction.model import load
from stavis_jax.scoring.aggregation import aggregate
from stavis_jax.scoring.protocol import PredictedVideo, score_videos

METRICS = ("CC", "NSS", "SIM")


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", type=Path, metavar="WORKDIR", help="working directory of the trained demo")
    workdir = parser.parse_args(argv).workdir
    data = ExperimentData(workdir / "data" / "shards", workdir / "data" / "raw")
    variants = [path.parent.name for path in sorted(workdir.glob("*/last"), reverse=True)]
    if not (data.shards.is_dir() and variants):
        raise UserError(f"{workdir}: not the working directory of a trained demo. Train one, see --help.")
    print(f"| network | {' | '.join(f'{name}, float32 | bfloat16' for name in METRICS)} | {' | '.join(LEVELS)} |")
    print(f"|---|{'---:|' * (2 * len(METRICS) + len(LEVELS))}")
    for variant in variants:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| `{variant}` | {' | '.join(row_of(workdir, variant, data, Path(folder)))} |", flush=True)


def row_of(workdir: Path, variant: str, data: ExperimentData, folder: Path) -> list[str]:
    """Returns each metric in float32 and bfloat16, and the differences of the maps."""
    exact, rounded = (
        predicted(workdir, variant, data, folder / dtype, dtype, form)
        for dtype, form in (("float32", None), ("bfloat16", BackendForm.for_platform("tpu", scoring=True)))
    )
    annotations = open_annotations(data.annotations)
    scores = [aggregate(score_videos(annotations, videos)).overall for videos in (exact, rounded)]
    columns = [f"{of[name]:.4f}" for name in METRICS for of in scores]
    return columns + level_differences(exact, rounded)


LEVELS = ("pixels of equal level", "off by 1", "off by more", "largest difference, levels", "lowest CC of two maps")


def level_differences(exact: Sequence[PredictedVideo], rounded: Sequence[PredictedVideo]) -> list[str]:
    """Returns how the 8-bit maps of two predictions differ: the values of `LEVELS`."""
    pairs = [
        (np.asarray(one.maps[frame], np.float64), np.asarray(other.maps[frame], np.float64))
        for one, other in zip(exact, rounded, strict=True)
        for frame in one.maps
    ]
    off = np.abs([one - other for one, other in pairs])
    shares = np.mean(off == 0), np.mean(off == 1), np.mean(off > 1)
    lowest = min(np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairs)
    return [*(f"{share:.2%}" for share in shares), f"{off.max():.0f}", f"{lowest:.5f}"]


def predicted(
    workdir: Path, variant: str, data: ExperimentData, folder: Path, dtype: str, form: BackendForm | None
) -> list[PredictedVideo]:
    """Returns the maps of the test films."""
    write_test_maps(load(workdir, variant, dtype=dtype, form=form), data, folder)
    return read_test_maps(folder, data.films("test"), data.split)


if __name__ == "__main__":
    main()
