"""Who trains and who tests in a user's own database: the files of fold_lists."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.raw.databases import DATABASES
from data_pipelines.raw.fold_lists import SPLITS, ListedFilm
from data_pipelines.runtime.errors import UserError


def check_split(database: str, test: Collection[str] | None, test_share: float) -> None:
    """Raises UserError unless films can be shared out so."""
    if not 0 <= test_share <= 1:
        raise UserError(f"--test-share {test_share:g}: is not a share. Give 0 (all train) to 1 (all test).")
    known = DATABASES.get(database)
    if test is None and known and known.same_test_list_in_every_split:
        raise UserError(f"--database {database}: has one list of test films. Name them with --test.")


def random_tests(names: Sequence[str], share: float, seed: int) -> dict[int, set[str]]:
    """Split -> its test films: `share` of all, at least one; no film in two splits while there are enough of them.

    With a share below 1, one film is left to train; a film that is alone tests.
    """
    shuffled = np.random.default_rng(seed).permutation(sorted(names)).tolist()
    count = round(share * len(names))
    if share > 0:
        count = max(1, count)
    if share < 1 and len(names) > 1:
        count = min(count, len(names) - 1)
    return {split: {shuffled[((split - 1) * count + place) % len(names)] for place in range(count)} for split in SPLITS}


def write_lists(
    folder: Path, films: Sequence[ListedFilm], tests: Mapping[int, Collection[str]] | Collection[str]
) -> None:
    """Writes the lists of one database. `tests`: split -> test films, or the test films of every split.

    A list without films is not written.
    """
    by_suffix = {f"_{split}": tested for split, tested in tests.items()} if isinstance(tests, Mapping) else {"": tests}
    for suffix, tested in by_suffix.items():
        for subset in ("train", "test"):
            listed = [film for film in films if (film.name in tested) == (subset == "test")]
            if listed:
                lines = [f"{film.name} {film.num_frames} {film.fps:.9g}\n" for film in listed]
                path = folder / f"{films[0].database}_list_{subset}{suffix}_fps.txt"
                path.write_text("".join(lines), encoding="utf-8")
