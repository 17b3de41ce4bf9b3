"""Scoring: five metrics of a 640x480 frame, against pysaliency's on the same frames.

The project does not need pysaliency. Install it into an environment of its own that sees this one's packages:

    python -m venv with-pysaliency
    python -c "import site; print(site.getsitepackages()[0])" > here.pth
    cp here.pth "$(with-pysaliency/bin/python -c 'import site; print(site.getsitepackages()[0])')/here.pth"
    with-pysaliency/bin/python -m pip install pysaliency
    with-pysaliency/bin/python -m benchmarks.run --jobs scoring

Our side starts from the 8-bit 112x112 prediction: stretch, blur and bicubic resize, then CC, NSS, AUC-Judd, shuffled
AUC and SIM. pysaliency's side starts from the prepared map, because it has no preparation. Its AUCs are `general_roc`
on the fixated values against the unfixated pixels (judd=1) and against the union of the video's fixations.
"""

import functools
import math
import sys
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from benchmarks import report
from benchmarks.paired_timing import Pairs, Worker, alternate
from benchmarks.session import Session
from data_pipelines.runtime.errors import UserError

SHAPE = (480, 640)
FRAMES_PER_CALL = 8
FIXATIONS = (20, 60)  # a frame of the databases: that many people looked
FIXATIONS_OF_VIDEO = 8_000
METRICS = ("CC", "NSS", "AUC-J", "sAUC", "SIM")
NOT_INSTALLED = "pysaliency is not installed. benchmarks/jobs/scoring.py shows how to install it."

Frame = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # prediction, density, fixations, union


