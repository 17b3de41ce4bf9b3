"""Reads the raw layout's list files: which file is which list, and which film a line means."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from data_pipelines.raw.databases import DATABASES, has_one_test_list
from data_pipelines.raw.layout import RawLayout, sound_seconds
from data_pipelines.raw.name_forms import Names
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.folders import entries
from data_pipelines.runtime.limits import MOST_FRAMES, is_name, is_rate
from data_pipelines.runtime.text_files import read_text

Subset = Literal["train", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "test")
SPLITS = (1, 2, 3)
STANDARD_FRAME_RATES_HZ = (10, 12, 12.5, 15, 24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60)
FRAME_RATE_OF_SILENT_FILMS_HZ = 25.0

_LIST_NAME = re.compile(r"(?P<database>.+)_list_(?:train|test)(?:_[123])?(?:_fps)?\.txt")
LIST_ADVICE = "Write a line 'name frames fps' for each film."


@dataclasses.dataclass(frozen=True)
class ListedFilm:
    """A line of a list: one video of a database, with frames 1 to `num_frames` at `fps` frames per second."""

    database: str
    name: str
    num_frames: int
    fps: float


def _files(layout: RawLayout) -> list[Path]:
    folder = layout.root / "fold_lists"
    return [path for path in entries(folder) if path.is_file()] if folder.is_dir() else []


def lists_of(layout: RawLayout, database: str) -> list[Path]:
    """Returns the lists of a database, by name."""
    named = ((path, _LIST_NAME.fullmatch(path.name)) for path in _files(layout))
    return [path for path, match in named if match and match["database"] == database]


def misnamed_lists(layout: RawLayout, database: str) -> list[Path]:
    """Returns the files that seem to be meant as lists of a database, but have other names, such as diem_train.txt."""
    names = {plain_name(database)} | ({plain_name(DATABASES[database].name)} if database in DATABASES else set())
    found = []
    for path in _files(layout):
        if match := _LIST_NAME.fullmatch(path.name):
            is_meant = match["database"] != database and plain_name(match["database"]) in names
        else:
            is_meant = plain_name(path.name).startswith(tuple(names))
        found += [path] if is_meant else []
    return found


def list_path(layout: RawLayout, database: str, subset: Subset, split: int) -> Path:
    """Returns the file of a list: the first that exists, or the expected one."""
    stems = [f"{database}_list_{subset}_{split}", f"{database}_list_{subset}"]
    if has_one_test_list(database):
        stems.reverse()
    paths = [layout.root / "fold_lists" / f"{stem}{end}" for end in ("_fps.txt", ".txt") for stem in stems]
    return next((path for path in paths if path.is_file()), paths[0])


def read_list(path: Path, layout: RawLayout, database: str) -> list[ListedFilm]:
    """Returns the films of a list file, line by line. Raises UserError if a line is wrong or there is none."""
    name = path.relative_to(layout.root)
    try:
        lines = read_text(path).splitlines()
    except UnicodeError:
        raise UserError(f"{name}: is not text in UTF-8. Save it as UTF-8.") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({reason(error)}). {LIST_ADVICE}") from None
    videos = Names(layout.videos(database))
    films = [
        _read_line(line, f"{name}, line {i}", layout, database, videos)
        for i, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not films:
        raise UserError(f"{name}: lists no film. {LIST_ADVICE}")
    return films


def _read_line(line: str, place: str, layout: RawLayout, database: str, videos: Names) -> ListedFilm:
    """Reads 'name frames fps'. A name may have spaces. Further columns are ignored, as the released code does."""
    words, has_rates = line.split(), "_fps.txt," in place
    lengths = [(count, 2) for count in range(len(words) - 2, 0, -1)]  # words of the name, and numbers behind it
    lengths += [(count, 1) for count in range(len(words) - 1, 0, -1) if not has_rates]
    films = (
        _film(layout, database, videos, _first_words(line, count), words[count : count + num_numbers])
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


def _film(layout: RawLayout, database: str, videos: Names, name: str, numbers: Sequence[str]) -> ListedFilm | None:
    """Returns the film, or None if these are no name, number of frames and frame rate.

    The name may differ in form from that of its folder; see `Names`.
    """
    if not is_name(name):
        return None
    name = videos.find(name) or name
    try:
        num_frames = int(numbers[0])
        fps = float(numbers[1]) if len(numbers) > 1 else counted_film(layout, database, name).fps
    except ValueError:
        return None
    is_film = 1 <= num_frames <= MOST_FRAMES and is_rate(fps)
    return ListedFilm(database, name, num_frames, fps) if is_film else None


def plain_name(name: str) -> str:
    """Returns a name without case, punctuation and a size such as _1280x720, as paper and archives differ in these."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"_\d+x\d+$", "", name.lower()))


def counted_film(layout: RawLayout, database: str, video: str) -> ListedFilm:
    """Returns a film that is in no list file: counts its frames and estimates its frame rate."""
    num_frames, sound, fps = layout.num_frames(database, video), layout.sound_path(database, video), None
    if num_frames and sound.is_file() and (seconds := sound_seconds(sound)):
        fps = float(min(STANDARD_FRAME_RATES_HZ, key=lambda rate: abs(rate - num_frames / seconds)))
    return ListedFilm(database, video, num_frames, fps or FRAME_RATE_OF_SILENT_FILMS_HZ)
