"""Defines one small, repeatable run of each command, and checks whether its output is complete."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import av
from archive_server import pack
from bad_input import MODULES, Place
from PIL import Image

CHECKED_BY_CONTENT = (".mp4", ".png", ".jpg")
# Their content differs between runs: it holds the time of day, folders or speeds.
VARYING = (".html", ".json", ".mat", ".mp4", ".md", ".tex")


@dataclasses.dataclass(frozen=True)
class Job:
    """A run of a command. `apart`: the parts of the output are completed one by one, instead of all at once."""

    command: str
    flags: Callable[[Place], list[object]]
    apart: bool = False

    @property
    def module(self) -> str:
        return MODULES[self.command]


def _fetch(place: Place) -> list[object]:
    archives = place.folder / "archives"
    if not archives.exists():
        frames = {f"DIEM/{film}/img_{number:05d}.jpg": bytes(9000) for film in "abc" for number in range(1, 60)}
        sounds = {f"DIEM/{film}/{film}.wav": bytes(200_000) for film in "abc"}
        place.file("archives/video_frames/DIEM.tar.gz", pack(frames))
        place.file("archives/video_audio/DIEM.tar.gz", pack(sounds))
    what = ["--databases", "DIEM", "--what", "video_frames,audio"]
    return ["--output", place.output, "--archives", archives, *what]


JOBS = {
    job.command: job
    for job in (
        Job(
            "synthesize",
            lambda place: ["--output", place.output, "--films", 4, "--frames", 24, "--workers", 1],
        ),
        Job("fetch", _fetch, apart=True),
        Job(
            "ingest",
            lambda place: [
                *("--films", place.supplies.films, "--gaze", place.supplies.gaze),
                *("--database", "Own", "--output", place.output, "--workers", 1),
            ],
        ),
        Job(
            "prepare",
            lambda place: ["--data", place.supplies.raw, "--output", place.output, "--size", 32, "--workers", 1],
        ),
        Job("convert", lambda place: [place.supplies.pth, "--output", place.output]),
        Job("export", lambda place: [place.supplies.weights, "--output", place.output / "network.stablehlo"]),
        Job(
            "evaluate",
            lambda place: [
                *("--predictions", place.supplies.maps, "--data", place.supplies.raw),
                *("--output", place.output, "--workers", 1),
            ],
            apart=True,
        ),
        Job(
            "predict",
            lambda place: [
                place.supplies.film, *("--checkpoint", place.supplies.weights, "--output", place.output)
            ],
            apart=True,
        ),
        Job(
            "submission",
            lambda place: [
                *(place.supplies.maps_of_film, "--films", place.supplies.film),
                *("--benchmark", "dhf1k", "--output", place.output),
            ],
        ),
        Job(
            "reframe",
            lambda place: [
                *(place.supplies.film, "--ratio", "9:16", "--checkpoint", place.supplies.weights),
                *("--output", place.output),
            ],
            apart=True,
        ),
        Job(
            "compare",
            lambda place: [
                *(place.supplies.film, place.supplies.film, "--checkpoint", place.supplies.weights),
                *("--output", place.output),
            ],
        ),
    )
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """The result of a job without a fault. `content`: see the function of that name."""

    content: dict[str, object]
    seconds: float


def content(output: Path) -> dict[str, object]:
    """Returns name -> content of the files that are neither hidden nor partial. The content of varying ones is None.

    Fails if a picture, film or page is not complete.
    """
    files = {}
    for path in sorted(output.rglob("*")) if output.is_dir() else []:
        name = path.relative_to(output).as_posix()
        if path.is_dir() or path.suffix == ".partial" or any(part[0] == "." for part in Path(name).parts):
            continue
        check(path)
        files[name] = None if path.suffix in VARYING else path.read_bytes()
    return files


def check(path: Path) -> None:
    """Fails if a picture, film or page is not complete."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            assert sum(1 for _ in film.decode(video=0)) > 0
    elif path.suffix in CHECKED_BY_CONTENT and path.stat().st_size != 9000:  # not those of `_fetch`
        Image.open(path).load()
    elif path.suffix == ".html":
        assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def is_whole_or_not_there(output: Path, expected: dict[str, object], apart: bool) -> bool:
    """Returns whether the output is complete or absent; with `apart`, whether each of its parts is."""
    found = content(output)
    if not apart:
        return found in ({}, expected)
    tops = {_part(name) for name in found}
    return found == {name: of for name, of in expected.items() if _part(name) in tops}


def _part(name: str) -> str:
    """Returns the part of the output that a file belongs to: a file of scores, a part of raw data, a film's folder."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0].startswith("video_") else parts[0]


def leftovers(folder: Path) -> list[str]:
    """Returns the names of hidden and partial files."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(path for path in paths if path.startswith(".") or "/." in path or path.endswith(".partial"))
