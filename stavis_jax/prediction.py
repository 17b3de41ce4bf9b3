"""A film -> one saliency map for every frame, as an array or as files."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import av
import numpy as np

from data_pipelines.errors import UserError
from data_pipelines.transforms import ResizeFilter, ResizePicture
from data_pipelines.video_file import read_video_file, resample
from stavis_jax.frame_stream import predict_stream
from stavis_jax.reports.maps import save_maps
from stavis_jax.reports.overlays import write_overlay

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
    stride: int = 1,
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
      stride: every how many frames the network is asked; maps between are interpolated.
      advance: called with 1 after every frame.

    Raises:
      ValueError: there is no frame, or `fps`, `batch_size` or `stride` is not positive.
      UserError: the model's maps are not finite.
    """
    if len(frames) == 0:
        raise ValueError("0 frames: their number must be positive")
    same_size = frames.shape[1:3] == (model.size, model.size)
    resize = (lambda frame: frame) if same_size else ResizePicture(model.size)
    film = (_Frame(resize(frame), number / fps) for number, frame in enumerate(frames))
    chunks = () if waveform is None else (resample(waveform, rate_hz),)
    saliency_maps = np.empty((len(frames), model.size, model.size), np.float32)
    for prediction in predict_stream(film, chunks, fps, model, batch_size=batch_size, stride=stride):
        saliency_maps[prediction.number - 1] = prediction.saliency
        advance(1)
    return saliency_maps


class _Frame(NamedTuple):
    picture: np.ndarray
    seconds: float


def predict_video(
    path: Path | str, model: SaliencyModel, *, batch_size: int = 4, resize_filter: ResizeFilter = "bicubic"
) -> np.ndarray:
    """Predicts a map for every frame of a film file: float32 [N, S, S] in [0, 1].

    `resize_filter` is the one the model was trained with, "bicubic" or "nearest". A film without sound is taken as
    silent, with a warning in the log. Raises `UserError` if the file is missing, is not a film or holds no frame.
    """
    film = read_video_file(path, model.size, resize_filter)
    return predict_frames(film.frames, film.waveform, film.rate_hz, film.frame_rate_hz, model, batch_size=batch_size)


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
        film = read_video_file(path, model.size, resize_filter, advance=stage("reading", None))
        num_frames = len(film.frames)
        saliency_maps = predict_frames(
            film.frames,
            film.waveform,
            film.rate_hz,
            film.frame_rate_hz,
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
