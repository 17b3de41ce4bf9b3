import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.clip_pairs import paired, unpaired
from stavis_jax.ops.video import cut_clips, join_clips, lay_out, map_frames, num_frames, scale_by_map, time_mean

LAYOUTS = ["array", "frames"]


@pytest.fixture
def clip():
    return jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3, 4, 2)), jnp.float32)


def stacked(video):
    return jnp.stack(video, axis=1) if isinstance(video, tuple) else video


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_hold_the_same_numbers(layout, clip):
    video = lay_out(clip, layout)
    assert num_frames(video) == 5
    np.testing.assert_array_equal(stacked(video), clip)
    np.testing.assert_array_equal(stacked(map_frames(lambda x: 2 * x, video)), 2 * clip)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_map_scales_every_step_and_channel(layout, clip):
    factor = jnp.arange(24.0).reshape(2, 3, 4)
    scaled = stacked(scale_by_map(lay_out(clip, layout), factor))
    np.testing.assert_array_equal(scaled[1, 2, 2, 3], 23 * clip[1, 2, 2, 3])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("start", "stop"), [(0, None), (1, 3), (2, 3)])
def test_mean_is_over_the_steps_asked_for(layout, start, stop, clip):
    mean = time_mean(lay_out(clip, layout), start, stop)
    np.testing.assert_allclose(mean, np.mean(clip[:, start:stop], axis=1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_clips_of_frames_are_joined_to_a_batch(layout, clip):
    clips = [lay_out(clip[i : i + 1], "frames") for i in range(2)]
    np.testing.assert_array_equal(stacked(join_clips(clips, layout)), clip)


@pytest.mark.parametrize(("stride", "num_clips"), [(1, 5), (2, 3), (4, 2)])
def test_clips_are_cut_every_stride_frames(stride, num_clips):
    film = np.arange(7 * 2 * 3 * 4).reshape(7, 2, 3, 4)
    clips = cut_clips(film, 3, stride)
    assert len(clips) == num_clips
    for number, clip in enumerate(clips):
        np.testing.assert_array_equal(clip, film[number * stride : number * stride + 3])


@pytest.mark.parametrize("clips_side_by_side", [1, 2])
def test_gradients_of_array_means_and_scales_are_those_of_the_formula(clips_side_by_side, clip):
    factor = jnp.asarray(np.random.default_rng(1).uniform(1, 2, (2, 3, 4)), jnp.float32)

    def ours(clip, factor):
        video = paired(clip) if clips_side_by_side == 2 else clip
        scaled = scale_by_map(video, factor)
        return tuple(unpaired(x, clip.shape[-1]) for x in (time_mean(scaled, 1, 4), scaled))

    def formula(clip, factor):
        scaled = clip * factor[:, None, :, :, None]
        return scaled[:, 1:4].mean(axis=1), scaled

    found, expected = (
        jax.vjp(function, jnp.asarray(clip), factor)[1](jax.tree.map(jnp.sin, formula(jnp.asarray(clip), factor)))
        for function in (ours, formula)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