def ours(num_frames: int, processes: int = 1) -> Callable[[], object]:
    """Returns the metrics [num_frames, 5] of made-up frames. Each process takes an equal share of the frames."""
    from data_pipelines.runtime.processes import new_pool

    if processes == 1:
        return lambda: _score_frames(num_frames)
    pool = new_pool(processes)
    return lambda: [*pool.map(_score_frames, [num_frames // processes] * processes)]


def _score_frames(num_frames: int) -> list[list[float]]:
    return [score(*frame) for frame in frames(num_frames)]


def score(prediction: np.ndarray, density: np.ndarray, fixations: np.ndarray, union: np.ndarray) -> list[float]:
    """Returns the five metrics as `stavis_jax` computes them, from the 8-bit prediction."""
    from stavis_jax.metrics import MeasuredMap, auc_judd, cc, nss, postprocess, shuffled_auc, sim

    saliency_map, density_map = MeasuredMap(postprocess(prediction, density.shape)), MeasuredMap(density)
    return [
        cc(saliency_map, density_map),
        nss(saliency_map, fixations),
        auc_judd(saliency_map, fixations),
        shuffled_auc(saliency_map, fixations, union),
        sim(saliency_map, density_map),
    ]


def theirs(num_frames: int, processes: int = 1) -> Callable[[], object]:
    """Returns the metrics as pysaliency computes them from the prepared map, in one process."""
    if not hasattr(np, "trapz"):  # pysaliency 0.2.22 uses the name that NumPy 2.4 removed
        np.trapz = np.trapezoid
    try:
        from pysaliency.metrics import CC, NSS, SIM
        from pysaliency.roc import general_roc
    except ImportError:
        raise UserError(NOT_INSTALLED) from None
    from stavis_jax.metrics import postprocess

    def their_score(saliency_map, density, fixations, union) -> list[float]:
        rows, columns = np.nonzero(fixations)
        positives = saliency_map[rows, columns]
        return [
            CC(saliency_map, density),
            NSS(saliency_map, columns, rows).mean(),
            general_roc(positives, saliency_map[fixations == 0], judd=1)[0],
            general_roc(positives, saliency_map[(union != 0) & (fixations == 0)])[0],
            SIM(saliency_map, density),
        ]

    prepared = [
        (postprocess(prediction, SHAPE), density.astype(float), fixations, union)
        for prediction, density, fixations, union in frames(num_frames)
    ]
    return lambda: [their_score(*frame) for frame in prepared]


def preparation(num_frames: int) -> Callable[[], object]:
    """Returns our preparation alone."""
    from stavis_jax.metrics import postprocess

    made = frames(num_frames)
    return lambda: [postprocess(frame[0], SHAPE) for frame in made]


def measure(session: Session) -> dict[str, str]:
    """Returns no section, and says so, if pysaliency is not installed."""
    try:
        one, two = (_compare(session, processes * FRAMES_PER_CALL, processes) for processes in (1, 2))
    except UserError as error:
        if NOT_INSTALLED not in str(error):
            raise
        print(f"Scoring is left out: {NOT_INSTALLED}", file=sys.stderr)
        return {}
    with _worker("preparation", num_frames=FRAMES_PER_CALL) as worker:
        preparation_ms = 1e3 * worker.run(session.plan.window_seconds).seconds / FRAMES_PER_CALL
    rows = [
        ["ours in one process", *report.milliseconds(one, FRAMES_PER_CALL)],
        ["ours in two processes", *report.milliseconds(two, 2 * FRAMES_PER_CALL)],
    ]
    differences = np.abs(np.subtract(*map(np.asarray, one.first_results))).max(axis=0)
    listed = ", ".join(f"{name} {value:.1g}" for name, value in zip(METRICS, differences, strict=True))
    text = (
        "CC, NSS, AUC-Judd, shuffled AUC and SIM of a 640x480 frame, ms a frame, with OMP_NUM_THREADS=1. Ours includes "
        f"the stretch, blur and bicubic resize of the 112x112 prediction ({preparation_ms:.2f} ms a frame); pysaliency "
        "computes the metrics alone, in one process. `python -m stavis_jax.evaluate` scores with one process a core."
    )
    notes = (
        f"Largest differences of the values: {listed} (pysaliency's NSS divides by n, its shuffled AUC has all "
        "thresholds, its SIM does not stretch from the minimum; ours are the MATLAB benchmark's). The time goes into "
        "passes over 307,200 doubles, most of them AUC-Judd's. Reading the JPEG density and the .mat of fixations is "
        f"not included. {report.versions('scipy', 'pysaliency')}."
    )
    table = report.table(["", "pysaliency, ms", "ours, ms", "ratio"], rows)
    return session.section("Scoring", text, table, notes, pairs=[one])


def _worker(function: str, **arguments: int) -> Worker:
    return Worker(f"benchmarks.jobs.scoring:{function}", arguments, {"OMP_NUM_THREADS": "1"})


def _compare(session: Session, num_frames: int, processes: int) -> Pairs:
    arguments = {"num_frames": num_frames, "processes": processes}
    # Our second process would count as another program.
    quiet = {} if processes == 1 else {"quiet_cores": math.inf}
    with _worker("theirs", **arguments) as theirs, _worker("ours", **arguments) as ours:
        return alternate(theirs, ours, session.plan.rounds, session.plan.window_seconds, **quiet)


@functools.cache
def frames(num_frames: int) -> list[Frame]:
    """Returns made-up frames: gaze around a few places, and predictions that hit some of them."""
    rng = np.random.default_rng(0)
    return [_frame(rng) for _ in range(num_frames)]


def _frame(rng: np.random.Generator) -> Frame:
    centres = rng.uniform((100, 100), (380, 540), (3, 2))
    gaze = centres[rng.integers(0, 3, rng.integers(*FIXATIONS))]
    fixations = _points(rng.normal(gaze, 30))
    union = _points(rng.normal((240, 320), (80, 110), (FIXATIONS_OF_VIDEO, 2))) | fixations
    density = ndimage.gaussian_filter(fixations.astype(float), 20)
    rows, columns = np.mgrid[:112, :112]
    prediction = 0.02 * rng.random((112, 112))
    for row, column in (*centres[:2], rng.uniform((100, 100), (380, 540))) * np.divide(112, SHAPE):
        prediction += rng.random() * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / rng.uniform(50, 300))
    return _bytes(prediction), _bytes(density), fixations, union


def _points(places: np.ndarray) -> np.ndarray:
    found = np.zeros(SHAPE, np.uint8)
    found[tuple(places.round().astype(int).clip(0, np.array(SHAPE) - 1).T)] = 1
    return found


def _bytes(values: np.ndarray) -> np.ndarray:
    return (255 * values / values.max()).astype(np.uint8)
