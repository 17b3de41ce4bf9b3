"""Train/test splits: reads them from the raw layout's list files or the paper's Table 3, and writes list files."""

import dataclasses
import functools
import importlib.resources
import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from data_pipelines.raw.databases import DATABASES
from data_pipelines.raw.layout import RawLayout, sound_seconds
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import MOST_FRAMES, is_name, is_rate
from data_pipelines.runtime.text_files import read_text

Subset = Literal["train", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "test")
SPLITS = (1, 2, 3)
Tests = Mapping[int, Collection[str]] | Collection[str]  # split -> names of test films, or those of every split
STANDARD_FRAME_RATES_HZ = (10, 12, 12.5, 15, 24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60)
FRAME_RATE_OF_SILENT_FILMS_HZ = 25.0

_ADVICE = "Write a line 'name frames fps' for each film."

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ListedFilm:
    """A line of a list: one video of a database, with frames 1 to `num_frames` at `fps` frames per second."""

    database: str
    name: str
    num_frames: int
    fps: float


def read_films(
    layout: RawLayout, subset: Subset, split: int, databases: Sequence[str] | None = None
) -> list[ListedFilm]:
    """Returns the films of one subset of one split, in the order of the databases and of their lists.

    Uses the files in fold_lists for a database that has some: those whose names end with `_fps.txt`, or else those
    without `_fps`. Otherwise uses the supplement's Table 3: the films named there are test films, all others are
    training films, and their frames are counted. A frame rate that no list states is the standard rate nearest to
    frames / seconds of sound, or 25 Hz without sound, where it does not matter. Films without frames or annotations are
    skipped, and one warning counts them.

    Args:
      layout: raw data folder.
      subset: "train" or "test".
      split: 1, 2 or 3.
      databases: folders to read; by default all that have frames.

    Raises:
      UserError: a line or an argument is wrong, a list is missing or empty, or no film is left.
    """
    if subset not in SUBSETS:
        raise UserError(f"subset: {subset!r} is not known. Choose train or test.")
    if split not in SPLITS:
        raise UserError(f"split: {split!r} is not known. Choose 1, 2 or 3.")
    listed: list[ListedFilm] = []
    for database in _chosen_databases(layout, databases):
        films = _listed(layout, database, subset, split)
        if films is None:
            raise _missing_list(layout, database, subset, split)
        listed += films
    present = _present(layout, listed)
    if not present:
        raise UserError(f"{layout.root}: has none of the films listed for {subset}, split {split}. Fetch the data.")
    return present


def read_all_lists(
    layout: RawLayout, databases: Sequence[str] | None = None
) -> dict[Subset, dict[int, list[ListedFilm]]]:
    """Returns subset -> split -> films, as `read_films` gives them, with one warning for all lists together.

    A database of your own need not have all six lists.

    Raises:
      UserError: a database has no list at all, or as in `read_films`.
    """
    lists: dict[Subset, dict[int, list[ListedFilm]]] = {subset: {split: [] for split in SPLITS} for subset in SUBSETS}
    for database in _chosen_databases(layout, databases):
        found = {(subset, split): _listed(layout, database, subset, split) for subset in SUBSETS for split in SPLITS}
        if all(films is None for films in found.values()):
            raise _missing_list(layout, database, "train", 1)
        for (subset, split), films in found.items():
            lists[subset][split] += films or []
    listed = list(dict.fromkeys(film for splits in lists.values() for films in splits.values() for film in films))
    present = set(_present(layout, listed))
    if not present:
        raise UserError(f"{layout.root}: has none of the films in the lists. Fetch the data.")
    return {
        subset: {split: [film for film in films if film in present] for split, films in splits.items()}
        for subset, splits in lists.items()
    }


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
    if test is None and _has_one_test_list(database):
        raise UserError(f"--database {database}: has one list of test films. Name them with --test.")


def _chosen_databases(layout: RawLayout, databases: Sequence[str] | None) -> list[str]:
    """Returns the folders to read, in reading order."""
    found = layout.databases()
    if not found:
        raise UserError(
            f"{layout.root / 'video_frames'}: holds no database. Put <database>/<video>/img_00001.jpg there."
        )
    for database in databases or ():
        if database not in found:
            raise UserError(f"databases: {database!r} has no frames in {layout.root}. Choose from {', '.join(found)}.")
    return [database for database in found if databases is None or database in databases]


def _listed(layout: RawLayout, database: str, subset: Subset, split: int) -> list[ListedFilm] | None:
    """Returns the films of one list, or None if the database has no such list."""
    path = _list_path(layout, database, subset, split)
    if path.is_file():
        return _read_list(path, layout, database)
    has_lists = bool(_lists_of(layout, database))
    return None if has_lists or database not in table_3() else _from_table_3(layout, database, subset, split)


def _missing_list(layout: RawLayout, database: str, subset: Subset, split: int) -> UserError:
    path = _list_path(layout, database, subset, split)
    found = ", ".join(sorted(path.name for path in _lists_of(layout, database)))
    beside = f" beside {found}" if found else ""
    return UserError(f"{path.relative_to(layout.root)}: the list is missing{beside}. {_ADVICE}")


def _has_one_test_list(database: str) -> bool:
    return database in DATABASES and DATABASES[database].same_test_list_in_every_split


def _lists_of(layout: RawLayout, database: str) -> list[Path]:
    """Returns the lists of a database; those without a frame rate in their names count if there are no others."""
    found = [path for path in (layout.root / "fold_lists").glob("*.txt") if path.name.startswith(f"{database}_list_")]
    return [path for path in found if path.name.endswith("_fps.txt")] or found


