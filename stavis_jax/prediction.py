"""A film -> one saliency map for every frame, as an array or as files."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import av
import numpy as np
from scipy.special import expit

from data_pipelines import clips
from data_pipelines.errors import UserError
from data_pipelines.film import Film, open_film
from data_pipelines.film_sound import SAMPLE_RATE_HZ, resample
from data_pipelines.transforms import ResizeFilter, ResizePicture
from stavis_jax.reports.maps import save_maps
from stavis_jax.reports.overlays import write_overlay

FRAMES_BEFORE_TARGET = 7  # the target of frames 1 to 16 is frame 8
WRITTEN = {"maps", "overlay.mp4"}

MapSize = Literal["film", "network"]
Advance = Callable[[int], object]  # called with the number of frames done since the last call
Stage = Callable[[str, int | None], Advance]  # called with a stage's name and its number of frames, if known


class SaliencyModel(Protocol):
    """What `stavis_jax.load` returns, as far as prediction needs it."""

    size: int  # of clips and maps, pixels

    def __call__(self, clip: np.ndarray, waveform: np.ndarray) -> Any:
        """Clip [B, 16, S, S, 3] minus the mean, waveform [B, 35280] -> an object with `logits` [B, S, S]."""


def predict_frames(
    frames: np.ndarray,
    waveform: np.ndarray | None,
    rate_hz: float,
    fps: float,
    model: SaliencyModel,
    *,
    batch_size: int = 4,
    advance: Advance = lambda num_frames: None,
) -> np.ndarray:
    """Predicts a map for every frame of a film: float32 [N, S, S] in [0, 1].

    The map of a frame is that of the clip from 7 frames before it to 8 after; the film's first and last frame are
    repeated where the clip reaches beyond the film. The clip's sound is that of its real frames, from half a frame
    before the first to half a frame after the last.

    Args:
      frames: uint8 [N, H, W, 3], RGB; resized if H, W differ from the model's size.
      waveform: float [num_samples] in [-256, 256), mono, starting with the first frame; None for silence.
      rate_hz: the waveform's samples a second; resampled if not 22,050.
      fps: frames a second.
      model: see `SaliencyModel`.
      batch_size: clips a call; the last batch is filled up, so that every call has the same shapes.
      advance: called with the number of frames after every batch.

    Raises:
      ValueError: there is no frame, or `fps` or `batch_size` is not positive.
      UserError: the model's maps are not finite.
    """
    if len(frames) == 0 or not fps > 0 or batch_size < 1:
        raise ValueError(f"{len(frames)} frames, {fps} frames a second, batches of {batch_size}: all must be positive")
    if frames.shape[1:3] != (model.size, model.size):
        frames = np.stack([ResizePicture(model.size)(frame) for frame in frames])
    waveform = np.zeros(0, np.float32) if waveform is None else resample(waveform, rate_hz)

    saliency_maps = np.empty((len(frames), model.size, model.size), np.float32)
    running = None  # one batch runs while the next is put together
    for start in range(0, len(frames), batch_size):
        targets = np.arange(start, start + batch_size).clip(max=len(frames) - 1)
        logits = model(*_clips_around(targets, frames, waveform, fps)).logits
        if running:
            _store(saliency_maps, *running, advance)
        running = start, logits
    _store(saliency_maps, *running, advance)
    if not np.isfinite(saliency_maps).all():
        raise UserError("checkpoint: its maps hold values that are not numbers. Give another checkpoint.")
    return saliency_maps


def predict_video(
    path: Path | str, model: SaliencyModel, *, batch_size: int = 4, resize_filter: ResizeFilter = "bicubic"
) -> np.ndarray:
    """Predicts a map for every frame of a film file: float32 [N, S, S] in [0, 1].

    `resize_filter` is the one the model was trained with, "bicubic" or "nearest". A film without sound is taken as
    silent, with a warning in the log. Raises `UserError` if the file is missing, is not a film or holds no frame.
    """
    frames, waveform, fps = _read(open_film(path), model.size, resize_filter)
    return predict_frames(frames, waveform, SAMPLE_RATE_HZ, fps, model, batch_size=batch_size)


def write_predictions(
    path: Path | str,
    folder: Path,
    model: SaliencyModel,
    *,
    batch_size: int = 4,
    resize_filter: ResizeFilter = "bicubic",
    map_size: MapSize = "film",
    overwrite: bool = False,
    stage: Stage = lambda name, num_frames: lambda done: None,
) -> int:
    """Writes folder/maps/000001.png ..., one 8-bit map a frame, and folder/overlay.mp4; returns the number of frames.

    Maps are stretched frame by frame and have the film's size or the network's (`map_size`). `folder` appears when
    all is written. Raises `UserError` if the film cannot be read, `folder` exists (unless `overwrite`), or it cannot
    be written.
    """
    check_replaceable(folder, overwrite)
    with _finished_folder(folder) as unfinished:
        film = open_film(path)
        frames, waveform, fps = _read(film, model.size, resize_filter, advance=stage("reading", film.num_frames))
        num_frames = len(frames)
        saliency_maps = predict_frames(
            frames,
            waveform,
            SAMPLE_RATE_HZ,
            fps,
            model,
            batch_size=batch_size,
            advance=stage("predicting", num_frames),
        )
        size = (film.width, film.height) if map_size == "film" else None
        save_maps(unfinished / "maps", saliency_maps, size, advance=stage("maps", num_frames))
        write_overlay(path, saliency_maps, unfinished / "overlay.mp4", advance=stage("overlay", num_frames))
    return num_frames


def output_folders(films: Sequence[Path], output: Path) -> list[Path]:
    """Returns the folder of each film, output/<name without suffix>. Raises `UserError` if two films share one."""
    folders = {}
    for film in films:
        other = folders.setdefault(film.stem.casefold(), film)  # some file systems do not tell A from a
        if other is not film:
            raise UserError(f"{film}: its maps would go where those of {other} go. Predict them to different --output.")
    return [output / film.stem for film in films]


def check_replaceable(folder: Path, overwrite: bool) -> None:
    """Raises `UserError` if `folder` exists, unless it may be overwritten and holds nothing but a prediction."""
    if not folder.exists():
        return
    if not overwrite:
        raise UserError(f"{folder}: exists already. Give --overwrite to replace it, or another --output.")
    if not folder.is_dir() or {entry.name for entry in folder.iterdir()} - WRITTEN:
        raise UserError(f"{folder}: is not a prediction, so it is not overwritten. Give another --output.")


def _read(
    film: Film, size: int, resize_filter: ResizeFilter, advance: Advance = lambda num_frames: None
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Returns a film's frames uint8 [N, S, S, 3], its waveform (None for silence) and its average frames a second."""
    frames = []
    for frame in film.frames(size, resize_filter):
        frames.append(frame)
        advance(1)
    chunks = list(film.waveform())
    fps = (len(frames) - 1) / frames[-1].seconds if len(frames) > 1 else film.frame_rate_hz
    return np.stack([frame.picture for frame in frames]), np.concatenate(chunks) if chunks else None, fps


