"""Draws the test films of a database, and writes its list files."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.raw.databases import has_one_test_list
from data_pipelines.raw.list_files import SPLITS, SUBSETS, ListedFilm
from data_pipelines.runtime.errors import UserError

Tests = Mapping[int, Collection[str]] | Collection[str]  # split -> names of test films, or those of every split


def write_lists(folder: Path, films: Sequence[ListedFilm], tests: Tests) -> None:
    """Writes the lists of one database. A list without films is not written.

    Args:
      folder: the raw layout's fold_lists.
      films: all films of the database.
      tests: the test films; the others are training films.
    """
    by_suffix = {f"_{split}": tested for split, tested in tests.items()} if isinstance(tests, Mapping) else {"": tests}
    for suffix, tested in by_suffix.items():
        for subset in SUBSETS:
            listed = [film for film in films if (film.name in tested) == (subset == "test")]
            if listed:
                lines = [f"{film.name} {film.num_frames} {film.fps:.9g}\n" for film in listed]
                path = folder / f"{films[0].database}_list_{subset}{suffix}_fps.txt"
                path.write_text("".join(lines), encoding="utf-8")


def disjoint_tests(names: Sequence[str], count: int) -> dict[int, set[str]]:
    """Returns split -> `count` test films. No film is in two splits as long as there are enough films."""
    return {split: {names[((split - 1) * count + place) % len(names)] for place in range(count)} for split in SPLITS}


def random_tests(names: Sequence[str], share: float, seed: int) -> dict[int, set[str]]:
    """Returns split -> test films drawn at random: `share` of all films, at least one.

    With a share below 1, at least one film is left for training, unless there is only one film.
    """
    shuffled = np.random.default_rng(seed).permutation(sorted(names)).tolist()
    count = max(round(share * len(names)), 1 if share > 0 else 0)
    if share < 1 and len(names) > 1:
        count = min(count, len(names) - 1)
    return disjoint_tests(shuffled, count)


def check_split(database: str, test: Collection[str] | None, test_share: float) -> None:
    """Raises UserError unless the films of `database` can be split as asked."""
    if not 0 <= test_share <= 1:
        raise UserError(f"--test-share {test_share:g}: is not a share. Give 0 (all train) to 1 (all test).")
    if test is None and has_one_test_list(database):
        raise UserError(f"--database {database}: has one list of test films. Name them with --test.")
