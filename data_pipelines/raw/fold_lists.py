"""Who trains and who tests: the split files of the raw layout, or the paper's Table 3 where there are none."""

import dataclasses
import functools
import importlib.resources
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.databases import DATABASES
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import MOST_FRAMES, is_name, is_rate

Subset = Literal["train", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "test")
SPLITS = (1, 2, 3)
STANDARD_FRAME_RATES_HZ = (
    10.0,
    12.0,
    12.5,
    15.0,
    24000 / 1001,
    24.0,
    25.0,
    30000 / 1001,
    30.0,
    48.0,
    50.0,
    60000 / 1001,
    60.0,
)
FRAME_RATE_OF_SILENT_FILMS_HZ = 25.0

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ListedFilm:
    """One video of a database: frames 1 to `num_frames`, `fps` frames a second."""

    database: str
    name: str
    num_frames: int
    fps: float


def read_films(
    layout: RawLayout, subset: Subset, split: int, databases: Sequence[str] | None = None
) -> list[ListedFilm]:
    """The films of one subset of one split, database after database, in the order of their lists.

    A database with files in fold_lists follows them. One without follows the supplement's Table 3: its test films are
    the ones named there, its training films every other video; the number of frames is counted, and the frame rate is
    frames / seconds of sound, snapped to the nearest standard rate (25 for a film without sound: the rate only cuts
    sound). A film without frames or annotations is skipped, and one warning counts them.

    `databases`: folders to read; all that have frames by default.
    Raises UserError for a bad line, an empty list, a missing list, an unknown database, or if no film is left.
    """
    if subset not in SUBSETS:
        raise UserError(f"subset: {subset!r} is not known. Choose train or test.")
    if split not in SPLITS:
        raise UserError(f"split: {split!r} is not known. Choose 1, 2 or 3.")
    listed = [
        film for database in chosen_databases(layout, databases) for film in _listed(layout, database, subset, split)
    ]
    present = _present(layout, listed)
    if not present:
        raise UserError(f"{layout.root}: no film listed for {subset}, split {split}, is there. Fetch the data.")
    return present


def read_all_lists(
    layout: RawLayout, databases: Sequence[str] | None = None
) -> dict[Subset, dict[int, list[ListedFilm]]]:
    """Subset -> split -> films, as `read_films` gives them, with one warning for all lists together.

    A database of the user's own need not have all six lists. Raises UserError if one has none, or as `read_films`.
    """
    lists: dict[Subset, dict[int, list[ListedFilm]]] = {subset: {split: [] for split in SPLITS} for subset in SUBSETS}
    for database in chosen_databases(layout, databases):
        known = [
            (subset, split) for subset in SUBSETS for split in SPLITS if _has_list(layout, database, subset, split)
        ]
        for subset, split in known or [("train", 1)]:
            lists[subset][split] += _listed(layout, database, subset, split)
    listed = list(dict.fromkeys(film for splits in lists.values() for films in splits.values() for film in films))
    present = set(_present(layout, listed))
    if not present:
        raise UserError(f"{layout.root}: no film of the lists is there. Fetch the data.")
    return {
        subset: {split: [film for film in films if film in present] for split, films in splits.items()}
        for subset, splits in lists.items()
    }


def chosen_databases(layout: RawLayout, databases: Sequence[str] | None) -> list[str]:
    """The folders to read, in reading order. Raises UserError for one that has no frames."""
    found = layout.databases()
    if not found:
        raise UserError(
            f"{layout.root / 'video_frames'}: holds no database. Put <database>/<video>/img_00001.jpg there."
        )
    for database in databases or ():
        if database not in found:
            raise UserError(f"databases: {database!r} has no frames in {layout.root}. Choose from {', '.join(found)}.")
    return [database for database in found if databases is None or database in databases]


def _has_list(layout: RawLayout, database: str, subset: Subset, split: int) -> bool:
    """Whether it is known who is in this subset of this split: from a file, or from Table 3."""
    if _lists_of(layout, database):
        return _list_path(layout, database, subset, split).is_file()
    return database in table_3()


