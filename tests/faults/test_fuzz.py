"""Readers of untrusted files, given random input: each returns or raises UserError in limited time.

The examples are the same in each run (`derandomize`).
"""

import contextlib
import gzip
import json
import math
import os
import shutil
import time
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import rich.progress
import safetensors.numpy
from archive_server import pack
from bad_archives import GOOD
from bad_checkpoints import ARRAYS, INFO, rehash
from hypothesis import strategies as st
from supplies import DATABASE, copy_of, write_film

from data_pipelines.fetching import unpack
from data_pipelines.films.film import open_film
from data_pipelines.ingestion import gaze_files
from data_pipelines.raw import layout, list_files
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime import json_files
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards import reader
from stavis_jax.reports.results_reader import read_film_scores
from stavis_jax.scoring.observers import read_observers
from stavis_jax.weights.directory import read_weights
from stavis_jax.weights.pytorch_file import read_checkpoint

SLOWEST_S = 10  # for one input
EXAMPLES = int(os.environ.get("FAULTS_EXAMPLES", "100"))
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def fuzz(examples: int = EXAMPLES):
    """Returns a decorator for tests whose examples share one folder."""
    return hypothesis.settings(
        max_examples=examples,
        derandomize="FAULTS_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
    )


@contextlib.contextmanager
def returns_or_says():
    """Fails if the block raises anything but UserError, or takes too long."""
    begin = time.monotonic()
    with contextlib.suppress(UserError):
        yield
    assert time.monotonic() - begin < SLOWEST_S


