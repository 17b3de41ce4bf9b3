import numpy as np
import pytest
from made_films import real_film
from made_models import Brightness, MadeModel
from scipy.special import expit, logit

from data_pipelines.inputs import windows
from data_pipelines.runtime.errors import UserError
from stavis_jax.prediction import frame_stream
from stavis_jax.prediction.api import predict_frames, predict_video

SIZE = 16
RATE_HZ = 22050
FPS = 25.0
SAMPLES_PER_FRAME = 882  # 22,050 Hz / 25 fps


class Model(MadeModel):
    """Predicts one number per clip, computed from its pixels (with the mean added again) and its waveform."""

    def __init__(self, number):
        self.number = number
        self.shapes = set()

    def logits(self, clip, waveform):
        self.shapes.add((clip.shape, clip.dtype.name, waveform.shape, waveform.dtype.name))
        pixels = clip + np.float32(windows.MEAN_RGB)
        numbers = [self.number(*pair) for pair in zip(pixels, waveform, strict=True)]
        return np.float32(numbers)[:, None, None] * np.ones((SIZE, SIZE), np.float32)


def numbered_frames(num_frames: int) -> np.ndarray:
    """Returns frames in which every pixel is the frame's number, from 1."""
    numbers = np.arange(1, num_frames + 1, dtype=np.uint8)
    return np.broadcast_to(numbers[:, None, None, None], (num_frames, SIZE, SIZE, 3))


def predicted_numbers(number, num_frames: int, waveform=None, rate_hz=RATE_HZ, fps=FPS, **how) -> np.ndarray:
    how = {"batch_size": 4} | how
    maps = predict_frames(numbered_frames(num_frames), waveform, rate_hz, fps, Model(number), **how)
    assert maps.shape == (num_frames, SIZE, SIZE)
    assert maps.dtype == np.float32
    return logit(maps[:, 0, 0].astype(np.float64))


def in_range(value: float) -> float:
    """Scales a number to the range in which the float32 sigmoid can be inverted."""
    return float(value) / 100


def test_every_frame_is_the_eighth_of_its_own_clip():
    numbers = predicted_numbers(lambda clip, _: in_range(clip[7].mean()), 30)
    np.testing.assert_allclose(numbers * 100, np.arange(1, 31), atol=1e-3)


def test_clips_repeat_the_films_ends():
    firsts = predicted_numbers(lambda clip, _: in_range(clip[0].mean()), 30)
    lasts = predicted_numbers(lambda clip, _: in_range(clip[-1].mean()), 30)
    np.testing.assert_allclose(firsts * 100, [1] * 7 + list(range(1, 24)), atol=1e-3)
    np.testing.assert_allclose(lasts * 100, list(range(9, 31)) + [30] * 8, atol=1e-3)


@pytest.mark.parametrize("num_frames", [1, 2, 15])
def test_films_shorter_than_a_clip_get_a_map_for_every_frame(num_frames):
    numbers = predicted_numbers(lambda clip, _: in_range(clip[7].mean()), num_frames)
    np.testing.assert_allclose(numbers * 100, np.arange(1, num_frames + 1), atol=1e-3)


def test_every_batch_has_the_same_shapes():
    model = Model(lambda clip, waveform: 0)
    advanced = []
    predict_frames(numbered_frames(10), None, RATE_HZ, FPS, model, batch_size=4, advance=advanced.append)
    assert model.shapes == {((4, 16, SIZE, SIZE, 3), "float32", (4, 35280), "float32")}
    assert sum(advanced) == 10


def test_batch_size_does_not_change_the_maps():
    waveform = np.random.default_rng(0).uniform(-256, 256, 2 * RATE_HZ).astype(np.float32)
    number = lambda clip, sound: in_range(clip.mean() + np.abs(sound).mean())  # noqa: E731
    expected = predicted_numbers(number, 30, waveform, batch_size=1)
    np.testing.assert_array_equal(predicted_numbers(number, 30, waveform, batch_size=7), expected)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
@pytest.mark.parametrize("stride", [2, 5, 15, 16, 17, 24])
def test_clips_of_any_stride_are_those_of_their_targets(stride, batch_size):
    later = np.arange(16) / 100
    number = lambda clip, _: in_range(clip.mean(axis=(1, 2, 3)) @ later)  # noqa: E731
    numbers = predicted_numbers(number, 50, batch_size=batch_size, stride=stride)[::stride]
    targets = np.arange(0, 50, stride)
    clips = (targets[:, None] + np.arange(-7, 9)).clip(0, 49) + 1
    np.testing.assert_allclose(numbers * 100, clips @ later, atol=1e-3)


def test_sound_of_a_clip_is_that_of_its_real_frames():
    waveform = np.full(50 * SAMPLES_PER_FRAME, 100, np.float32)
    heard = predicted_numbers(lambda _, sound: np.count_nonzero(sound) / 1e4, 40, waveform) * 1e4
    # Clips of frames 1-9 (the half frame before the first is cut), 10-25 and 33-40; a Hann window ends in zeros.
    expected = {1: 8.5, 17: 16, 40: 8}
    for target, num_frames in expected.items():
        assert heard[target - 1] == pytest.approx(num_frames * SAMPLES_PER_FRAME, abs=3)


