import numpy as np

from data_pipelines.drawing.contact_sheet import KEPT_PER_SHOWN, EvenSamples, clock_time


def test_a_long_film_takes_no_more_memory():
    samples = EvenSamples(4)
    for number in range(1, 1501):
        samples.add(number, lambda: np.zeros(0))
        assert len(samples) <= KEPT_PER_SHOWN * 4
    assert len(samples) >= KEPT_PER_SHOWN * 2


def test_times_read_as_on_a_clock():
    assert [clock_time(seconds) for seconds in (0.0, 0.28, 9.96, 75.25, 3675.9)] == [
        "0:00.0",
        "0:00.2",
        "0:09.9",
        "1:15.2",
        "1:01:15",
    ]