def _list_path(layout: RawLayout, database: str, subset: Subset, split: int) -> Path:
    folder, lists = layout.root / "fold_lists", _lists_of(layout, database)
    end = ".txt" if lists and not lists[0].name.endswith("_fps.txt") else "_fps.txt"
    of_split = folder / f"{database}_list_{subset}_{split}{end}"
    of_all = folder / f"{database}_list_{subset}{end}"
    return of_all if _has_one_test_list(database) or (of_all.is_file() and not of_split.is_file()) else of_split


def _read_list(path: Path, layout: RawLayout, database: str) -> list[ListedFilm]:
    name = path.relative_to(layout.root)
    try:
        lines = read_text(path).splitlines()
    except UnicodeError:
        raise UserError(f"{name}: is not text in UTF-8. Save it as UTF-8.") from None
    films = [_read_line(line, f"{name}, line {i}", layout, database) for i, line in enumerate(lines, 1) if line.strip()]
    if not films:
        raise UserError(f"{name}: lists no film. {_ADVICE}")
    return films


def _read_line(line: str, place: str, layout: RawLayout, database: str) -> ListedFilm:
    """Reads 'name frames fps'. A name may have spaces. Further columns are ignored, as the released code does."""
    words, has_rates = line.split(), "_fps.txt" in place
    lengths = [(count, 2) for count in range(len(words) - 2, 0, -1)]  # words of the name, and numbers behind it
    lengths += [(count, 1) for count in range(len(words) - 1, 0, -1) if not has_rates]
    films = (
        _film(layout, database, _first_words(line, count), words[count : count + num_numbers])
        for count, num_numbers in lengths
    )
    readings = [film for film in films if film is not None]
    existing = [film for film in readings if layout.frame_folder(database, film.name).is_dir()]
    if len({film.name for film in existing}) > 1:
        names = " or ".join(repr(film.name) for film in existing)
        raise UserError(f"{place}: may mean the film {names}, and both exist. Leave out what follows the frame rate.")
    if existing or readings:
        return (existing or readings)[0]
    found = line.strip()[:200]
    raise UserError(f"{place}: expected 'name frames fps', found {found!r}. Correct or remove the line.")


def _first_words(line: str, count: int) -> str:
    """Returns the first `count` words, with the spaces between them as they are."""
    return line.strip().removesuffix("".join(line.strip().split(maxsplit=count)[count:])).rstrip()


def _film(layout: RawLayout, database: str, name: str, numbers: Sequence[str]) -> ListedFilm | None:
    """Returns the film, or None if these are no name, number of frames and frame rate."""
    try:
        num_frames = int(numbers[0])
        fps = float(numbers[1]) if len(numbers) > 1 else _counted(layout, database, name).fps
    except ValueError:
        return None
    is_film = 1 <= num_frames <= MOST_FRAMES and is_rate(fps) and is_name(name)
    return ListedFilm(database, name, num_frames, fps) if is_film else None


@functools.cache
def table_3() -> dict[str, dict[str, list[str]]]:
    """Returns database -> split -> names of the test films. Source: supplement, Table 3."""
    text = importlib.resources.files("data_pipelines.raw").joinpath("splits.json").read_text(encoding="utf-8")
    return json.loads(text)


def _from_table_3(layout: RawLayout, database: str, subset: Subset, split: int) -> list[ListedFilm]:
    folders = {_plain(video): video for video in layout.videos(database)}
    named = table_3()[database][str(split)]
    if subset == "test":
        videos = [folders.get(_plain(name), name) for name in named]
    else:
        tested = {_plain(name) for name in named}
        videos = [video for plain, video in folders.items() if plain not in tested]
    return [_counted(layout, database, video) for video in videos]


def _plain(name: str) -> str:
    """Returns a name without case, punctuation and a size such as _1280x720, as paper and archives differ in these."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"_\d+x\d+$", "", name.lower()))


def _counted(layout: RawLayout, database: str, video: str) -> ListedFilm:
    """Returns a film that is in no list file: counts its frames and estimates its frame rate."""
    num_frames, sound, fps = layout.num_frames(database, video), layout.sound_path(database, video), None
    if num_frames and sound.is_file() and (seconds := sound_seconds(sound)):
        fps = float(min(STANDARD_FRAME_RATES_HZ, key=lambda rate: abs(rate - num_frames / seconds)))
    return ListedFilm(database, video, num_frames, fps or FRAME_RATE_OF_SILENT_FILMS_HZ)


def _present(layout: RawLayout, listed: Sequence[ListedFilm]) -> list[ListedFilm]:
    """Returns the films that can be used. One warning counts the others."""
    faults = {film: fault for film in listed if (fault := _why_unusable(layout, film))}
    if faults:
        film, fault = next(iter(faults.items()))
        text = "%d of %d listed films are skipped; first: %s/%s %s."
        _log.warning(text, len(faults), len(listed), film.database, film.name, fault)
    return [film for film in listed if film not in faults]


def _why_unusable(layout: RawLayout, film: ListedFilm) -> str:
    """Returns what a film lacks, or an empty string if it can be used."""
    for folder in (layout.frame_folder(film.database, film.name), layout.annotation_folder(film.database, film.name)):
        if not folder.is_dir():
            return f"has no folder {folder}"
    return "has a single frame" if film.num_frames < 2 else ""
