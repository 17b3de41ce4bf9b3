import math

import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.aggregation import VideoScores, film_scores
from stavis_jax.scoring.bootstrap import bootstrap_intervals, interval_of_mean
from stavis_jax.scoring.comparison import ALL_FILMS, compare


def films(values, metric="CC", database="AVAD"):
    return {(database, f"film {i}"): {metric: value} for i, value in enumerate(values)}


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    ends = np.array([interval_of_mean(rng.normal(3, 1, 40), seed=i) for i in range(40)])
    covered = ((ends[:, 0] < 3) & (ends[:, 1] > 3)).mean()
    assert 0.85 <= covered <= 1.0
    assert (ends[:, 1] - ends[:, 0]).mean() == pytest.approx(2 * 1.96 / math.sqrt(40), rel=0.12)


def test_interval_is_the_same_with_the_same_seed_and_has_no_ends_for_one_film():
    values = np.arange(10.0)
    assert interval_of_mean(values, seed=1) == interval_of_mean(values, seed=1) != interval_of_mean(values, seed=2)
    assert all(math.isnan(end) for end in interval_of_mean([1.0]))


def test_film_of_three_splits_is_one_film():
    videos = [
        VideoScores("DIEM", split, "a", np.array([9]), {"CC": np.array([value])})
        for split, value in ((1, 0.1), (2, 0.2), (3, 0.6))
    ]
    assert film_scores(videos) == {("DIEM", "a"): {"CC": pytest.approx(0.3)}}


def test_overall_interval_draws_films_within_their_database():
    scores = films([0.0] * 5) | films([1.0] * 5, database="SumMe")
    intervals = bootstrap_intervals(scores)
    assert intervals.databases == {"AVAD": {"CC": (0, 0)}, "SumMe": {"CC": (1, 1)}}
    assert intervals.overall == {"CC": (0.5, 0.5)}


def test_sign_test_and_mean_difference_of_paired_films():
    ours, other = films([0.6, 0.7, 0.8, 0.9, 0.5, 0.4]), films([0.5, 0.6, 0.7, 0.8, 0.4, 0.4])
    row = compare(ours, other).differences[0]
    assert (row.database, row.metric, row.films, row.better, row.worse, row.equal) == ("AVAD", "CC", 6, 5, 0, 1)
    assert row.mean == pytest.approx(0.5 / 6) and row.low <= row.mean <= row.high
    assert row.p_value == pytest.approx(2 / 2**5)


def test_less_kl_is_better():
    row = compare(films([1.0, 2.0], "KL"), films([2.0, 3.0], "KL")).differences[0]
    assert (row.mean, row.better, row.worse) == (-1.0, 2, 0)


def test_films_and_values_that_one_set_lacks_are_left_out_and_counted():
    ours, other = films([0.5, 0.6, math.nan, 0.7]), films([0.4, 0.5, 0.6])
    comparison = compare(ours, other)
    assert comparison.differences[-1].database == ALL_FILMS and comparison.differences[-1].films == 2
    assert (comparison.only_ours, comparison.only_other) == (1, 0)
    with pytest.raises(UserError, match="share no film"):
        compare(ours, films([1.0], database="SumMe"))
