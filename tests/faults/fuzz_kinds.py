"""Kinds of untrusted files: small good ones, and what reads them.

A kind is a function of a new folder. It returns a function that reads the file, and one that writes it anew, damaged.
"""

import dataclasses
import functools
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import grain
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from absl import flags
from bad_checkpoints import rehash
from PIL import Image
from supplies import DATABASE, Supplies, write_film

from data_pipelines.films.film import open_film
from data_pipelines.ingestion import gaze_files
from data_pipelines.raw import layout, list_files
from data_pipelines.raw.gaze_maps import save_fixations
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.json_files import read_object
from data_pipelines.shards.reader import Shards
from stavis_jax.checking.finding import Finding
from stavis_jax.checking.recognize import check_path
from stavis_jax.checking.run import check_journal
from stavis_jax.maps.regions import read_regions
from stavis_jax.outputs.folder import film_size_of, is_done
from stavis_jax.reports.results_reader import read_film_scores
from stavis_jax.training.checkpointing.checkpoints import Checkpoints
from stavis_jax.training.progress import Progress
from stavis_jax.training.sound_watch import warning_of
from stavis_jax.watch import beats
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.run_status import run_status
from stavis_jax.watch.status_text import status_lines
from stavis_jax.weights.directory import read_weights
from stavis_jax.weights.pytorch_weights import read_pytorch_weights

Change = Callable[[bytes], bytes]
Kind = tuple[Callable[[], None], Callable[[Change, random.Random], Path]]
FILM_KINDS = {"mp4": "mp4", "avi": "avi", "mkv": "matroska", "ts": "mpegts"}


def check(path: Path) -> None:
    """Runs the command's check. Raises UserError if it finds damage."""
    findings: list[Finding] = list(check_path(path))
    assert findings, "a line at least"
    if bad := [finding for finding in findings if finding.state != "ok"]:
        raise UserError(bad[0].line)


def one_file(path: Path, goods: Sequence[bytes], read: Callable[[], None]) -> Kind:
    def spoil(change: Change, draw: random.Random) -> Path:
        path.write_bytes(change(draw.choice(goods)))
        return path

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(goods[0])
    return read, spoil


def file_of_folder(good: Path, folder: Path, names: Sequence[str], read: Callable[[], None]) -> Kind:
    """Damages one file of a folder at a time. `names`: patterns of the files."""
    files = sorted({path for name in names for path in good.rglob(name) if path.is_file()})
    before: list[Path] = []

    def spoil(change: Change, draw: random.Random) -> Path:
        for path in before:  # whole again
            (folder / path).write_bytes((good / path).read_bytes())
        path = draw.choice(files)
        before[:] = [path.relative_to(good)]
        (folder / before[0]).write_bytes(change(path.read_bytes()))
        return folder / before[0]

    shutil.copytree(good, folder)
    return read, spoil


