"""The demo, run as in the README's first command: its table, its files, and what the trained network has learned."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import stavis_jax
from data_pipelines import open_clips
from data_pipelines.inputs.windows import CLIP_FRAMES
from data_pipelines.prepare import prepare
from data_pipelines.synthesize import synthesize
from data_pipelines.synthetic.plan import film_plan
from stavis_jax.configs import av

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.full_optimization, pytest.mark.start_first]
UNSEEN_FILMS, UNSEEN_FRAMES = 180, 40
METRICS = {"CC", "NSS", "AUC-J", "sAUC", "SIM"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Runs the demo, without a data path. Returns the working directory and the printed lines."""
    workdir = tmp_path_factory.mktemp("demo") / "run"
    command = [sys.executable, "-m", "stavis_jax.main", "--config=configs/av.py", f"--workdir={workdir}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return workdir, done.stdout.strip().splitlines()


@pytest.fixture(scope="module")
def scores(demo):
    return json.loads((demo[0] / "results.json").read_text())["methods"]


def test_the_demo_says_what_it_is_and_the_way_to_the_real_thing_in_its_first_and_last_lines(demo):
    for line in (demo[1][0], demo[1][-1]):
        for words in ("demo preset", "data_pipelines.fetch", "data_pipelines.prepare", "--config.data.path=SHARDS"):
            assert words in line


def test_sound_helps_by_a_wide_margin_and_both_beat_the_centre_bias(scores):
    assert scores.keys() == {"center-bias", "visual", "l3mul-s3"}
    assert all(values.keys() >= METRICS for values in scores.values())
    assert scores["l3mul-s3"]["CC"] >= scores["visual"]["CC"] + 0.10
    for metric in METRICS - {"sAUC"}:  # whose negatives are centre-biased themselves
        assert scores["visual"][metric] > scores["center-bias"][metric]
        assert scores["l3mul-s3"][metric] > scores["visual"][metric]


def test_the_demo_writes_a_map_for_every_test_window_and_a_comparison_picture(demo):
    workdir, _ = demo
    frames = av.get_config("demo").demo.frames
    for variant in ("visual", "l3mul-s3"):
        films = sorted((workdir / "maps" / variant / "split1_results" / "Synthetic").iterdir())
        assert len(films) == 12
        for film in films:
            names = [path.name for path in sorted(film.iterdir())]
            assert names == [f"pred_sal_{number:06d}.png" for number in range(9, frames + 8)]
    assert (workdir / "comparison.png").stat().st_size > 10_000


def test_a_second_run_trains_nothing_anew(demo):
    workdir, _ = demo
    before = (workdir / "l3mul-s3" / "metrics.jsonl").read_text()
    command = [
        sys.executable,
        "-m",
        "stavis_jax.main",
        "--config=configs/av.py:demo",
        f"--workdir={workdir}",
        "--mode=train",
    ]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert (workdir / "l3mul-s3" / "metrics.jsonl").read_text() == before


@pytest.fixture(scope="module")
def unseen_clips(tmp_path_factory):
    """Returns clips of films with another seed than the demo's, which no network has seen."""
    folder = tmp_path_factory.mktemp("unseen")
    synthesize(folder / "raw", num_train_films=2, num_test_films=UNSEEN_FILMS, num_frames=UNSEEN_FRAMES, seed=1)
    prepare(folder / "raw", folder / "shards", size=av.get_config("demo").demo.size)
    return open_clips(folder / "shards", "test", 1, "test")


def test_maps_move_to_the_other_object_when_two_films_swap_their_sound(demo, unseen_clips):
    """Takes two unseen films with the same two kinds of object, at times when a different kind sounds in each.

    Only one clip per film, since clips of one film overlap.
    """
    model = stavis_jax.load(demo[0])
    assert model.variant == "l3mul-s3"
    own, swapped = [], []
    for film, other, start in swappable(unseen_clips):
        here, there = (unseen_clips[index_of(unseen_clips, plan.name, start)] for plan in (film, other))
        for waveform, result in ((here["waveform"], own), (there["waveform"], swapped)):
            logits = model.saliency_logits(here["clip"][None], waveform[None])[0]
            result.append(preference(np.asarray(jax.nn.sigmoid(logits)), film, int(here["target_frame"]) - 1))
    own, swapped = np.array(own), np.array(swapped)
    assert len(own) > 100
    assert np.mean(own > swapped) >= 0.9  # nearly every map moves away from the object that fell silent
    assert np.mean(own > 0) >= 0.7  # most are at the object that sounds in the film itself
    assert np.mean(swapped < 0) >= 0.7  # and at the other one with the other film's sound
    assert np.mean(own) > 0.2
    assert np.mean(swapped) < -0.2


def swappable(clips):
    """Yields (film, other, first frame from 0) where one kind sounds over a clip of each film, and the kinds differ."""
    tested = {clips.films[clips.film_index(i)].name for i in range(len(clips))}
    plans = [film_plan(1, number, num_frames=UNSEEN_FRAMES) for number in range(1, UNSEEN_FILMS + 3)]
    plans = [plan for plan in plans if plan.name in tested and len(plan.kinds) == 2]
    for film in plans:
        fitting = (
            (film, other, start)
            for start, other in itertools.product(range(UNSEEN_FRAMES - CLIP_FRAMES), plans)
            if set(film.kinds) == set(other.kinds)
            and None not in (heard := (kind_heard(film, start), kind_heard(other, start)))
            and heard[0] != heard[1]
        )
        yield from itertools.islice(fitting, 1)


def kind_heard(plan, start: int) -> str | None:
    """Returns the kind of object that sounds all through a clip, or None."""
    kinds = {plan.kinds[i] for i in plan.schedule[start : start + CLIP_FRAMES]}
    return kinds.pop() if len(kinds) == 1 else None


def index_of(clips, video: str, start: int) -> int:
    """Returns the index of the test window of a film that starts at frame `start` (from 0)."""
    films = [film.name for film in clips.films]
    return next(i for i in range(len(clips)) if films[clips.film_index(i)] == video and clips.frames(i)[0] == start + 1)


def preference(saliency: np.ndarray, plan, frame: int) -> float:
    """Returns 1 if all saliency near the objects is at the one that sounds in the film itself, -1 if at the other."""
    height, width = saliency.shape
    rows, columns = np.mgrid[:height, :width]
    near = []
    for (x, y), radius in zip(plan.trajectories[frame], plan.radii, strict=True):
        scaled_x, scaled_y = x * width / plan.frame_size[0], y * height / plan.frame_size[1]
        scaled_radius = radius * height / plan.frame_size[1]
        near.append(saliency[np.hypot(rows - scaled_y, columns - scaled_x) < scaled_radius].mean())
    sounding = plan.schedule[frame]
    return float((near[sounding] - near[1 - sounding]) / (near[0] + near[1]))
