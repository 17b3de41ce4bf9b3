"""Batches for training and scoring: what they hold, their randomness, their hosts, and resuming."""

import numpy as np
import pytest

from data_pipelines import open_clips
from data_pipelines.clips.augmentation import Augmentation
from data_pipelines.clips.batches import clips_per_epoch, evaluation_batches, training_batches
from data_pipelines.clips.transforms import FlipLeftRight, RandomCrop
from data_pipelines.inputs.windows import subtract_mean
from data_pipelines.runtime.errors import UserError


def take(batches, count):
    return [next(batches) for _ in range(count)]


def train(shards, **settings):
    return training_batches(shards, **({"split": 1, "batch_size": 2, "seed": 3} | settings))


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_batches_hold_numbers_of_fixed_shapes(tiny_shards):
    batch = next(train(tiny_shards))
    assert {key: (value.shape, value.dtype.name) for key, value in batch.items()} == {
        "clip": ((2, 16, 8, 8, 3), "uint8"),
        "waveform": ((2, 12_802), "float32"),  # 16 frames at 10 a second, 8,000 Hz, and both borders
        "density": ((2, 8, 8), "uint8"),
        "fixations": ((2, 8, 8), "uint8"),
        "mirrored": ((2,), "bool"),
        "weight": ((2,), "float32"),
        "film": ((2,), "int32"),
        "clip_index": ((2,), "int32"),
        "target_frame": ((2,), "int32"),
    }
    assert batch["weight"].tolist() == [1, 1]


def test_every_epoch_has_every_window_once_in_another_order(tiny_shards):
    assert clips_per_epoch(tiny_shards, split=1) == 3
    indices = np.concatenate([batch["clip_index"] for batch in take(train(tiny_shards), 15)]).reshape(10, 3)
    assert np.sort(indices).tolist() == [[0, 1, 2]] * 10
    assert len({tuple(epoch) for epoch in indices.tolist()}) > 1


def test_rows_are_clips_of_their_windows_mirrored_or_not(tiny_shards):
    source, mirrored = open_clips(tiny_shards), []
    for batch in take(train(tiny_shards), 12):
        for row in range(2):
            index, target = int(batch["clip_index"][row]), int(batch["target_frame"][row])
            window = source.frames(index)
            candidates = [
                source.read(index, window[begin : begin + 16])
                for begin in range(len(window) - 15)
                if round(np.median(window[begin : begin + 16])) == target
            ]
            assert sum(is_stored_form(batch, row, item) for item in candidates) == 1
            mirrored.append(bool(batch["mirrored"][row]))
            assert batch["film"][row] == source.film_index(index)
    assert set(mirrored) == {False, True}


def test_augmentation_adds_what_the_device_does_and_changes_nothing_else(tiny_shards):
    plain = take(train(tiny_shards), 3)
    changed = take(train(tiny_shards, augmentation=Augmentation(crop=0.5, colour=0.2)), 3)
    crops, colours = (np.concatenate([batch.pop(name) for batch in changed]) for name in ("crop", "colour"))
    assert (crops.shape, crops.dtype, colours.shape, colours.dtype) == ((6, 2, 4), "float32", (6, 6), "float32")
    assert len(np.unique(crops[:, 0], axis=0)) == len(np.unique(colours, axis=0)) == 6
    assert_same(changed, plain)
    assert_same(take(train(tiny_shards, augmentation=Augmentation()), 3), plain)


def is_stored_form(batch, row, item):
    """Returns whether a row holds an item of `open_clips`."""
    side = (35_280 - batch["waveform"].shape[1]) // 2
    return (
        np.array_equal(subtract_mean(batch["clip"][row]), item["clip"])
        and np.array_equal(batch["density"][row], item["density"])
        and np.array_equal(batch["fixations"][row], item["fixations"])
        and np.array_equal(np.pad(batch["waveform"][row], side), item["waveform"])
    )


def test_seed_fixes_everything(tiny_shards):
    assert_same(take(train(tiny_shards), 5), take(train(tiny_shards), 5))
    one, other = (take(train(tiny_shards, seed=seed), 5) for seed in (3, 4))
    assert any(not np.array_equal(a["clip"], b["clip"]) for a, b in zip(one, other, strict=True))


def test_a_window_is_cropped_anew_in_each_epoch(tiny_shards):
    batches = take(train(tiny_shards, batch_size=3), 8)
    targets = {int(batch["target_frame"][batch["clip_index"] == 1][0]) for batch in batches}
    assert len(targets) > 4