def checkpoints(folder: Path) -> Kind:
    """Both restores: the training's, which passes over a damaged one, and the check's."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    good, place = folder / "good", folder / "run" / "checkpoints"

    def numbers():
        return iter(grain.MapDataset.range(100).to_iter_dataset())

    def state_at(step: int):
        return {"w": jnp.arange(400, dtype=jnp.float32).reshape(20, 20) + step, "step": jnp.int32(step)}

    batches = numbers()
    with Checkpoints(good) as written:
        for step in (1, 2):
            next(batches)
            written.save(step, state_at(step), batches, Progress({}, epoch=step))

    def spoil(change: Change, draw: random.Random) -> Path:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(good, place)
        path = draw.choice(sorted(path for path in (place / "2").rglob("*") if path.is_file()))
        path.write_bytes(change(path.read_bytes()))
        return place

    def read() -> None:
        findings = list(check_path(place))
        with Checkpoints(place) as opened:
            state, progress = opened.restore(state_at(0), numbers())
        step = int(state["step"])
        assert np.array_equal(state["w"], state_at(step)["w"]) and progress.epoch == step, "no silent change"
        if step == 1:
            raise UserError("passed over")
        assert findings

    shutil.copytree(good, place)
    return read, spoil


def weights_arrays(folder: Path) -> Kind:
    directory = Supplies(folder).weights
    read, spoil = one_file(
        directory / "weights.safetensors",
        [(directory / "weights.safetensors").read_bytes()[:2000], _small_arrays()],
        lambda: check(directory),
    )

    def spoil_and_rehash(change: Change, draw: random.Random) -> Path:
        path = spoil(change, draw)
        rehash(directory)
        return path

    return read, spoil_and_rehash


def weights_description(folder: Path) -> Kind:
    directory = Supplies(folder).weights
    return one_file(directory / "stavis.json", [(directory / "stavis.json").read_bytes()], lambda: _read(directory))


def _read(directory: Path) -> None:
    read_weights(directory)


def _small_arrays() -> bytes:
    return safetensors.numpy.save({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float16)})


def pth(folder: Path) -> Kind:
    import torch

    state = {"module.fuse.bias": torch.zeros(1), "module.bn1.num_batches_tracked": torch.tensor(3)}
    path, goods = folder / "model.pth", []
    for is_zip in (True, False):
        torch.save({"epoch": 3, "arch": "resnet-10", "state_dict": state}, path, _use_new_zipfile_serialization=is_zip)
        goods.append(path.read_bytes())
    return one_file(path, goods, lambda: _read_foreign(path))


def safetensors_file(folder: Path) -> Kind:
    state = {"module.score_dsn.weight": np.zeros((1, 2), np.float32), "module.layer1.0.conv1.weight": np.zeros(3)}
    path = folder / "model.safetensors"
    return one_file(path, [safetensors.numpy.save(state), _small_arrays()], lambda: _read_foreign(path))


def safetensors_index(folder: Path) -> Kind:
    (folder / "one.safetensors").write_bytes(_small_arrays())
    good = json.dumps({"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}).encode()
    path = folder / "model.safetensors.index.json"
    return one_file(path, [good], lambda: _read_foreign(path))


def npy(folder: Path) -> Kind:
    path = folder / "sound8.npy"
    layer = {"weights": np.zeros((4, 1, 1, 2), np.float32), "biases": np.zeros(2, np.float32)}
    goods = []
    for value in ({"conv1": layer}, {b"conv1": {b"weights": np.zeros(3)}}):
        np.save(path, np.array(value, dtype=object), allow_pickle=True)
        goods.append(path.read_bytes())
    return one_file(path, goods, lambda: _read_foreign(path))


def _read_foreign(path: Path) -> None:
    read_pytorch_weights(path)


def fold_lists(folder: Path) -> Kind:
    path = folder / "list.txt"
    (folder / "video_frames").mkdir()

    def read() -> None:
        for film in list_files.read_list(path, RawLayout(folder), DATABASE):
            assert film.num_frames >= 1 and film.fps > 0 and "/" not in film.name

    return one_file(path, [b"one 18 10\ntwo 18 10\n", b"a_b 300 29.97\r\n# x\n\nc 20 25,5\n"], read)


def gaze_tables(folder: Path) -> Kind:
    path = folder / "gaze.csv"
    goods = [
        b"video;observer;time_ms;x;y;duration;valid\none;a;0;1,5;2;0,1;1\n" + b'one;"b";40;.;-;0;0\n' * 3,
        b"video,frame,x,y\none,1,2,3\none,2,2.5,4\n",
        b"picture\tobserver\tx\ty\np1\t1\t0.5\t0.5\n",
    ]
    return one_file(path, goods, lambda: _read_gaze(path))


def _read_gaze(path: Path) -> None:
    for parts in gaze_files.read_gaze([path]).gaze.values():
        assert all(np.isfinite(part.x).all() and (part.durations >= 0).all() for part in parts)


def wav(folder: Path) -> Kind:
    good = next((Supplies(folder).raw / "video_audio").rglob("*.wav"))
    path = folder / "sound.wav"

    def read() -> None:
        samples, _ = layout.read_sound(path)
        assert np.isfinite(samples).all()
        layout.sound_seconds(path)

    return one_file(path, [good.read_bytes()], read)


def fixation_maps(folder: Path) -> Kind:
    path, goods = folder / "map.mat", []
    for fixations in (np.eye(9, 12), np.zeros((300, 400))):
        save_fixations(path, fixations > 0)
        goods.append(path.read_bytes())
    return one_file(path, goods, lambda: _read_map(layout.read_fixations(path)))


def pictures(folder: Path) -> Kind:
    path, goods = folder / "picture.png", []
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
    for form in ("PNG", "JPEG"):
        noise.save(path, form)
        goods.append(path.read_bytes())

    def read() -> None:
        _read_map(layout.read_density(path))
        assert layout.read_frame(path).ndim == 3

    return one_file(path, goods, read)


def _read_map(values: np.ndarray) -> None:
    assert values.ndim == 2 and np.isfinite(values).all()


def film(kind: str, folder: Path) -> Kind:
    good = write_film(folder / f"good.{kind}", 4, kind=FILM_KINDS[kind]).read_bytes()
    path = folder / f"film.{kind}"

    def read() -> None:
        opened = open_film(path)
        assert opened.frame_rate_hz > 0 and any(True for _ in opened.frames(8))
        assert all(np.isfinite(chunk).all() for chunk in opened.waveform())

    return one_file(path, [good], read)


def webm(folder: Path) -> Kind:
    import made_films

    path = folder / "film.webm"
    tone = (9999 * np.sin(np.arange(4800) / 5)).astype(np.int16)[None]
    how = {"codec": "libvpx", "pix_fmt": "yuv420p", "sound_codec": "libopus", "rate_hz": 48000}
    good = made_films.write_film(path, made_films.noise_pictures(4), [(0, tone)], **how).read_bytes()
    read, spoil = film("mkv", folder)
    return read, lambda change, draw: spoil(lambda _: change(good), draw)


def shard_descriptions(folder: Path) -> Kind:
    good, place = Supplies(folder).shards, folder / "copy"

    def read() -> None:
        _read_frames(place)
        check(place)

    return file_of_folder(good, place, ("metadata.json", "dataset_info.json", "features.json"), read)


def _read_frames(folder: Path) -> None:
    shards = Shards(folder)
    for number, stored in enumerate(shards.films):
        for one in (1, stored.num_frames):
            frame = shards.read(number, one)
            _ = frame.image, frame.density, frame.fixations, frame.sound


def shard_records(folder: Path) -> Kind:
    good, place = Supplies(folder).shards, folder / "copy"

    def read() -> None:
        try:
            _read_frames(place)
        finally:
            check(place)

    return file_of_folder(good, place, ("*.array_record*",), read)


def prediction_settings(folder: Path) -> Kind:
    place, settings = folder / "film", {"film": "film.mp4", "variant": "visual", "stride": 1, "outputs": ["maps"]}
    good = json.dumps({"settings": settings, "frames": 3, "film size in pixels": [64, 48]}).encode()

    def read() -> None:
        size = film_size_of(place)
        assert size is None or min(size) > 0
        is_done(place, settings, overwrite=False)

    return one_file(place / "prediction.json", [good], read)


def journal(folder: Path) -> Kind:
    row = {"epoch": 1, "loss": 0.5, "validation_loss": 0.4, "sound_effect": 0.1, "active_units": 3.0}
    path = folder / "metrics.jsonl"

    def read() -> None:
        warning_of(folder)
        if (finding := check_journal(path)).state != "ok":
            raise UserError(finding.line)

    return one_file(path, [(json.dumps(row) + "\n" + json.dumps(row | {"epoch": 2}) + "\n").encode()], read)


def results(folder: Path) -> Kind:
    video = {"method": "a", "database": "A", "split": 1, "video": "one", "frames": 3, "CC": 0.5, "NSS": None}
    path = folder / "results.json"
    good = json.dumps({"methods": {"a": {}}, "videos": [video, video | {"video": "two"}]}).encode()
    return one_file(path, [good], lambda: _read_scores(path))


def _read_scores(path: Path) -> None:
    read_film_scores(path)


def status_of_a_run(folder: Path) -> Kind:
    """Reads the settings, heartbeats and metrics of a run, as `python -m stavis_jax.status` does."""
    good = folder / "good"
    live = {"stage": "visual", "step": 3, "steps": 9, "first_step": 1, "seconds": 9.0, "first_seconds": 2.0}
    (good / beats.FOLDER).mkdir(parents=True)
    dataclasses.replace(Beat.first(0, 1), doing="training", training=live).write(good / beats.FOLDER)
    (good / "visual" / "checkpoints" / "3").mkdir(parents=True)
    (good / "visual" / "metrics.jsonl").write_text('{"epoch": 1, "loss": 0.5, "validation_loss": 0.4}\n' * 2)
    stage = {"epochs": 3, "batch_size": 2}
    (good / "config.json").write_text(json.dumps({"model": {"variant": "visual"}, "stages": {"visual": stage}}))
    place = folder / "run"

    def read() -> None:
        assert status_lines(run_status(place))

    return file_of_folder(good, place, ("*.json", "*.jsonl"), read)


def regions(folder: Path) -> Kind:
    path = folder / "boxes.json"
    moving = {"keyframes": [{"seconds": 0, "box": [0, 0, 0.5, 1]}, {"seconds": 4.5, "box": [0.1, 0, 0.5, 1]}]}
    left = {"box": [0, 0, 0.5, 1], "from": 1, "until": 3}
    good = json.dumps({"unit": "share", "regions": {"left": left, "moving": moving}}).encode()

    def read() -> None:
        read_regions(path).in_shares((64, 48))

    return one_file(path, [good], read)


def salicon(folder: Path) -> Kind:
    path = folder / "salicon.json"
    images = [{"id": 1, "file_name": "one.jpg"}]
    annotations = [{"image_id": 1, "worker_id": 2, "fixations": [[1, 2], [3, 4]]}]
    return one_file(
        path, [json.dumps({"images": images, "annotations": annotations}).encode()], lambda: _read_gaze(path)
    )


def run_settings(folder: Path) -> Kind:
    path = folder / "config.json"
    good = json.dumps({"model": {"depth": 10, "variant": "visual"}, "stages": {"visual": {"rate": 1e-3}}}).encode()
    return one_file(path, [good], lambda: _read_object(path))


def _read_object(path: Path) -> None:
    read_object(path, "Mend it.")


KINDS: dict[str, Callable[[Path], Kind]] = {
    "checkpoints": checkpoints,
    "weights.safetensors": weights_arrays,
    "stavis.json": weights_description,
    "pth": pth,
    "safetensors": safetensors_file,
    "safetensors-index": safetensors_index,
    "npy": npy,
    "fold-lists": fold_lists,
    "gaze-tables": gaze_tables,
    "mat": fixation_maps,
    "pictures": pictures,
    "wav": wav,
    **{kind: functools.partial(film, kind) for kind in FILM_KINDS},
    "webm": webm,
    "shard-descriptions": shard_descriptions,
    "shard-records": shard_records,
    "prediction.json": prediction_settings,
    "metrics.jsonl": journal,
    "results.json": results,
    "config.json": run_settings,
    "status": status_of_a_run,
    "regions": regions,
    "salicon": salicon,
}
