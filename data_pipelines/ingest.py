"""Command: makes a database in the raw layout from films or pictures and their gaze, for data_pipelines.prepare.

docs/your_own_data.md describes the tables of gaze, recordings of eye trackers and databases that it reads.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_pipelines.ingestion.database import ingest
from data_pipelines.ingestion.gaze_tables import column_pairs
from data_pipelines.ingestion.summary import film_lines
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.arguments import CommandParser, image_size, positive_integer
from data_pipelines.runtime.command import command

EXAMPLE = "--films films --gaze gaze.csv --database Mine --output raw --viewing-distance 60 --screen-width 53"


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    report = ingest(
        flags.films,
        flags.gaze,
        flags.output,
        flags.database,
        test=flags.test,
        test_share=flags.test_share,
        seed=flags.seed,
        units=None if flags.units == "auto" else flags.units,
        columns=dict(itertools.chain(*flags.columns)),
        viewing=Viewing(
            screen=flags.screen,
            shown=flags.shown,
            sigma=flags.sigma,
            distance_cm=flags.viewing_distance,
            screen_width_cm=flags.screen_width,
            screen_pixels=flags.screen_pixels,
            sigma_degrees=flags.sigma_degrees,
        ),
        height=flags.height,
        workers=flags.workers,
        overwrite=flags.overwrite,
        check=flags.check,
        stills=flags.stills,
    )
    if flags.check:
        print(film_lines(report, flags.output, flags.database))
    print(report.summary(flags.output, flags.database))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("data_pipelines.ingest", __doc__, EXAMPLE)
    add = parser.add_argument
    paths: dict[str, Any] = {"nargs": "+", "type": Path, "required": True, "metavar": "PATH"}
    add("--films", **paths, help="films, folders of films or of a film's frames, or patterns")
    add("--gaze", **paths, help="tables, files of trackers or databases (docs/your_own_data.md), or folders")
    add("--stills", action="store_true", help="--films are pictures, each a still film (docs/stills.md)")
    add("--database", required=True, metavar="NAME", help="name of the database to make")
    add("--output", type=Path, required=True, metavar="RAW", help="raw data folder; its other databases are kept")
    add(
        "--columns",
        nargs="+",
        type=column_pairs,
        default=[],
        metavar="OURS=YOURS",
        help="names of your columns: time=t x=gx",
    )
    add("--units", choices=("auto", "pixels", "fraction"), default="auto", help="unit of x and y")
    add("--height", type=positive_integer, metavar="PIXELS", help="scale higher films down to this height")
    add("--check", action="store_true", help="draw the gaze: RAW/annotations/NAME/FILM/check.mp4 and check.png")
    parser.add_workers()
    parser.add_overwrite("a database of this name")

    add = parser.add_argument_group("how the films were shown").add_argument
    add("--screen", type=image_size, metavar="WxH", help="x and y are positions on a screen of this size in pixels")
    shown = "size on the screen: as large as fits, or unscaled (default: as a known database showed it, else fit)"
    add("--shown", choices=("fit", "native"), help=shown)
    add("--viewing-distance", type=float, metavar="CM", help="distance from eye to screen, for a blur in degrees")
    add("--screen-width", type=float, metavar="CM", help="width of the screen's picture")
    add("--screen-pixels", type=int, metavar="N", help="width of the screen, for films shown unscaled without --screen")
    add("--sigma-degrees", type=float, default=1.0, metavar="DEG", help="std of the blur in degrees of visual angle")
    add("--sigma", type=float, metavar="PIXELS", help="std of the blur in pixels of the film (default: width / 40)")

    split = parser.add_argument_group("training and test films")
    add = split.add_mutually_exclusive_group().add_argument
    add("--test", nargs="+", metavar="FILM", help="test films of every split; the others are training films")
    add(
        "--test-share",
        type=float,
        default=0.2,
        metavar="S",
        help="share of test films, drawn per split",
    )
    parser.add_seed("the test films")
    return parser


if __name__ == "__main__":
    main()