def test_resuming_continues_exactly(tiny_shards):
    batches = train(tiny_shards)
    take(batches, 3)
    state, expected = batches.get_state(), take(batches, 4)
    resumed = train(tiny_shards)
    resumed.set_state(state)
    assert_same(take(resumed, 4), expected)


def test_scoring_resumes_too(tiny_shards):
    whole, resumed = list(score(tiny_shards)), score(tiny_shards)
    resumed.set_state({"next_index": 3})
    assert_same(list(resumed), whole[3:])


def test_a_batch_may_be_larger_than_an_epoch(tiny_shards):
    assert next(train(tiny_shards, batch_size=7))["clip"].shape[0] == 7


def score(shards, **settings):
    return evaluation_batches(shards, **({"subset": "test", "split": 1, "windows": "test", "batch_size": 5} | settings))


def test_scoring_reads_every_clip_once_in_order_and_fills_the_last_batch(tiny_shards):
    batches, source = list(score(tiny_shards)), open_clips(tiny_shards, "test")
    assert len(source) == 4 + 19
    assert [batch["weight"].sum() for batch in batches] == [5, 5, 5, 5, 3]
    assert {batch["clip"].shape for batch in batches} == {(5, 16, 8, 8, 3)}
    rows = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    valid = rows["weight"] == 1
    assert rows["clip_index"][valid].tolist() == list(range(23))
    assert valid[:23].all()
    for index, item in enumerate(source):
        assert rows["target_frame"][index] == item["target_frame"]
        assert source.films[rows["film"][index]].name == item["video"]
        assert is_stored_form(rows, index, item)
    assert "mirrored" not in rows


def test_without_sound_the_other_arrays_are_the_same(tiny_shards):
    silent, whole = next(train(tiny_shards, sound=False)), next(train(tiny_shards))
    assert whole.keys() - silent.keys() == {"waveform"}
    assert_same([silent], [{key: whole[key] for key in silent}])


def test_hosts_score_as_many_batches_each_and_every_clip_once(tiny_shards):
    hosts = [list(score(tiny_shards, host_index=host, host_count=2)) for host in range(2)]
    assert [[len(batch["clip"]) for batch in batches] for batches in hosts] == [[5, 5, 5], [5, 5, 5]]
    rows = [(batch["clip_index"], batch["weight"]) for batches in hosts for batch in batches]
    found = [int(index) for indices, weights in rows for index in indices[weights == 1]]
    assert sorted(found) == list(range(23))


def test_flip_moves_clip_and_maps_together():
    element = {
        "clip": np.arange(24.0).reshape(2, 2, 2, 3),
        "density": np.arange(4.0).reshape(2, 2),
        "fixations": np.array([[0, 1], [1, 1]]),
        "waveform": np.arange(5.0),
    }
    flip, rng = FlipLeftRight(probability=1), np.random.default_rng(0)
    found = flip.random_map(element, rng)
    np.testing.assert_array_equal(found["clip"][:, :, 0], element["clip"][:, :, 1])
    assert found["density"].tolist() == [[1, 0], [3, 2]]
    assert found["fixations"].tolist() == [[1, 0], [1, 1]]
    np.testing.assert_array_equal(found["waveform"], element["waveform"])
    assert FlipLeftRight(probability=0).random_map(element, rng) is element


def test_flip_is_drawn_half_of_the_time():
    rng, element = (
        np.random.default_rng(0),
        {"clip": np.zeros((1, 1, 2, 3)), "density": np.eye(2), "fixations": np.eye(2)},
    )
    flips = [FlipLeftRight().random_map(element, rng) is not element for _ in range(1000)]
    assert 440 < sum(flips) < 560


def test_crop_reaches_both_ends_of_a_window_and_nothing_outside():
    rng, window = np.random.default_rng(0), np.arange(5, 25)
    begins = {int(RandomCrop().random_map({"frames": window}, rng)["frames"][0]) for _ in range(200)}
    assert begins == {5, 6, 7, 8, 9}
    assert RandomCrop().random_map({"frames": window[:16]}, rng)["frames"].tolist() == window[:16].tolist()


@pytest.mark.parametrize(
    "settings", [{"batch_size": 0}, {"num_workers": -1}, {"host_index": 2, "host_count": 2}, {"databases": ["DIEM"]}]
)
def test_bad_settings_are_refused(tiny_shards, settings):
    for make in (train, score):
        with pytest.raises(UserError, match="|".join(settings)):
            make(tiny_shards, **settings)


def test_whole_training_windows_are_not_scored(tiny_shards):
    with pytest.raises(UserError, match="windows"):
        score(tiny_shards, windows="train")
