import dataclasses

import numpy as np
import pytest
import scipy.io
from PIL import Image

from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.frame_scores import EXACT, METRICS, Estimators
from stavis_jax.scoring.protocol import PredictedVideo, score_video, score_videos
from stavis_jax.scoring.score_warnings import BLACK, CONSTANT, STRETCHED, WITHOUT_GAZE


@pytest.fixture
def layout(tmp_path):
    """One film of 12 frames, 24x32: two fixations a frame on different pixels."""
    (tmp_path / "video_frames").mkdir()
    layout = RawLayout(tmp_path)
    for number in range(1, 13):
        write_annotation(layout, number, (24, 32))
    return layout


def write_annotation(layout, number, shape):
    fixations = np.zeros(shape, np.uint8)
    fixations[number, [number, 2 * number]] = 1
    path = layout.fixation_path("Own", "film", number)
    density = layout.density_path("Own", "film", number)
    density.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"eyeMap": fixations})
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    blob = np.exp(-((rows - number) ** 2 + (columns - 1.5 * number) ** 2) / 20)
    Image.fromarray((255 * blob).astype(np.uint8)).save(density)


def predicted(maps=None, **changes):
    if maps is None:
        maps = {n: np.random.default_rng(n).integers(0, 256, (28, 28)).astype(np.uint8) for n in range(1, 30)}
    return dataclasses.replace(PredictedVideo("Own", 1, "film", 12, maps), **changes)


def test_frames_from_the_ninth_to_the_end_of_the_film_are_scored(layout):
    video = score_video(layout, predicted())
    assert video.frames.tolist() == [9, 10, 11, 12]
    assert video.frames_without_map == video.frames_without_annotation == 0
    assert all(values.shape == (4,) and np.isfinite(values).all() for values in video.values.values())


def test_first_frame_can_be_chosen(layout):
    assert score_video(layout, predicted(), first_frame=1).frames.tolist() == list(range(1, 13))


def test_frame_without_map_or_annotation_is_counted_and_left_out(layout):
    maps = dict(predicted().maps)
    del maps[10]
    layout.fixation_path("Own", "film", 11).unlink()
    layout.density_path("Own", "film", 12).unlink()
    video = score_video(layout, predicted(maps))
    assert video.frames.tolist() == [9]
    assert (video.frames_without_map, video.frames_without_annotation) == (1, 2)


def test_shuffled_auc_uses_the_frames_that_are_not_scored_too(layout):
    with_all = score_video(layout, predicted()).values["sAUC"]
    for number in range(1, 9):
        layout.fixation_path("Own", "film", number).unlink()
    assert not np.array_equal(score_video(layout, predicted()).values["sAUC"], with_all)


def test_perfect_maps_score_better_than_noise(layout):
    density = {n: np.asarray(Image.open(layout.density_path("Own", "film", n))) for n in range(9, 13)}
    perfect, noise = score_video(layout, predicted(density)).means(), score_video(layout, predicted()).means()
    assert all(perfect[metric] > noise[metric] for metric in METRICS)
    assert perfect["KL"] < noise["KL"]
    assert perfect["CC"] > 0.8


def test_annotations_of_two_sizes_are_refused(layout):
    write_annotation(layout, 10, (30, 32))
    with pytest.raises(UserError, match="Own/film, frame 10: its fixation map is 32x30, .* 32x24"):
        score_video(layout, predicted())


def test_density_map_of_another_size_than_the_fixation_maps_is_refused(layout):
    Image.fromarray(np.zeros((24, 16), np.uint8)).save(layout.density_path("Own", "film", 10))
    with pytest.raises(UserError, match="Own/film, frame 10: its density map is 16x24, .* 32x24"):
        score_video(layout, predicted())


def test_worker_processes_give_the_same_scores_in_order(layout):
    videos = [predicted(), predicted(split=2), predicted(num_frames=10, split=3)]
    alone, together = score_videos(layout, videos, workers=1), score_videos(layout, videos, workers=2)
    assert [(v.split, v.frames.size) for v in together] == [(1, 4), (2, 4), (3, 2)]
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(one.values[metric], other.values[metric]) for metric in METRICS)