def _listed(layout: RawLayout, database: str, subset: Subset, split: int) -> list[ListedFilm]:
    path = _list_path(layout, database, subset, split)
    if path.is_file():
        return _read_list(path, layout.root, database)
    if _lists_of(layout, database) or database not in table_3():
        raise UserError(
            f"{path.relative_to(layout.root)}: the list is missing. Write a line 'name frames fps' for each film."
        )
    return _from_table_3(layout, database, subset, split)


def _lists_of(layout: RawLayout, database: str) -> list[Path]:
    return [
        path for path in (layout.root / "fold_lists").glob("*_fps.txt") if path.name.startswith(f"{database}_list_")
    ]


def _list_path(layout: RawLayout, database: str, subset: Subset, split: int) -> Path:
    folder = layout.root / "fold_lists"
    one_for_all, of_split = (
        folder / f"{database}_list_{subset}_fps.txt",
        folder / f"{database}_list_{subset}_{split}_fps.txt",
    )
    known = DATABASES.get(database)
    if (known and known.same_test_list_in_every_split) or (one_for_all.is_file() and not of_split.is_file()):
        return one_for_all
    return of_split


def _read_list(path: Path, root: Path, database: str) -> list[ListedFilm]:
    films = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeError:
        raise UserError(f"{path.relative_to(root)}: is not text in UTF-8. Save it so.") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            name, num_frames, fps = line.rsplit(maxsplit=2)
            film = ListedFilm(database, name.strip(), int(num_frames), float(fps))
            if not (1 <= film.num_frames <= MOST_FRAMES and is_rate(film.fps) and is_name(film.name)):
                raise ValueError("out of range")
        except ValueError:
            raise UserError(
                f"{path.relative_to(root)}, line {number}: expected 'name frames fps', found {line.strip()[:200]!r}. "
                "Mend or remove the line."
            ) from None
        films.append(film)
    if not films:
        raise UserError(f"{path.relative_to(root)}: lists no film. Write a line 'name frames fps' for each film.")
    return films


@functools.cache
def table_3() -> dict[str, dict[str, list[str]]]:
    """Database -> split -> names of the test films. Source: supplement, Table 3."""
    return json.loads(
        importlib.resources.files("data_pipelines.raw").joinpath("splits.json").read_text(encoding="utf-8")
    )


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
    """A name without what differs between the paper and the archives: case, punctuation, a size such as _1280x720."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"_\d+x\d+$", "", name.lower()))


def _counted(layout: RawLayout, database: str, video: str) -> ListedFilm:
    num_frames, sound = layout.num_frames(database, video), layout.sound_path(database, video)
    seconds = raw_layout.sound_seconds(sound) if num_frames and sound.is_file() else 0.0
    if not seconds:
        return ListedFilm(database, video, num_frames, FRAME_RATE_OF_SILENT_FILMS_HZ)
    return ListedFilm(
        database, video, num_frames, min(STANDARD_FRAME_RATES_HZ, key=lambda rate: abs(rate - num_frames / seconds))
    )


def _present(layout: RawLayout, listed: Sequence[ListedFilm]) -> list[ListedFilm]:
    """The films that can be used; one warning counts the others."""
    faults = {film: fault for film in listed if (fault := _why_unusable(layout, film))}
    if faults:
        film, fault = next(iter(faults.items()))
        _log.warning(
            "%d of %d listed films are skipped; first: %s/%s %s.",
            len(faults),
            len(listed),
            film.database,
            film.name,
            fault,
        )
    return [film for film in listed if film not in faults]


def _why_unusable(layout: RawLayout, film: ListedFilm) -> str:
    """Empty if the film can be used."""
    for folder in (layout.frame_folder(film.database, film.name), layout.annotation_folder(film.database, film.name)):
        if not folder.is_dir():
            return f"has no folder {folder}"
    return "has a single frame" if film.num_frames < 2 else ""
