"""Crops and colours of training clips, drawn on the host and applied on the device."""

import jax
import numpy as np
import pytest

from data_pipelines.clips.augmentation import Augmentation, DrawChanges
from data_pipelines.inputs.windows import MEAN_RGB
from data_pipelines.runtime.errors import UserError
from stavis_jax.training.batches.augmentation import cropped, recoloured
from stavis_jax.training.batches.network_inputs import network_inputs

FRAMES, SIZE = 16, 16
WHOLE = np.float32([[0, 0, 1, 1], [0, 0, 1, 1]])
SAME_COLOUR = np.float32([1, 1, 0, 1, 1, 1])


def draw(**how) -> list[dict[str, np.ndarray]]:
    changes = DrawChanges(Augmentation(**how))
    return [changes.random_map({}, np.random.default_rng(seed)) for seed in range(200)]


def make_batch(**more) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    clip = np.repeat(rng.integers(0, 256, (1, 1, SIZE, SIZE, 3), np.uint8), FRAMES, axis=1)
    fixations = (rng.random((1, SIZE, SIZE)) < 0.1).astype(np.uint8)
    return {"clip": clip, "density": fixations * np.uint8(255), "fixations": fixations} | more


def test_crops_stay_within_the_frame_and_are_as_large_as_asked():
    boxes = np.stack([drawn["crop"] for drawn in draw(crop=0.5, stretch=0.2, motion=0.2)])
    assert (boxes >= 0).all() and (boxes[..., :2] + boxes[..., 2:] <= 1 + 1e-6).all() and (boxes[..., 2:] > 0.05).all()
    assert (np.abs(boxes[:, 0] - boxes[:, 1]).max(axis=1) > 0.01).mean() > 0.9
    still = np.stack([drawn["crop"] for drawn in draw(crop=0.5)])
    np.testing.assert_array_equal(still[:, 0], still[:, 1])
    areas = still[:, 0, 2] * still[:, 0, 3]
    assert 0.49 < areas.min() < 0.55 and 0.95 < areas.max() <= 1.0001
    np.testing.assert_allclose(still[:, 0, 2], still[:, 0, 3], rtol=1e-5)


def test_some_clips_keep_the_whole_frame():
    is_whole = [(drawn["crop"] == WHOLE).all() for drawn in draw(crop=0.5, motion=0.1, whole=0.3)]
    assert 0.2 < np.mean(is_whole) < 0.4


def test_no_change_leaves_a_batch_as_it_is():
    plain = jax.jit(network_inputs)(make_batch())
    same = jax.jit(network_inputs)(make_batch(crop=WHOLE[None], colour=SAME_COLOUR[None]))
    assert same.keys() == plain.keys()
    for name, array in plain.items():
        np.testing.assert_allclose(same[name], array, atol=1e-3, err_msg=name)


def test_a_crop_takes_its_part_of_clip_and_maps():
    batch = {name: array.astype(np.float32) for name, array in make_batch().items()}
    batch["density"][:, :8] = 0  # what is left is rescaled
    batch["density"][0, 12, 12] = 51
    quarter = np.float32([[[0.5, 0.5, 0.5, 0.5]] * 2])  # the lower right
    changed = jax.jit(cropped)(batch, quarter)
    for name, axes in (("clip", (2, 3)), ("fixations", (1, 2))):
        part = np.asarray(batch[name])[(slice(None),) * axes[0] + (slice(8, None), slice(8, None))]
        if name == "fixations":  # each pixel becomes two by two
            np.testing.assert_array_equal(changed[name], part.repeat(2, 1).repeat(2, 2))
        else:  # the mean of two by two lies between the pixels
            assert np.abs(np.mean(changed[name], axis=(2, 3)) - np.mean(part, axis=(2, 3))).max() < 6
    assert changed["density"].max() == pytest.approx(255) and set(np.unique(changed["fixations"])) <= {0, 1}


def test_a_moving_crop_shows_the_target_frame_where_its_maps_are():
    """A bright dot that the crop's motion carries along lies where the density is, in the target frame."""
    batch = {"clip": np.zeros((1, FRAMES, SIZE, SIZE, 3), np.float32), "density": np.zeros((1, SIZE, SIZE), np.float32)}
    batch["clip"][:, :, 8, 8], batch["density"][:, 8, 8] = 255, 255
    batch["fixations"] = batch["density"] / 255
    changed = jax.jit(cropped)(batch, np.float32([[[0, 0, 0.6, 0.6], [0.4, 0.4, 0.6, 0.6]]]))
    frames = np.asarray(changed["clip"])[0, ..., 0]
    brightest = [np.unravel_index(np.argmax(frame), frame.shape) for frame in frames]
    np.testing.assert_allclose(frames[7] / frames[7].max(), changed["density"][0] / 255, atol=1e-5)
    assert brightest[0] > brightest[7] > brightest[-1]  # the dot moves against the crop
    assert changed["fixations"][0][brightest[7]] == 1


def test_colours_change_as_drawn_and_stay_in_range():
    clip = np.full((1, FRAMES, 2, 2, 3), (100, 120, 140), np.float32)
    assert jax.jit(recoloured)(clip, SAME_COLOUR[None]) == pytest.approx(clip, abs=1e-3)
    grey = jax.jit(recoloured)(clip, np.float32([[0, 1, 0, 1, 1, 1]]))
    assert grey == pytest.approx(np.full_like(clip, 120), abs=1e-3)
    assert np.asarray(jax.jit(recoloured)(clip, np.float32([[1, 1, 0.9, 1, 1, 1]]))).max() == 255
    gains = jax.jit(recoloured)(clip, np.float32([[1, 1, 0.1, 2, 1, 0]]))
    assert gains[0, 0, 0, 0] == pytest.approx([251, 145.5, 0], abs=1e-3)
    drawn = np.stack([one["colour"] for one in draw(colour=0.4)])
    assert np.abs(drawn[:, :2] - 1).max() <= 0.4 and np.abs(drawn[:, 2:] - [0, 1, 1, 1]).max() <= 0.1


def test_black_density_stays_black():
    batch = make_batch(crop=WHOLE[None] / 2, colour=SAME_COLOUR[None])
    batch["density"][:], batch["fixations"][:] = 0, 0
    changed = jax.jit(network_inputs)(batch)
    assert not changed["density"].any() and not changed["fixations"].any()
    assert changed["clip"].min() >= -max(MEAN_RGB) - 1e-3


@pytest.mark.parametrize(("name", "value"), [("crop", 1.0), ("motion", -0.1), ("whole", 1.5), ("colour", float("nan"))])
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(UserError, match=f"{name}={value}: give 0 to"):
        Augmentation(**{name: value})
