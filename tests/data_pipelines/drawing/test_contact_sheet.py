import numpy as np

from data_pipelines.drawing.contact_sheet import KEPT_PER_SHOWN, EvenSamples, clock_time, clock_times


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


def test_times_that_would_be_the_same_get_more_decimals():
    assert clock_times([0.0, 0.04, 0.08, 0.12]) == ["0:00.00", "0:00.04", "0:00.08", "0:00.12"]
    assert clock_times([0.0, 0.2, 75.25]) == ["0:00.0", "0:00.2", "1:15.2"]
    assert clock_times([0.001, 0.002]) == ["0:00.001", "0:00.002"]
    assert clock_times([3675.91, 3675.95]) == ["1:01:15.91", "1:01:15.95"]
