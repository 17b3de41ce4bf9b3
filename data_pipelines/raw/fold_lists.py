"""Train/test splits: reads them from the raw layout's list files or the paper's Table 3."""

import functools
import importlib.resources
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_pipelines.raw.layout import RawLayout
from data_pipelines.raw.list_files import (
    LIST_ADVICE,
    SPLITS,
    SUBSETS,
    ListedFilm,
    Subset,
    counted_film,
    list_path,
    lists_of,
    misnamed_lists,
    plain_name,
    read_list,
)
from data_pipelines.runtime.errors import UserError

_log = logging.getLogger(__name__)


def read_films(
    layout: RawLayout, subset: Subset, split: int, databases: Sequence[str] | None = None
) -> list[ListedFilm]:
    """Returns the films of one subset of one split, in the order of the databases and of their lists.

    Uses the files in fold_lists for a database that has some; a list whose name lacks `_fps` is read where there is
    none that has it. Otherwise uses the supplement's Table 3: the films named there are test films, all others are
    training films, and their frames are counted. A frame rate that no list states is the standard rate nearest to
    frames / seconds of sound, or 25 Hz without sound, where it does not matter. Films without frames or annotations are
    skipped, and a film that is listed twice is used once; one warning counts each. So is a film of one frame, unless
    all listed films of its database have one: these are stills.

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
    lists: dict[Path, list[ListedFilm]] = {}
    for database in _chosen_databases(layout, databases):
        films = _listed(layout, database, subset, split)
        if films is None:
            raise _missing_list(layout, database, subset, split)
        lists[list_path(layout, database, subset, split)] = films
    _warn_of_repeated(lists)
    present = _present(layout, [film for films in lists.values() for film in _once(films)])
    if not present:
        raise UserError(f"{layout.root}: has none of the films listed for {subset}, split {split}. Fetch the data.")
    return present


def read_all_lists(
    layout: RawLayout, databases: Sequence[str] | None = None
) -> dict[Subset, dict[int, list[ListedFilm]]]:
    """Returns subset -> split -> films, as `read_films` gives them, with one warning of each kind for all lists.

    A database of your own need not have all six lists. Also warns of films in the training list and in the test list of
    a split, of databases without lists, and of files beside the lists that have other names.

    Raises:
      UserError: a database has no list at all, or as in `read_films`.
    """
    lists: dict[Subset, dict[int, list[ListedFilm]]] = {subset: {split: [] for split in SPLITS} for subset in SUBSETS}
    by_path: dict[Path, list[ListedFilm]] = {}
    chosen = _chosen_databases(layout, databases)
    for database in chosen:
        found = {(subset, split): _listed(layout, database, subset, split) for subset in SUBSETS for split in SPLITS}
        if all(films is None for films in found.values()):
            raise _missing_list(layout, database, "train", 1)
        for (subset, split), films in found.items():
            lists[subset][split] += _once(films or [])
            by_path[list_path(layout, database, subset, split)] = films or []
    _warn_of_files(layout, chosen)
    _warn_of_repeated(by_path)
    _warn_of_shared(lists)
    listed = list(dict.fromkeys(film for splits in lists.values() for films in splits.values() for film in films))
    present = set(_present(layout, listed))
    if not present:
        raise UserError(f"{layout.root}: has none of the films in the lists. Fetch the data.")
    return {
        subset: {split: [film for film in films if film in present] for split, films in splits.items()}
        for subset, splits in lists.items()
    }


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
    path = list_path(layout, database, subset, split)
    if path.is_file():
        return read_list(path, layout, database)
    if lists_of(layout, database) or database not in table_3():
        return None
    if misnamed := misnamed_lists(layout, database):
        raise UserError(
            f"{misnamed[0].relative_to(layout.root)}: is not the name of a list. Name it {path.name}, or move it away: "
            "without a list, Table 3 of the paper's supplement decides which films are test films."
        )
    return _from_table_3(layout, database, subset, split)


def _missing_list(layout: RawLayout, database: str, subset: Subset, split: int) -> UserError:
    path = list_path(layout, database, subset, split)
    found = ", ".join(path.name for path in lists_of(layout, database) + misnamed_lists(layout, database))
    beside = f" beside {found}" if found else ""
    return UserError(f"{path.relative_to(layout.root)}: the list is missing{beside}. {LIST_ADVICE}")


@functools.cache
def table_3() -> dict[str, dict[str, list[str]]]:
    """Returns database -> split -> names of the test films. Source: supplement, Table 3."""
    text = importlib.resources.files("data_pipelines.raw").joinpath("splits.json").read_text(encoding="utf-8")
    return json.loads(text)


def _from_table_3(layout: RawLayout, database: str, subset: Subset, split: int) -> list[ListedFilm]:
    folders = {plain_name(video): video for video in layout.videos(database)}
    named = table_3()[database][str(split)]
    if subset == "test":
        videos = [folders.get(plain_name(name), name) for name in named]
    else:
        tested = {plain_name(name) for name in named}
        videos = [video for plain, video in folders.items() if plain not in tested]
    return [counted_film(layout, database, video) for video in videos]


def _key(film: ListedFilm) -> tuple[str, str]:
    return film.database, film.name


def _once(films: Sequence[ListedFilm]) -> list[ListedFilm]:
    """Returns each film of a list once; its first line counts."""
    first: dict[tuple[str, str], ListedFilm] = {}
    for film in films:
        first.setdefault(_key(film), film)
    return list(first.values())


def _warn_of_repeated(lists: Mapping[Path, Sequence[ListedFilm]]) -> None:
    counts = {path: Counter(map(_key, films)) for path, films in lists.items()}
    repeated = [(path, name) for path, of in counts.items() for (_, name), count in of.items() if count > 1]
    if repeated:
        path, name = repeated[0]
        text = "%d films are in a list more than once; their first line counts. First: %s in %s."
        _log.warning(text, len(repeated), name, path.name)


def _warn_of_shared(lists: Mapping[Subset, Mapping[int, Sequence[ListedFilm]]]) -> None:
    shared: dict[tuple[str, str], int] = {}  # film -> the first split
    for split in SPLITS:
        tests = set(map(_key, lists["test"][split]))
        shared = {_key(film): split for film in lists["train"][split] if _key(film) in tests} | shared
    if shared:
        (database, name), split = next(iter(shared.items()))
        text = "%d films are in the training list and in the test list of a split; first: %s/%s, split %d. %s"
        _log.warning(text, len(shared), database, name, split, "Their scores are not those of unseen films.")


def _warn_of_files(layout: RawLayout, databases: Sequence[str]) -> None:
    if without := [database for database in databases if not lists_of(layout, database)]:
        text = "fold_lists: has no lists of %s. Table 3 of the paper's supplement decides which films are test films."
        _log.warning(text, ", ".join(without))
    if misnamed := [path for database in databases for path in misnamed_lists(layout, database)]:
        text = "%d files in fold_lists are not read; first: %s. Names of lists are %s_list_train_1_fps.txt and so on."
        _log.warning(text, len(misnamed), misnamed[0].name, "DATABASE")


def _present(layout: RawLayout, listed: Sequence[ListedFilm]) -> list[ListedFilm]:
    """Returns the films that can be used. One warning counts the others."""
    stills = {film.database for film in listed} - {film.database for film in listed if film.num_frames > 1}
    faults = {film: fault for film in listed if (fault := _why_unusable(layout, film, film.database in stills))}
    if faults:
        film, fault = next(iter(faults.items()))
        text = "%d of %d listed films are skipped; first: %s/%s %s."
        _log.warning(text, len(faults), len(listed), film.database, film.name, fault)
    return [film for film in listed if film not in faults]


def _why_unusable(layout: RawLayout, film: ListedFilm, still: bool) -> str:
    """Returns what a film lacks, or an empty string if it can be used.

    A film of one frame is a still where all films of a database have one. Among longer films it is taken for damaged.
    """
    for folder in (layout.frame_folder(film.database, film.name), layout.annotation_folder(film.database, film.name)):
        if not folder.is_dir():
            return f"has no folder {folder}"
    return "has a single frame" if film.num_frames < 2 and not still else ""
