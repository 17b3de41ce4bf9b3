"""The line about maps, latency and dropped frames."""

from collections import Counter

from stavis_jax.streaming.speed import Speed, quantile


def test_frames_without_a_map_of_their_own_are_dropped():
    speed = Speed()
    speed.restart(num_frames=100)
    for number, latency in ((110, 0.4), (120, 0.5), (120, 0.5), (130, 0.9)):
        speed.add(number, latency)
    assert "latency 0.50 s (95% below 0.90 s), 85% of 20 frames dropped" in speed.line(num_frames=120)
    assert " maps/s" in speed.line(num_frames=120)


def test_without_a_map_the_line_says_so():
    speed = Speed()
    assert speed.line(num_frames=7) == "no map in 0 s, 7 frames"


def test_memory_does_not_grow_with_the_number_of_maps():
    speed = Speed()
    for number in range(10_000):
        speed.add(number, 0.1 + number % 50 / 1000)
    assert len(speed._counts) == 50


def test_quantiles_are_values_that_were_counted():
    counts = Counter({1: 50, 2: 44, 9: 6})
    assert [quantile(counts, share) for share in (0.5, 0.51, 0.94, 0.95, 1)] == [1, 2, 2, 9, 9]
