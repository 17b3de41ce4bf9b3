"""The soak tells a process that grows from one that stays as it is."""

import os

import pytest

from benchmarks import soak
from benchmarks.odd_films import write_odd_films
from benchmarks.soak import Sample
from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError


def samples(memory, files=(6, 6, 6), threads=(20, 20, 20)):
    """Returns three passes over two films; the first and the last film of a pass hold the same."""
    return [
        Sample(number, film, 1.0, memory[number - 1] << 20, files[number - 1], threads[number - 1])
        for number in (1, 2, 3)
        for film in ("a", "b")
    ]


@pytest.mark.parametrize(
    ("held", "grown"),
    [
        (samples((100, 600, 629)), False),  # the first pass is the warm-up
        (samples((100, 600, 631)), True),
        (samples((600, 600, 600), files=(9, 6, 7)), True),
        (samples((600, 600, 600), threads=(20, 30, 31)), True),
        (samples((600, 600, 600), files=(9, 6, 6), threads=(40, 30, 30)), False),
        (samples((600, 600, 600))[:5], True),  # the third pass is not whole
    ],
)
def test_growth_is_of_the_last_pass_over_the_second(held, grown):
    assert soak.grows(held) == grown


def test_the_verdict_is_one_line_with_the_figures():
    assert soak.verdict(samples((100, 600, 612))) == (
        "flat: 6 films in 3 passes, 1 s. Pass 2: 600 MiB, 6 open files, 20 threads. "
        "Last: 612 MiB, 6 open files, 20 threads. Memory +2.0%, at most 612 MiB."
    )
    assert soak.verdict([]) == "too short: 0 whole passes, 3 are needed"


def test_a_file_that_is_never_closed_is_noticed(tmp_path):
    opened = []
    try:
        held = list(soak.soak([tmp_path] * 20, lambda film: opened.append(os.open(film, os.O_RDONLY)), seconds=0.05))
    finally:
        for descriptor in opened:
            os.close(descriptor)
    assert held[-1].files - held[0].files == len(held) - 1 > 40
    assert soak.grows(held)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_odd_films_are_films_but_for_three(tmp_path):
    refused = set()
    for path in write_odd_films(tmp_path / "films"):
        try:
            assert next(iter(open_film(path, stills=True).frames(8))).picture.shape == (8, 8, 3)
        except UserError:
            refused.add(path.name)
    assert refused == {"empty.mp4", "text.mp4", "without_index.mp4"}
