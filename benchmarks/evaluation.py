"""Scoring a frame of 640x480: the five metrics here, preparation included, against pysaliency's on the same frames.

    python -m benchmarks.evaluation [--write docs/benchmarks.md]

pysaliency is not needed by the project; it goes into an environment of its own that sees this one's packages:

    python -m venv with-pysaliency
    python -c "import site; print(site.getsitepackages()[0])" > here.pth
    cp here.pth "$(with-pysaliency/bin/python -c 'import site; print(site.getsitepackages()[0])')/here.pth"
    with-pysaliency/bin/python -m pip install pysaliency
    with-pysaliency/bin/python -m benchmarks.evaluation

Ours starts from the 112x112 8-bit prediction: stretch, blur, bicubic resize, then CC, NSS, AUC-Judd, shuffled AUC, SIM.
pysaliency gets the prepared map: its side has no preparation in it. Its AUCs are `general_roc` on the fixated values
against the unfixated pixels (judd=1) and against the union of the video's fixations; the exact values of ours and the
all-threshold ones of its shuffled AUC differ by a hundredth, which is printed.
"""

import argparse
import concurrent.futures
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks import report
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.metrics import auc_judd, cc, nss, postprocess, shuffled_auc, sim
from stavis_jax.scoring.frame_scores import METRICS

TITLE = "Scoring"
SHAPE = (480, 640)
NUM_FRAMES = 8
FIXATIONS = (20, 60)  # a frame of the databases: that many people looked
FIXATIONS_OF_VIDEO = 8_000

Frame = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # prediction, density, fixations, union


def frames(seed: int = 0) -> list[Frame]:
    """Made-up frames: gaze around a few places, predictions that are right in some."""
    rng = np.random.default_rng(seed)
    return [_frame(rng) for _ in range(NUM_FRAMES)]


def _frame(rng: np.random.Generator) -> Frame:
    centres = rng.uniform((100, 100), (380, 540), (3, 2))
    count = rng.integers(*FIXATIONS)
    fixations = _points(centres[rng.integers(0, 3, count)] + rng.normal(0, 30, (count, 2)))
    density = ndimage.gaussian_filter(fixations.astype(float), 20)
    union = _points(rng.normal((240, 320), (80, 110), (FIXATIONS_OF_VIDEO, 2))) | fixations
    prediction = np.zeros((112, 112))
    rows, columns = np.mgrid[:112, :112]
    for centre in (*centres[:2], rng.uniform((100, 100), (380, 540))):
        row, column = centre * 112 / SHAPE
        prediction += rng.random() * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / rng.uniform(50, 300))
    prediction += 0.02 * rng.random((112, 112))
    return (255 * prediction / prediction.max()).astype(np.uint8), _bytes(density), fixations, union


def _points(places: np.ndarray) -> np.ndarray:
    found = np.zeros(SHAPE, np.uint8)
    rows, columns = places.round().astype(int).clip(0, np.array(SHAPE) - 1).T
    found[rows, columns] = 1
    return found


def _bytes(values: np.ndarray) -> np.ndarray:
    return (255 * values / values.max()).astype(np.uint8)


def ours(prediction: np.ndarray, density: np.ndarray, fixations: np.ndarray, union: np.ndarray) -> dict[str, float]:
    """The five metrics by the project, from the 8-bit prediction."""
    saliency_map = postprocess(prediction, density.shape)
    return {
        "CC": cc(saliency_map, density),
        "NSS": nss(saliency_map, fixations),
        "AUC-J": auc_judd(saliency_map, fixations),
        "sAUC": shuffled_auc(saliency_map, fixations, union),
        "SIM": sim(saliency_map, density),
    }


def theirs(saliency_map: np.ndarray, density: np.ndarray, fixations: np.ndarray, union: np.ndarray) -> dict[str, float]:
    """The five metrics by pysaliency."""
    if not hasattr(np, "trapz"):  # pysaliency 0.2.22 asks for it, NumPy 2.4 calls it otherwise
        np.trapz = np.trapezoid
    from pysaliency.metrics import CC, NSS, SIM
    from pysaliency.roc import general_roc

    rows, columns = np.nonzero(fixations)
    positives = saliency_map[rows, columns]
    others = saliency_map[(union != 0) & (fixations == 0)]
    density = density.astype(float)
    return {
        "CC": CC(saliency_map, density),
        "NSS": NSS(saliency_map, columns, rows).mean(),
        "AUC-J": general_roc(positives, saliency_map[fixations == 0], judd=1)[0],
        "sAUC": general_roc(positives, others)[0],
        "SIM": SIM(saliency_map, density),
    }