@contextlib.contextmanager
def _finished_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `folder`, which takes its place if all goes well and vanishes if not."""
    unfinished = folder.with_name(f".{folder.name}-unfinished-{os.getpid()}")
    is_new_output = not folder.parent.exists()
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except (OSError, av.FFmpegError) as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}). Give another --output.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if is_new_output:
            with contextlib.suppress(OSError):  # holds a finished folder
                folder.parent.rmdir()


def _clips_around(
    targets: np.ndarray, frames: np.ndarray, waveform: np.ndarray, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the clips [B, 16, S, S, 3] minus the mean and waveforms [B, 35280] of target frames, counted from 0."""
    window = np.arange(clips.CLIP_FRAMES) - FRAMES_BEFORE_TARGET
    indices = (targets[:, None] + window).clip(0, len(frames) - 1)  # [B, 16]
    waveforms = [_sound(waveform, first + 1, last + 1, fps) for first, last in indices[:, [0, -1]]]
    return clips.subtract_mean(frames[indices]), np.stack(waveforms)


def _sound(waveform: np.ndarray, first: int, last: int, fps: float) -> np.ndarray:
    """Returns the sound of frames `first` to `last`, counted from 1: float32 [35280], windowed and centred."""
    begin, _ = clips.sound_limits(first, fps, SAMPLE_RATE_HZ, len(waveform))
    _, end = clips.sound_limits(last, fps, SAMPLE_RATE_HZ, len(waveform))
    return clips.waveform(waveform[begin : end + 1])


def _store(saliency_maps: np.ndarray, start: int, logits: Any, advance: Advance) -> None:
    batch = saliency_maps[start : start + len(logits)]
    batch[:] = expit(np.asarray(logits, np.float32)[: len(batch)])
    advance(len(batch))
