"""Names of films and folders with a meaning for a shell, a terminal, HTML or a spreadsheet.

Each name works, or one line says why not. No name becomes markup in a report.
"""

import csv
import html.parser
import os
import shutil
from pathlib import Path

import pytest
from bad_input import MODULES, Place
from supplies import DATABASE, gaze_table

NAMES = [
    "two words",
    "it's",
    'say "hello"',
    "line\nbreak",
    "tab\tand\rreturn",
    "-rf",
    "--output",
    "$(touch ran)`touch ran`;touch ran",
    "<script>alert(1)<",
    "<img src=x onerror=alert(1)>",
    "=HYPERLINK(1)",
    "[bold]x[",
    "[red]markup[-red]",
    "{0}%s%n",
    "..hidden",
    ".hidden",
    "über-filmé",
    "ﬁlm\u202egpj",
    "映画",
    "🎬",
    "\x1b[31mred",
    "CON",
    "a" * 190,
    "trailing.",
]


@pytest.mark.parametrize("names", [NAMES[::2], NAMES[1::2]], ids=["one half", "the other"])
def test_films_of_those_names_are_ingested_and_prepared(names, commands, supplies, tmp_path, tally):
    """Half of the names at a time, because some become the same name in raw data, without a blank or a dot."""
    tally.fault("ingest", "odd name", len(names))
    films, gaze = ([tmp_path / kind / f"{name}.{kind}" for name in names] for kind in ("mp4", "csv"))
    for film, table in zip(films, gaze, strict=True):
        for path in (film, table):
            path.parent.mkdir(exist_ok=True)
        shutil.copy(supplies.films / "one.mp4", film)
        table.write_text("time,x,y,duration\n0,32,24,1\n")
    place = Place(tmp_path, supplies)
    flags = ["--films", *films, "--gaze", *gaze, "--database", DATABASE, "--test-share", 1]
    ended = commands.run(MODULES["ingest"], *flags, "--output", place.output, "--workers", 1)
    assert ended.code == 0, ended
    folders = list((place.output / "video_frames" / DATABASE).iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [18] * len(names)
    shards = ["--data", place.output, "--output", tmp_path / "shards", "--size", 8, "--workers", 1]
    ended = commands.run(MODULES["prepare"], *shards)
    assert ended.code == 0, ended
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.slow
def test_films_of_all_those_names_are_predicted_at_once(commands, supplies, tmp_path, tally):
    tally.fault("predict", "odd name", len(NAMES))
    films = [tmp_path / f"{name}.mp4" for name in NAMES]
    for film in films:
        shutil.copy(supplies.film, film)
    output = tmp_path / "output"
    flags = ["--checkpoint", supplies.weights, "--output", output, "--map-size", "network"]
    flags += ["--stride", 8, "--batch-size", 1]  # one clip per film
    ended = commands.run(MODULES["predict"], *flags, "--", *films)
    assert ended.code == 0, ended
    assert {folder.name for folder in output.iterdir()} == set(NAMES)
    assert all(any(folder.rglob("*.png")) for folder in output.iterdir())
    assert "\x1b" not in ended.out + ended.err


class Tags(html.parser.HTMLParser):
    """Collects the tags of a page with their attributes, as a browser would."""

    def __init__(self):
        super().__init__()
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))


SCORED = [" ".join(name.split()) for name in NAMES if not name.startswith(".")]


def test_scores_of_films_of_those_names_are_no_markup(commands, supplies, tmp_path, tally):
    """Checks the report, the tables and the terminal."""
    tally.fault("evaluate", "odd name", len(SCORED))
    place = Place(tmp_path, supplies)
    raw, maps = place.copy("raw"), place.copy("maps")
    for folder in (*raw.glob(f"*/{DATABASE}/three"), *maps.glob("*/three")):
        for name in SCORED:
            shutil.copytree(folder, folder.with_name(name))
    lists = raw / "fold_lists" / f"{DATABASE}_list_test_fps.txt"
    lists.write_text("".join(lists.read_text().replace("three", name) for name in SCORED))
    scored = score(raw, maps, place.output, commands)
    assert scored == dict.fromkeys(SCORED, "maps")


@pytest.mark.parametrize("name", [name for name in SCORED if set(name) & set("<[{=\x1b$")])
def test_scores_by_a_method_of_that_name_are_no_markup(name, commands, supplies, tmp_path):
    scored = score(supplies.raw, supplies.maps, tmp_path / "output", commands, f"--name={name}")
    assert scored == {"three": name}


def score(raw: Path, maps: Path, output: Path, commands, *more: str) -> dict[str, str]:
    """Returns film -> method of the scored names that are not markup."""
    flags = ["--predictions", maps, "--data", raw, "--output", output, "--workers", 1, *more]
    ended = commands.run(MODULES["evaluate"], *flags)
    assert ended.code == 0, ended
    assert "\x1b" not in ended.out + ended.err
    tags = Tags()
    tags.feed((output / "report.html").read_text(encoding="utf-8"))
    assert sum(tag == "script" for tag, _ in tags.seen) == 1  # the report's own
    assert not any(key.startswith("on") or value == "x" for _, attributes in tags.seen for key, value in attributes)
    with (output / "results.csv").open(encoding="utf-8", newline="") as file:
        return {row["video"]: row["method"] for row in csv.DictReader(file)}


def test_names_that_are_no_text_are_one_line_or_work(commands, supplies, tmp_path, tally):
    tally.fault("ingest", "odd name")
    film = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4"))
    shutil.copy(supplies.films / "one.mp4", film)
    gaze = tmp_path / "gaze.csv"
    gaze.write_text(gaze_table(("??", "one")))
    ended = commands.run(
        MODULES["ingest"], "--films", film, "--gaze", gaze, "--database", "Own", "--output", tmp_path / "output"
    )
    assert ended.code == 0 or ended.error


def test_a_folder_that_leads_back_to_itself_is_walked_once(commands, supplies, tmp_path, tally):
    tally.fault("ingest", "loop of links")
    films = tmp_path / "films"
    shutil.copytree(supplies.films, films)
    (films / "again").symlink_to(films)
    gaze = tmp_path / "gaze"
    gaze.mkdir()
    (gaze / "gaze.csv").write_text(gaze_table())
    (gaze / "again").symlink_to(gaze)
    flags = ["--films", films, "--gaze", gaze, "--database", "Own", "--output", tmp_path / "output", "--workers", 1]
    ended = commands.run(MODULES["ingest"], *flags)
    assert ended.code == 0, ended
    assert "3 films" in ended.out and "3 gaze points" in ended.out