def test_fault_in_a_worker_process_reaches_the_user(layout):
    layout.density_path("Own", "film", 9).write_bytes(b"no picture")
    with pytest.raises(UserError, match="eyeMap_00009"):
        score_videos(layout, [predicted(), predicted()], workers=2)


def test_splits_that_share_their_maps_are_scored_once(layout):
    reads = []

    class CountingMaps(dict):
        def __getitem__(self, number):
            reads.append(number)
            return super().__getitem__(number)

    maps = CountingMaps(predicted().maps)
    both = score_videos(layout, [predicted(maps), predicted(maps, split=2)], workers=1)
    assert [video.split for video in both] == [1, 2]
    assert reads == [9, 10, 11, 12]


def test_any_source_of_annotations_is_scored_alike(layout):
    class InMemory:
        def density(self, database, video, number):
            return np.asarray(Image.open(layout.density_path(database, video, number)))

        def fixations(self, database, video, number):
            return scipy.io.loadmat(layout.fixation_path(database, video, number))["eyeMap"]

    from_files, from_memory = (score_video(source, predicted()).means() for source in (layout, InMemory()))
    assert from_files == from_memory


def test_information_gain_is_scored_where_there_is_a_baseline(layout):
    density = {n: np.asarray(Image.open(layout.density_path("Own", "film", n))) for n in range(9, 13)}
    left = np.zeros((28, 28), np.uint8)
    left[:, :9] = 200
    (with_baseline,) = score_videos(layout, [predicted(density)], baselines={1: left}, workers=1)
    (without,) = score_videos(layout, [predicted(density)], baselines={2: left}, workers=1)
    both = score_videos(layout, [predicted(density), predicted(density, split=2)], baselines={2: left}, workers=1)
    assert ["IG" in video.values for video in both] == [False, True]
    assert with_baseline.means()["IG"] > 1 and "IG" not in without.values
    assert with_baseline.means()["CC"] == without.means()["CC"]


def test_other_films_fixations_are_the_negatives_of_the_textbooks_shuffled_auc(layout):
    (alone,) = score_videos(layout, [predicted()], workers=1)
    assert "sAUC-others" not in alone.values
    for number in range(1, 13):
        for path in (layout.fixation_path, layout.density_path):
            source, copy = path("Own", "film", number), path("Own", "other", number)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    film, other = score_videos(layout, [predicted(), predicted(video="other")], workers=1)
    assert np.isfinite(film.values["sAUC-others"]).all()
    assert not np.array_equal(film.values["sAUC-others"], film.values["sAUC"])
    assert np.array_equal(film.values["sAUC"], alone.values["sAUC"])
    assert np.array_equal(film.values["sAUC-others"], other.values["sAUC-others"])


def test_sampled_scores_depend_on_the_seed_alone(layout):
    videos = [predicted()]
    first, again, other, exact = (
        score_videos(layout, videos, estimators=estimators, workers=1)[0].values["sAUC"]
        for estimators in (Estimators("sampled", 1), Estimators("sampled", 1), Estimators("sampled", 2), EXACT)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    np.testing.assert_allclose(first, exact, atol=0.2)


@pytest.mark.parametrize(
    ("picture", "doubt"),
    [
        (np.zeros((24, 32), np.uint8), BLACK),
        (np.full((24, 32), 9, np.uint8), CONSTANT),
        (np.arange(24 * 60).reshape(24, 60).astype(np.uint8), STRETCHED),
    ],
)
def test_what_looks_wrong_with_a_map_is_counted(layout, picture, doubt):
    maps = dict(predicted().maps) | {10: picture}
    assert score_video(layout, predicted(maps)).doubts == {doubt: 1}


def test_square_map_of_a_wide_frame_is_no_doubt_and_a_frame_without_gaze_is(layout):
    Image.fromarray(np.zeros((24, 32), np.uint8)).save(layout.density_path("Own", "film", 11))
    video = score_video(layout, predicted())
    assert video.doubts == {WITHOUT_GAZE: 1}
    assert video.values["SIM"][2] == 0 and np.isnan(video.values["KL"][2])