@st.composite
def mutated(draw, good: bytes) -> bytes:
    """Draws a good file with a few changes: bytes overwritten, removed, repeated or inserted, or the end removed."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(1, 16))
        kind = draw(st.sampled_from(("overwrite", "number", "cut out", "repeat", "put in", "end")))
        if kind == "overwrite":
            content[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "number":  # sizes and counts lie on boundaries
            number = draw(st.sampled_from((0, 1, 127, 255, 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1)))
            content[at : at + 8] = number.to_bytes(8, draw(st.sampled_from(("little", "big"))))
        elif kind == "cut out":
            del content[at : at + length]
        elif kind == "repeat":
            content[at:at] = content[at : at + length] * draw(st.integers(1, 50))
        elif kind == "put in":
            content[at:at] = draw(st.binary(min_size=1, max_size=length))
        else:
            del content[at:]
    return bytes(content)


def bytes_like(good: bytes):
    return st.one_of(mutated(good), mutated(good), st.binary(max_size=300))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed_json(draw, good: object) -> object:
    """Draws a good JSON value with one part replaced."""
    if isinstance(good, dict | list) and good and draw(st.integers(0, 3)):
        keys = list(good) if isinstance(good, dict) else range(len(good))
        key = draw(st.sampled_from(keys))
        changed = good.copy()
        changed[key] = draw(changed_json(good[key]))
        return changed
    return draw(JSON)


def lines_below(header: str):
    """Draws tables of words and numbers below a header."""
    numbers = st.tuples(st.text(max_size=8), st.integers(-5, 10**19), st.floats(), st.floats())
    separators = st.sampled_from((" ", ",", ";", "\t"))
    rows = st.tuples(numbers, separators).map(lambda row: row[1].join(map(str, row[0])))
    lines = st.lists(st.text(max_size=30) | rows, max_size=5)
    return lines.map(lambda texts: "\n".join([header, *texts]).encode(errors="surrogatepass"))


def test_pytorch_files(supplies, tmp_path):
    torch = pytest.importorskip("torch")

    path = tmp_path / "model.pth"
    state = {"module.fuse.bias": torch.zeros(1), "module.bn1.num_batches_tracked": torch.tensor(3)}
    containers = []
    for is_zip in (True, False):
        torch.save({"epoch": 3, "arch": "resnet-10", "state_dict": state}, path, _use_new_zipfile_serialization=is_zip)
        containers.append(path.read_bytes())

    @fuzz(2 * EXAMPLES)
    @hypothesis.given(st.one_of(*map(bytes_like, containers)))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            read_checkpoint(path)

    run()


def test_arrays_of_our_weights(tmp_path, supplies):
    directory = tmp_path / "weights"
    directory.mkdir()
    (directory / INFO).write_bytes((supplies.weights / INFO).read_bytes())
    good = safetensors.numpy.save({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float32)})

    @fuzz(2 * EXAMPLES)
    @hypothesis.given(bytes_like(good))
    def run(content):
        (directory / ARRAYS).write_bytes(content)
        rehash(directory)
        with returns_or_says():
            read_weights(directory)

    run()


def test_descriptions_of_our_weights(tmp_path, supplies):
    directory = tmp_path / "weights"
    directory.mkdir()
    good = (supplies.weights / INFO).read_bytes()
    (directory / ARRAYS).write_bytes(b"")
    values = changed_json(json.loads(good)).map(lambda value: json.dumps(value).encode())

    @fuzz(2 * EXAMPLES)
    @hypothesis.given(values | bytes_like(good))
    def run(content):
        (directory / INFO).write_bytes(content)
        with returns_or_says():
            read_weights(directory)

    run()


def test_metadata_of_shards(tmp_path, supplies):
    folder = copy_of(supplies.shards, tmp_path)
    good = json.loads((folder / "metadata.json").read_text())

    @fuzz(3 * EXAMPLES)
    @hypothesis.given(changed_json(good))
    def run(content):
        (folder / "metadata.json").write_text(json.dumps(content))
        with returns_or_says():
            opened = reader.Shards(folder)
            for number, film in enumerate(opened.films):
                stored = opened.read(number, film.num_frames)
                _ = stored.image, stored.density, stored.fixations, stored.sound

    run()


def test_records_of_shards(tmp_path, supplies):
    folder = copy_of(supplies.shards, tmp_path)
    path = folder / "annotations" / "native_annotations-frames.array_record-00000-of-00003"

    @fuzz()
    @hypothesis.given(mutated(path.read_bytes()))
    def run(content):
        path.write_bytes(content)
        opened = reader.Shards(folder)
        with returns_or_says():
            for frame in (1, 9, 18):
                annotation = opened.native_annotation(0, frame)
                _ = annotation.density, annotation.fixations

    run()


def test_lists(supplies, tmp_path):
    raw = RawLayout(supplies.raw)
    path = tmp_path / "list.txt"
    good = (supplies.raw / "fold_lists" / f"{DATABASE}_list_train_fps.txt").read_bytes()

    @fuzz(3 * EXAMPLES)
    @hypothesis.given(bytes_like(good) | lines_below(""))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            for film in list_files.read_list(path, RawLayout(tmp_path), DATABASE):
                assert film.num_frames >= 1 and 0 < film.fps < math.inf and "/" not in film.name
                raw.frame_folder(DATABASE, film.name).is_dir()

    run()


def test_gaze_tables(tmp_path):
    path = tmp_path / "gaze.csv"
    good = "video;observer;time_ms;x;y;duration;valid\none;a;0;1,5;2;0,1;1\n" + 'one;"b";40;.;-;0;0\n' * 3

    @fuzz(3 * EXAMPLES)
    @hypothesis.given(bytes_like(good.encode()) | lines_below("video,frame,x,y"))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            gaze_files.read_gaze([path])

    run()


RECORDINGS = {  # file -> a small recording of each program
    "P01.asc": "** CONVERTED FROM a.edf\nMSG\t1 GAZE_COORDS 0 0 127 71\nMSG\t2 TRIALID 1\nSTART\t3 \tR\n"
    "SAMPLES\tGAZE\tRIGHT\tRATE\t500\nMSG\t3 -1 !V VFRAME 1 0 0 one.mp4\n4\t1.5\t2.5\t9\t...\n6\t.\t.\t0\t...\n"
    "EFIX R 4\t8\t4\t1.5\t2.5\t9\nEND\t9 \tSAMPLES\nMSG\t10 !V TRIAL_VAR video one.mp4\n",
    "tobii.tsv": "Recording timestamp\tEvent\tGaze point X\tGaze point Y\tPresented Media name\t"
    "Recording resolution width\tRecording resolution height\tValidity left\tValidity right\tEye movement type\n"
    "1\tVideoStimulusStart\n2\t\t1.5\t2.5\tone\t128\t72\tValid\tInvalid\tFixation\n",
    "gaze_positions_on_surface_one.csv": "gaze_timestamp,x_norm,y_norm,on_surf\n1.5,.5,.5,True\n2,,,False\n",
    "User 0_all_gaze.csv": "MEDIA_NAME,TIME(2024),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV,\none,0.1,.5,.5,0,.1,1,1,\n",
    "smi.txt": "## Subject:\tA\n## Calibration Area:\t128\t72\nTime\tType\tL POR X [px]\tL POR Y [px]\tStimulus\n"
    "1\tMSG\t# Message: one.mp4\n2\tSMP\t1.5\t2.5\tone\n",
    "jspsych.csv": 'stimulus,webgazer_data,webgazer_targets\none.mp4,"[{""x"":1,""y"":2,""t"":3}]",'
    '"{""video"":{""x"":0,""y"":0,""width"":9,""height"":9}}"\n',
    "psychopy.csv": "session_id,device_time,logged_time,time,left_gaze_x,left_gaze_y\n1,0,0,1,10.5,20.5\n",
    "diem1_one.txt": "1 10.5 20.5 900 1 11.5 21.5 900 -1\n",
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_of_trackers(tmp_path, name):
    @fuzz()
    @hypothesis.given(bytes_like(RECORDINGS[name].encode()))
    def run(content):
        (tmp_path / name).write_bytes(content)
        with returns_or_says():
            for parts in gaze_files.read_gaze([tmp_path / name]).gaze.values():
                assert all(np.isfinite(part.x).all() and (part.durations >= 0).all() for part in parts)

    (tmp_path / name).write_text(RECORDINGS[name])
    assert gaze_files.read_gaze([tmp_path / name]).gaze
    run()


def test_observers(tmp_path):
    path = tmp_path / "observers.csv"
    good = b"observer,frame,x,y\na,1,2,3\nb,2,2.5,\n"

    @fuzz()
    @hypothesis.given(bytes_like(good) | lines_below("observer,frame,x,y"))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            read_observers(path, (10, 10))

    run()


def test_results(tmp_path):
    path = tmp_path / "results.json"
    video = {"method": "a", "database": "A", "split": 1, "video": "one", "frames": 3, "CC": 0.5, "NSS": None}

    @fuzz(2 * EXAMPLES)
    @hypothesis.given(changed_json({"videos": [video, video]}))
    def run(content):
        path.write_text(json.dumps(content))
        with returns_or_says():
            read_film_scores(tmp_path)

    run()


def test_json_files(tmp_path):
    path = tmp_path / "some.json"

    @fuzz()
    @hypothesis.given(bytes_like(b'{"a": [1, 2.5, "x"], "b": {"c": null}}'))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            assert isinstance(json_files.read_object(path, "Mend it."), dict)

    run()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("video_frames/Mine/one/img_00001.jpg", layout.read_frame),
        ("annotations/Mine/one/maps/eyeMap_00001.jpg", layout.read_density),
        ("annotations/Mine/one/fixMap_00001.mat", layout.read_fixations),
        ("video_audio/Mine/one/one.wav", layout.read_sound),
        ("video_audio/Mine/one/one.wav", layout.sound_seconds),
    ],
    ids=["frame", "density", "fixations", "sound", "seconds of sound"],
)
def test_raw_files(name, read, supplies, tmp_path):
    path = tmp_path / Path(name).name

    @fuzz(2 * EXAMPLES)
    @hypothesis.given(bytes_like((supplies.raw / name).read_bytes()))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            read(path)

    run()


def test_archives(tmp_path):
    path = tmp_path / "a.tar.gz"
    bare = gzip.decompress(pack(GOOD))

    @fuzz()
    @hypothesis.given(bytes_like(bare).map(gzip.compress) | bytes_like(pack(GOOD)))
    def run(content):
        path.write_bytes(content)
        with returns_or_says(), rich.progress.Progress(disable=True) as progress:
            contents = unpack.inspect(path, r"[^/]+/img_\d+\.jpg", 1 << 24, progress)
            unpack.unpack(path, contents, tmp_path / "new", progress)
        for part in tmp_path.rglob("*"):
            assert part.resolve().is_relative_to(tmp_path)
        shutil.rmtree(tmp_path / "new", ignore_errors=True)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mp4", "avi", "matroska", "mpegts"])
def test_films(kind, tmp_path, caplog):
    """Headers have wrong sizes, rates, times and offsets. Films are decoded as far as there are pictures."""
    good = write_film(tmp_path / "good", 4, kind=kind).read_bytes()
    path = tmp_path / "film"

    @fuzz(EXAMPLES // 2)
    @hypothesis.given(mutated(good))
    def run(content):
        path.write_bytes(content)
        with returns_or_says():
            film = open_film(path)
            assert film.frame_rate_hz > 0 and any(True for _ in film.frames(8))
            assert all(np.isfinite(chunk).all() for chunk in film.waveform())

    run()
