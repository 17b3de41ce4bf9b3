"""Scores saliency maps, of this or any other model, against recorded gaze.

Maps lie in PREDICTIONS/split<n>_results/<database>/<video>/, or in PREDICTIONS/<database>/<video>/ where one set serves
all splits. A map's file name ends in its 1-based frame number: pred_sal_000009.jpg, 000009.png.
"""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from data_pipelines.errors import UserError, command
from data_pipelines.fold_lists import SPLITS, read_films
from data_pipelines.raw_layout import RawLayout
from stavis_jax.metrics.prediction_files import MapFolder, find_database_folder, find_video_folder
from stavis_jax.metrics.protocol import (
    FIRST_SCORED_FRAME,
    PredictedVideo,
    Results,
    VideoScores,
    aggregate,
    score_videos,
)
from stavis_jax.reports.tables import print_table, write_results

EXAMPLE = "example: python -m stavis_jax.evaluate --predictions maps --data RAW --splits 1,2,3 --output scores"
NAMED_IN_A_WARNING = 3


def evaluate(
    predictions: Path,
    data: Path,
    *,
    splits: Sequence[int] = SPLITS,
    databases: Sequence[str] | None = None,
    first_frame: int = FIRST_SCORED_FRAME,
    workers: int | None = None,
    console: Console | None = None,
) -> Results:
    """Scores the maps of all test videos of the splits that have maps.

    Args:
        predictions, data: as in the command. databases: folders of the data; by default all that have maps.
        workers: processes, by default one a core.
        console: for warnings and the progress bar; silent without it.

    Raises:
        UserError: a folder is missing, or no test video has maps.
    """
    if not predictions.is_dir():
        raise UserError(f"--predictions {predictions}: there is no such folder. Give the folder that holds the maps.")
    layout = RawLayout(data)
    videos, missing = find_videos(predictions, layout, splits, databases)
    scores = score_videos(layout, videos, first_frame=first_frame, workers=workers, console=console)
    results = aggregate(scores)
    if not results.videos:
        raise UserError(
            f"--predictions {predictions}: no map belongs to a frame from {first_frame} on that has annotations in "
            f"{data}. Name each map by its 1-based frame number, as in pred_sal_000009.jpg."
        )
    if console:
        for warning in _warnings(missing, scores):
            console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    return results


def find_videos(
    predictions: Path, layout: RawLayout, splits: Sequence[int], databases: Sequence[str] | None
) -> tuple[list[PredictedVideo], list[str]]:
    """The test videos that have maps, and the names of those that have none.

    Raises UserError if none has.
    """
    if databases is None:
        databases = [
            database
            for database in layout.databases()
            if any(find_database_folder(predictions, split, database) for split in splits)
        ]
    found: list[PredictedVideo] = []
    missing: list[str] = []
    maps: dict[Path, MapFolder] = {}  # a folder that serves several splits is scored once
    for database in databases:
        for split in splits:
            for film in read_films(layout, "test", split, [database]):
                folder = find_video_folder(predictions, split, database, film.name)
                if folder and folder not in maps:
                    maps[folder] = MapFolder(folder)
                if folder and maps[folder]:
                    found.append(PredictedVideo(database, split, film.name, film.num_frames, maps[folder]))
                else:
                    missing.append(f"{database}/{film.name} (split {split})")
    if not found:
        raise UserError(
            f"--predictions {predictions}: holds no map of a test video of {', '.join(databases) or layout.root}. "
            "Maps belong in split<n>_results/<database>/<video>/ or <database>/<video>/."
        )
    return found, missing


def _warnings(missing: Sequence[str], scores: Sequence[VideoScores]) -> list[str]:
    """One line for each kind of thing that is left out, with a count and the first names."""
    without_map, without_annotation, empty, undefined = [], [], [], []
    for video in scores:
        name = f"{video.database}/{video.video} (split {video.split})"
        without_map += [name] * video.frames_without_map
        without_annotation += [name] * video.frames_without_annotation
        without_value = [metric for metric, mean in video.means().items() if math.isnan(mean)]
        if not video.frames.size:
            empty.append(name)
        elif without_value:
            undefined.append(f"{name} {', '.join(without_value)}")
    kinds = {
        "test videos have no maps and are left out": missing,
        "videos have no frame to score and are left out": empty,
        "frames have no map and are left out": without_map,
        "frames have no annotation and are left out": without_annotation,
        "videos have a metric without a value, and so has their database": undefined,
    }
    warnings = []
    for what, names in kinds.items():
        if names:
            distinct = list(dict.fromkeys(names))
            more = "; ..." if len(distinct) > NAMED_IN_A_WARNING else ""
            warnings.append(f"{len(names)} {what}: {'; '.join(distinct[:NAMED_IN_A_WARNING])}{more}")
    return warnings


def _splits(text: str) -> list[int]:
    splits = sorted({int(part) for part in text.split(",")}) if re.fullmatch(r"\d+(,\d+)*", text) else []
    if not splits or not set(splits) <= set(SPLITS):
        raise UserError(f"--splits {text}: expected some of 1, 2, 3, separated by commas, as in --splits 1,3.")
    return splits


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stavis_jax.evaluate",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--predictions", type=Path, required=True, help="folder of the maps")
    parser.add_argument("--data", type=Path, required=True, help="folder of the raw data: annotations, fold_lists")
    parser.add_argument("--output", type=Path, required=True, help="folder for results.json, results.csv, frames.csv")
    parser.add_argument("--splits", default="1,2,3", help="splits to score (default: 1,2,3)")
    parser.add_argument("--databases", help="folders of the data, separated by commas (default: all that have maps)")
    parser.add_argument("--name", help="the method's name in the results (default: the folder's name)")
    parser.add_argument(
        "--first-frame",
        type=int,
        default=FIRST_SCORED_FRAME,
        help=f"first frame to score, from 1 (default: {FIRST_SCORED_FRAME}, the first one the original has a map for)",
    )
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    for flag, value in (("--first-frame", args.first_frame), ("--workers", args.workers)):
        if value is not None and value < 1:
            raise UserError(f"{flag} {value}: expected 1 or more.")
    if args.output.exists() and not args.output.is_dir():
        raise UserError(f"--output {args.output}: this is a file. Name a folder.")
    results = evaluate(
        args.predictions,
        args.data,
        splits=_splits(args.splits),
        databases=args.databases and [name for name in args.databases.split(",") if name],
        first_frame=args.first_frame,
        workers=args.workers,
        console=Console(stderr=True),
    )
    name = args.name or args.predictions.resolve().name
    write_results(args.output, {name: results})
    rows = dict(results.databases)
    if len(rows) > 1:
        rows["mean of databases"] = results.overall
    print_table(rows, f"{name}: {len(results.videos)} videos", heading="database")


if __name__ == "__main__":
    main()
