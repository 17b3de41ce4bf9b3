"""Renders the sounds of a synthetic film: one timbre per kind of object, equally loud, in different frequency bands."""

from collections.abc import Callable

import numpy as np

from data_pipelines.synthetic.plan import FilmPlan

SOUND_RATE_HZ = 22_050
LOUDNESS_RMS = 0.25  # of full scale: -12 dBFS
CROSSFADE_SECONDS = 0.06


def render_film_sound(plan: FilmPlan, rate_hz: int = SOUND_RATE_HZ) -> np.ndarray:
    """Returns the film's waveform, float32 [S] in [-1, 1]: one object at a time, with short crossfades.

    Frame t, counted from 0, is at t / fps seconds. An object takes over half a frame before its first frame.
    """
    rng = plan.random("sound")
    num_samples = round(plan.seconds * rate_hz)
    times = np.arange(num_samples) / rate_hz
    half = CROSSFADE_SECONDS / 2
    waveform = np.zeros(num_samples)
    for index, kind in enumerate(plan.kinds):
        sounding = (plan.schedule == index).astype(float)
        changes = np.flatnonzero(np.diff(sounding)) + 1  # frames at which the object starts or stops
        gain = np.full(num_samples, sounding[0])
        for frame in changes:
            switch = (frame - 0.5) / plan.fps
            gain += (sounding[frame] - sounding[frame - 1]) * np.clip((times - switch + half) / (2 * half), 0, 1)
        waveform += np.sin(gain * np.pi / 2) * render_sound(kind, plan.seconds, rate_hz, rng)  # equal power
    return np.clip(waveform, -1, 1).astype(np.float32)


def render_sound(kind: str, seconds: float, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the waveform of one object that sounds all the time, float32 [S] in [-1, 1].

    `rng` draws pitch, phases and tempo.

    Raises:
      KeyError: `kind` is not in `KINDS`.
    """
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = _SOUNDS[kind](times, rate_hz, rng)
    sound *= LOUDNESS_RMS / np.sqrt(np.mean(sound**2))
    return np.clip(sound, -1, 1).astype(np.float32)


def _hum(times: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Returns six harmonics of 80 to 130 Hz, each weaker than the one before, with a light tremolo."""
    pitch = rng.uniform(80, 130)
    harmonics = np.arange(1, 7)[:, None]
    phases = rng.uniform(0, 2 * np.pi, size=harmonics.shape)
    tone = np.sum(np.sin(2 * np.pi * pitch * harmonics * times + phases) / harmonics, axis=0)
    return tone * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(3, 5) * times + rng.uniform(0, 2 * np.pi)))


def _warble(times: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a tone of 2 to 2.8 kHz whose pitch swings by a tenth, five to nine times a second."""
    pitch, tempo = rng.uniform(2000, 2800), rng.uniform(5, 9)
    swing = 0.1 * pitch / tempo * np.sin(2 * np.pi * tempo * times + rng.uniform(0, 2 * np.pi))
    return np.sin(2 * np.pi * pitch * times + swing + rng.uniform(0, 2 * np.pi))


def _hiss(times: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Returns four to seven bursts of noise a second, above about 5 kHz."""
    spectrum = np.fft.rfft(rng.uniform(-1, 1, size=len(times)))
    frequencies = np.fft.rfftfreq(len(times), 1 / rate_hz)
    cut = rng.uniform(4500, 5500)
    noise = np.fft.irfft(spectrum * np.clip((frequencies - cut) / 500, 0, 1), n=len(times))
    bursts = np.sin(np.pi * rng.uniform(4, 7) * times + rng.uniform(0, np.pi)) ** 2
    return noise * (0.2 + 0.8 * bursts)


def _knock(times: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Returns eight to thirteen knocks a second: notes of 600 to 950 Hz with a time constant of 30 ms."""
    pitch, interval = rng.uniform(600, 950), 1 / rng.uniform(8, 13)
    beats = np.arange(-1, times[-1] / interval + 1) + rng.uniform(0, 1) if len(times) else np.empty(0)
    beats = (beats + rng.uniform(-0.1, 0.1, size=len(beats))) * interval  # uneven, as by hand
    since = times - beats[np.clip(np.searchsorted(beats, times, side="right") - 1, 0, None)]
    since = np.maximum(since, 0)
    return np.exp(-since / 0.03) * np.sin(2 * np.pi * pitch * since)


_SOUNDS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "hum": _hum,
    "warble": _warble,
    "hiss": _hiss,
    "knock": _knock,
}