def _seconds(function: Callable[..., object], arguments: Sequence[tuple]) -> float:
    """Of this thread's CPU time: both sides run in one, and other programs' shares of the machine are left out."""
    begin = time.thread_time()
    for of_frame in arguments:
        function(*of_frame)
    return (time.thread_time() - begin) / len(arguments)


def _score_many(rounds: int) -> int:
    """A worker's share: the frames, so many times over."""
    made = frames()
    for _ in range(rounds):
        for frame in made:
            ours(*frame)
    return rounds * len(made)


def _processes_gain(num_processes: int, rounds: int) -> float:
    """Frames a second of so many processes at once over those of one; the start of the processes left out."""
    with concurrent.futures.ProcessPoolExecutor(num_processes, multiprocessing.get_context("spawn")) as executor:
        rates = []
        for count in (1, num_processes):
            list(executor.map(_score_many, [1] * num_processes))  # all started and warm
            begin = time.perf_counter()
            done = sum(executor.map(_score_many, [rounds] * count))
            rates.append(done / (time.perf_counter() - begin))
    return rates[1] / rates[0]


def measure(rounds: int) -> dict[str, float]:
    """Median seconds a frame of both sides and of our preparation, the median ratio of the rounds, the two cores' gain.

    Raises UserError if pysaliency is not installed.
    """
    load = report.load()
    made = frames()
    prepared = [(postprocess(frame[0], SHAPE), *frame[1:]) for frame in made]
    try:
        differences = [
            [abs(ours(*frame)[m] - theirs(*ready)[m]) for m in METRICS]
            for frame, ready in zip(made, prepared, strict=True)
        ]
    except ImportError as error:
        raise UserError(f"pysaliency: not installed here ({error}). python -m benchmarks.evaluation --help.") from None
    own, others, preparation = [], [], []
    for _ in range(rounds):
        own.append(_seconds(ours, made))
        others.append(_seconds(theirs, prepared))
        preparation.append(_seconds(lambda prediction, *_: postprocess(prediction, SHAPE), made))
    return {
        "load": load,
        "ours": statistics.median(own),
        "theirs": statistics.median(others),
        "preparation": statistics.median(preparation),
        "ratio": statistics.median(b / a for a, b in zip(own, others, strict=True)),
        "two processes": _processes_gain(2, rounds),
        **{f"difference {m}": max(column) for m, column in zip(METRICS, zip(*differences, strict=True), strict=True)},
    }


def section(found: dict[str, float]) -> str:
    gain = found["two processes"]
    rows = [
        ["pysaliency, metrics only", f"{1e3 * found['theirs']:.1f}", f"{1 / found['theirs']:.0f}", "1.0"],
        ["ours, one process", f"{1e3 * found['ours']:.1f}", f"{1 / found['ours']:.0f}", f"{found['ratio']:.1f}"],
        ["ours, two processes", "", f"{gain / found['ours']:.0f}", f"{gain * found['ratio']:.1f}"],
    ]
    differences = ", ".join(f"{metric} {found[f'difference {metric}']:.1g}" for metric in METRICS)
    return f"""CC, NSS, AUC-Judd, shuffled AUC and SIM of a 640x480 frame: `python -m benchmarks.evaluation`, with
OMP_NUM_THREADS=1. Ours includes the stretch, blur and bicubic resize of the 112x112 prediction
({1e3 * found["preparation"]:.2f} ms a frame), theirs is the metrics alone. CPU time, median of the rounds, both sides
in turn. `python -m stavis_jax.evaluate` scores with one process a core, pysaliency with one; what two gain is of wall
time, and needs two idle cores to be seen.

{report.table(["", "ms a frame", "frames/s", "ratio"], rows)}

Largest differences of the values: {differences}
(its NSS divides by n, its shuffled AUC has all thresholds, its SIM does not stretch from the minimum; ours are the
MATLAB benchmark's). What bounds it: passes over 307,200 doubles, of
which AUC-Judd has the most (ranks, buckets, comparison of pixels near a fixated value). Reading the JPEG density and
the .mat of fixations is not in it.

{report.machine("numpy", "scipy", "pysaliency", load=found["load"])}."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=15, help="times both sides score the frames (default: 15)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="Markdown file whose section is replaced")
    args = parser.parse_args(argv)
    if args.rounds < 1:
        raise UserError(f"--rounds {args.rounds}: expected 1 or more.")
    text = section(measure(args.rounds))
    print(text)
    if args.write:
        report.write_section(args.write, TITLE, text)


if __name__ == "__main__":
    main()