def test_sound_follows_the_picture():
    waveform = np.zeros(40 * SAMPLES_PER_FRAME, np.float32)
    waveform[20 * SAMPLES_PER_FRAME] = 100  # with frame 21
    heard = predicted_numbers(lambda _, sound: sound.max() > 1, 40, waveform)
    # Frame 21 is in clips f-7 to f+8; the Hann window hides it at the clips' very ends.
    np.testing.assert_array_equal(np.flatnonzero(heard > 0.5) + 1, np.arange(14, 28))


def test_sound_longer_than_the_buffer_keeps_its_centre():
    waveform = np.zeros(20 * RATE_HZ, np.float32)
    waveform[round(15.5 / 5 * RATE_HZ)] = 100  # the middle of frames 9 to 24, which are 3.2 s long
    places = predicted_numbers(lambda _, sound: sound.argmax() / 1e4, 30, waveform, fps=5.0) * 1e4
    assert places[15] == pytest.approx(35280 / 2, abs=3)


def test_sound_of_another_rate_is_resampled():
    waveform = 100 * np.sin(np.arange(2 * RATE_HZ) / 10).astype(np.float32)
    twice = 100 * np.sin(np.arange(4 * RATE_HZ) / 20).astype(np.float32)
    number = lambda _, sound: np.abs(sound).mean() / 100  # noqa: E731
    expected = predicted_numbers(number, 20, waveform)
    np.testing.assert_allclose(predicted_numbers(number, 20, twice, rate_hz=2 * RATE_HZ), expected, atol=1e-3)


@pytest.mark.parametrize(
    "waveform",
    [
        np.full(22050, 2**14, np.int16),
        np.stack([np.full(22050, 2**15 - 2), np.full(22050, 2)], axis=1).astype(np.int16),
        np.full(22050, 192, np.uint8),
        np.full(22050, 2**30, np.int32),
    ],
)
def test_pcm_and_stereo_are_taken_as_they_are(waveform):
    loudest = predicted_numbers(lambda _, sound: in_range(sound.max()), 25, waveform)
    np.testing.assert_allclose(loudest[12] * 100, 128, rtol=1e-3)  # half of the full scale, at the Hann window's top


def test_frames_of_another_size_are_resized():
    frames = np.zeros((3, 30, 40, 3), np.uint8)
    frames[:, :, 20:] = 255
    maps = predict_frames(frames, None, RATE_HZ, FPS, Brightness())
    assert maps[1, :, -1].min() > 0.7 > 0.3 > maps[1, :, 0].max()


@pytest.mark.parametrize(("num_frames", "fps", "batch_size"), [(0, 25, 4), (3, 0, 4), (3, float("nan"), 4), (3, 25, 0)])
def test_nothing_to_predict_is_an_error(num_frames, fps, batch_size):
    with pytest.raises(ValueError, match="must be positive"):
        predict_frames(numbered_frames(num_frames), None, RATE_HZ, fps, Brightness(), batch_size=batch_size)


def test_a_stride_over_two_seconds_is_an_error():
    with pytest.raises(ValueError, match="stride 65: must be at most 64"):
        predict_frames(numbered_frames(3), None, RATE_HZ, FPS, Brightness(), stride=65)


@pytest.mark.parametrize("fault", [MemoryError("7.28 TiB"), RuntimeError("RESOURCE_EXHAUSTED: 7.28 TiB")])
def test_frames_that_do_not_fit_into_the_memory_name_the_batch(monkeypatch, fault):
    class Full:
        lag = 0

        def feed(self, frames):
            raise fault

    def nothing_fits(*_):
        raise fault

    for clip_stream in (lambda *_: Full(), nothing_fits):
        monkeypatch.setattr(frame_stream, "clip_stream", clip_stream)
        with pytest.raises(UserError, match=r"a batch of 4 clips: does not fit into memory \(7.28 TiB\)"):
            predict_frames(numbered_frames(3), None, RATE_HZ, FPS, Brightness())


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
def test_maps_that_are_not_numbers_are_an_error(fault):
    with pytest.raises(UserError, match="not numbers"):
        predicted_numbers(lambda clip, _: fault, 3)


def test_logits_of_other_libraries_are_read_as_arrays():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.full((4, SIZE, SIZE), -3.0, dtype)

    class Other(Brightness):
        def logits(self, clip, waveform):
            return Tensor()

    maps = predict_frames(numbered_frames(2), None, RATE_HZ, FPS, Other(), batch_size=4)
    np.testing.assert_allclose(maps, expit(-3.0), rtol=1e-6)


def test_predict_video_gives_one_map_for_every_frame():
    maps = predict_video(real_film("carphone_pristine.mp4"), Brightness())
    assert maps.shape == (120, SIZE, SIZE)
    assert 0 < maps.min() < maps.max() < 1
    assert maps.std(axis=(1, 2)).min() > 0.01


def test_saliency_is_the_sigmoid_of_the_logits():
    maps = predict_frames(numbered_frames(2), None, RATE_HZ, FPS, Model(lambda clip, _: -3.0))
    np.testing.assert_allclose(maps, expit(-3.0), rtol=1e-6)
