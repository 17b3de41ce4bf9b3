"""The sound of long clips, as slide shows and films with gaps have."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from made_models import MadeModel

from data_pipelines.films.film import FilmFrame
from data_pipelines.inputs import windows
from stavis_jax.prediction import sound_buffer
from stavis_jax.prediction.frame_stream import predict_stream

RATE_HZ, SIZE = 22_050, 8


class Loudness(MadeModel):
    """Predicts higher saliency for louder clips."""

    size = SIZE

    def logits(self, clip, waveform):
        loudness = np.abs(waveform).max(axis=1) / 100
        return clip.mean(axis=(1, 4)) * 0 + loudness[:, None, None]


def chunks(sound: np.ndarray) -> Iterator[np.ndarray]:
    return (sound[begin : begin + 5_000] for begin in range(0, len(sound), 5_000))


@pytest.mark.parametrize("has_reader_ahead", [True, False])
@pytest.mark.parametrize("longest_held", [0, 100_000, 10**9])
def test_what_a_clip_hears_of_its_sound_does_not_depend_on_how_it_is_read(monkeypatch, longest_held, has_reader_ahead):
    monkeypatch.setattr(sound_buffer, "LONGEST_HELD", longest_held)
    draw = np.random.default_rng(0)
    for num_samples in (0, 30_000, 400_000, 900_000):
        sound = draw.uniform(-256, 256, num_samples).astype(np.float32)
        buffer = sound_buffer.SoundBuffer(chunks(sound), chunks(sound) if has_reader_ahead else None)
        steps = draw.choice([1, 2_000, 150_000], 60, p=[0.4, 0.5, 0.1])
        limits = np.cumsum(steps)  # clips of 16 frames, some with gaps between
        for begin, end in zip(limits[:-15], limits[15:] + 3, strict=True):
            found = windows.waveform(buffer.excerpt(begin, end))
            np.testing.assert_array_equal(found, windows.waveform(sound[begin:end]))


@pytest.mark.parametrize("sound_hours", [4, 0.5])
def test_a_gap_of_hours_takes_no_memory(sound_hours):
    """Tests sound up to the film's end, and sound that ends inside the gap."""
    seconds = [number / 10 for number in range(20)]
    seconds += [3 * 3600 + time for time in seconds]
    frames = [FilmFrame(np.zeros((SIZE, SIZE, 3), np.uint8), time) for time in seconds]
    chunk = np.full(16_384, 100, np.float32)

    def sound() -> Iterator[np.ndarray]:
        return (chunk for _ in range(round(sound_hours * 3600 * RATE_HZ / len(chunk))))

    tracemalloc.start()
    loud = [
        bool(prediction.saliency.min() > 0.6)
        for prediction in predict_stream(frames, sound(), 10.0, Loudness(), waveform_ahead=sound())
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loud == [True] * 27 + [sound_hours == 4] * 13  # the clips of frames 13 to 27 reach over the gap
    assert peak < 16 * 2**20
