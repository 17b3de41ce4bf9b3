import math

import numpy as np
import pytest

from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.frame_scores import METRICS


def scores(database, split, video, value, frames=3):
    return VideoScores(
        database, split, video, np.arange(9, 9 + frames), {metric: np.full(frames, value) for metric in METRICS}
    )


def test_video_mean_drops_the_nan_frames_of_each_metric_alone():
    video = scores("Own", 1, "film", 1.0)
    video.values["NSS"] = np.array([np.nan, 2.0, 4.0])
    video.values["SIM"] = np.full(3, np.nan)
    means = video.means()
    assert means["NSS"] == 3.0 and means["CC"] == 1.0
    assert math.isnan(means["SIM"])


def test_videos_weigh_equally_whatever_their_length():
    results = aggregate([scores("Own", 1, "long", 1.0, frames=90), scores("Own", 1, "short", 0.0, frames=1)])
    assert results.databases["Own"]["CC"] == 0.5


def test_most_databases_pool_the_videos_of_all_splits():
    videos = [scores("AVAD", 1, "a", 1.0), scores("AVAD", 1, "b", 1.0), scores("AVAD", 2, "c", 0.0)]
    results = aggregate(videos)
    assert results.databases["AVAD"]["CC"] == pytest.approx(2 / 3)
    assert results.splits["AVAD"] == {1: dict.fromkeys(METRICS, 1.0), 2: dict.fromkeys(METRICS, 0.0)}


def test_diem_is_the_mean_of_its_splits_means():
    videos = [scores("DIEM", 1, "a", 1.0), scores("DIEM", 1, "b", 1.0), scores("DIEM", 2, "a", 0.0)]
    assert aggregate(videos).databases["DIEM"]["CC"] == 0.5


def test_overall_mean_weighs_databases_equally():
    videos = [scores("AVAD", 1, "a", 1.0), scores("AVAD", 1, "b", 1.0), scores("SumMe", 1, "c", 0.0)]
    assert aggregate(videos).overall == dict.fromkeys(METRICS, 0.5)


def test_video_of_which_no_frame_was_scored_counts_nowhere():
    results = aggregate([scores("AVAD", 1, "a", 1.0), scores("AVAD", 1, "short", 0.0, frames=0)])
    assert results.overall["CC"] == 1.0
    assert [video.video for video in results.videos] == ["a"]


def test_video_without_a_value_shows_in_its_database():
    results = aggregate([scores("AVAD", 1, "a", 1.0), scores("AVAD", 1, "b", np.nan), scores("SumMe", 1, "c", 0.5)])
    assert math.isnan(results.databases["AVAD"]["CC"]) and math.isnan(results.overall["CC"])
    assert results.databases["SumMe"]["CC"] == 0.5
