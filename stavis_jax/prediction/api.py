"""Saliency maps of all frames of a film, as one array or one by one. A picture is a film of one frame."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_pipelines.films.film import Film, FilmFrame, open_film
from data_pipelines.films.sound import FULL_SCALE, resample
from data_pipelines.films.still import Still
from data_pipelines.inputs.resizing import ResizeFilter, ResizePicture
from stavis_jax.prediction.frame_prediction import FramePrediction
from stavis_jax.prediction.frame_stream import predict_stream
from stavis_jax.prediction.protocol import SaliencyModel
from stavis_jax.prediction.read_ahead import read_ahead

FRAMES_AHEAD = 64  # frames read in advance, 40 kB each

Advance = Callable[[int], object]  # takes the number of frames predicted since the last call


def predict_film(
    film: Film | Path | str,
    model: SaliencyModel,
    *,
    batch_size: int | None = None,
    stride: int = 1,
    resize_filter: ResizeFilter = "bicubic",
    watch: Callable[[FilmFrame], object] | None = None,
    warn: bool = True,
) -> Iterator[FramePrediction]:
    """Predicts the frames of a film one by one, in memory that does not grow with its length.

    `frame_stream.predict_stream` describes which clip and which sound belong to a frame.

    Args:
      film: path of a film file, of a folder of frames or of a picture, or a film that is open.
      model: predicts clips; see `SaliencyModel`.
      batch_size: clips per call of the model; by default 4 on a CPU, and 32 for STAViS networks on other devices; 1 for
        a picture.
      stride: frames from one call's clip to the next, at most 64; predictions in between are interpolated in time.
      resize_filter: the filter of the data that the model was trained with, "bicubic" or "nearest".
      watch: called with every frame in order, as the model sees it, in another thread and ahead of its prediction.
      warn: whether to log what is wrong with the film's pictures and sound.

    Raises:
      ValueError: `batch_size` or `stride` is not positive, or `stride` is larger than 64.
      UserError: the film is missing, cannot be read or holds no frame; or the model's maps are not finite.
    """
    film = open_film(film, stills=True) if isinstance(film, Path | str) else film
    if batch_size is None and isinstance(film, Still):
        batch_size = 1  # it has one clip
    seen = film.frames(model.size, resize_filter, warn)
    frames = read_ahead(seen if watch is None else _watched(seen, watch), FRAMES_AHEAD)
    waveform, ahead = (film.waveform(warn), film.waveform(warn=False)) if model.uses_sound else ((), ())
    return predict_stream(
        frames, waveform, film.frame_rate_hz, model, waveform_ahead=ahead, batch_size=batch_size, stride=stride
    )


def predict_video(
    path: Film | Path | str,
    model: SaliencyModel,
    *,
    batch_size: int | None = None,
    stride: int = 1,
    resize_filter: ResizeFilter = "bicubic",
) -> np.ndarray:
    """Predicts a map for every frame of a film: float32 [N, S, S] in [0, 1].

    Arguments and errors are those of `predict_film`.
    """
    predictions = predict_film(path, model, batch_size=batch_size, stride=stride, resize_filter=resize_filter)
    return np.stack([prediction.saliency for prediction in predictions])


def predict_frames(
    frames: np.ndarray,
    waveform: np.ndarray | None,
    rate_hz: float,
    fps: float,
    model: SaliencyModel,
    *,
    batch_size: int | None = None,
    stride: int = 1,
    advance: Advance = lambda num_frames: None,
) -> np.ndarray:
    """Predicts a map for every frame of a film in memory: float32 [N, S, S] in [0, 1].

    Args:
      frames: uint8 [N, H, W, 3], RGB; resized to the model's size.
      waveform: the sound from the first frame on, [num_samples] or [num_samples, channels]: PCM of any integer type, or
        float in [-256, 256), which is 256 times the usual [-1, 1); None for silence.
      rate_hz: samples of the waveform a second; resampled to 22,050.
      fps: frames a second.
      model: predicts clips; see `SaliencyModel`.
      batch_size: as in `predict_film`; all calls have the same shapes.
      stride: frames from one call's clip to the next, at most 64; maps in between are interpolated in time.
      advance: called with 1 after every frame.

    Raises:
      ValueError: there is no frame, or `fps`, `batch_size` or `stride` is not positive, or `stride` is larger than 64.
      UserError: the model's maps are not finite.
    """
    if len(frames) == 0 or not fps > 0:
        raise ValueError(f"{len(frames)} frames, {fps} frames a second: both must be positive")
    same_size = frames.shape[1:3] == (model.size, model.size)
    resize = (lambda frame: frame) if same_size else ResizePicture(model.size)
    film = (FilmFrame(resize(frame), number / fps) for number, frame in enumerate(frames))
    chunks = () if waveform is None else (resample(_mono(waveform), rate_hz),)
    saliency_maps = np.empty((len(frames), model.size, model.size), np.float32)
    for prediction in predict_stream(film, chunks, fps, model, batch_size=batch_size, stride=stride):
        saliency_maps[prediction.number - 1] = prediction.saliency
        advance(1)
    return saliency_maps


def _watched(frames: Iterator[FilmFrame], watch: Callable[[FilmFrame], object]) -> Iterator[FilmFrame]:
    for frame in frames:
        watch(frame)
        yield frame


def _mono(waveform: np.ndarray) -> np.ndarray:
    """Returns the mean of the channels, float32 [num_samples] in [-256, 256). Scales PCM from its type's range."""
    waveform = np.asarray(waveform)
    mono = waveform.mean(axis=1, dtype=np.float64) if waveform.ndim == 2 else waveform
    if waveform.dtype.kind in "iu":
        limits = np.iinfo(waveform.dtype)
        middle = (int(limits.max) + int(limits.min) + 1) / 2
        mono = (mono - middle) / (limits.max + 1 - middle) * FULL_SCALE
    return mono.astype(np.float32)
