"""Scores saliency maps, of this or any other model, against recorded gaze.

Maps lie in PREDICTIONS/split<n>_results/<database>/<video>/, or in PREDICTIONS/<database>/<video>/ where one set serves
all splits, or in PREDICTIONS/<video>/ where the data have one database. A map's file name ends in its 1-based frame
number: pred_sal_000009.jpg, 000009.png.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from data_pipelines.ingestion.viewing_geometry import LONGEST, SHORTEST
from data_pipelines.raw.fold_lists import SPLITS
from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.reports.html_report import write_report
from stavis_jax.reports.report_pictures import PictureSource, film_frames
from stavis_jax.reports.tables import MEAN_OF_DATABASES, print_comparison, print_table, write_comparison, write_results
from stavis_jax.scoring import bootstrap
from stavis_jax.scoring.baselines import UNIFORM, UNIFORM_NOTE
from stavis_jax.scoring.comparison import compare, read_film_scores
from stavis_jax.scoring.evaluation import BASELINES, evaluate, evaluate_with_baselines
from stavis_jax.scoring.frame_scores import ESTIMATORS, Estimators
from stavis_jax.scoring.protocol import FIRST_SCORED_FRAME, Results

EXAMPLE = "example: python -m stavis_jax.evaluate --predictions maps --data RAW --splits 1,2,3 --output scores"


def _splits(text: str) -> list[int]:
    splits = sorted({int(part) for part in text.split(",")}) if re.fullmatch(r"\d+(,\d+)*", text) else []
    if not splits or not set(splits) <= set(SPLITS):
        raise UserError(f"--splits {text}: expected some of 1, 2, 3, separated by commas, as in --splits 1,3.")
    return splits


def _baselines(text: str | None) -> list[str]:
    names = [name for name in (text or "").split(",") if name]
    if unknown := [name for name in names if name not in BASELINES]:
        raise UserError(f"--baselines {unknown[0]}: not known. Choose from {', '.join(BASELINES)}.")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stavis_jax.evaluate",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--predictions", type=Path, required=True, help="folder of the maps")
    parser.add_argument("--data", type=Path, required=True, help="folder of the raw data, or of shards")
    parser.add_argument("--output", type=Path, required=True, help="folder for report.html, results.json, the tables")
    parser.add_argument("--splits", default="1,2,3", help="splits to score (default: 1,2,3)")
    parser.add_argument("--databases", help="folders of the data, separated by commas (default: all that have maps)")
    parser.add_argument("--name", help="the method's name in the results (default: the folder's name)")
    parser.add_argument(
        "--first-frame",
        type=int,
        default=FIRST_SCORED_FRAME,
        help=f"first frame to score, from 1 (default: {FIRST_SCORED_FRAME}, the first one the original has a map for)",
    )
    parser.add_argument(
        "--estimators",
        choices=ESTIMATORS,
        default="exact",
        help="AUCs: exact, the expectation over what the original draws at random (default), or sampled as it does",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random (default: 0)")
    parser.add_argument(
        "--baselines", help=f"rows to put beside the maps', separated by commas: {', '.join(BASELINES)}"
    )
    parser.add_argument(
        "--sigma-pixels", type=float, help="of the Gaussian that makes observers' gaze a map (default: width / 20)"
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OTHER",
        help="other results (a folder with results.json, or that file) or other maps of the same films, to compare "
        "film by film: ours minus the other's, with a sign test",
    )
    parser.add_argument("--compare-method", help="the method in OTHER's results.json, where it holds several")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    for flag, value in (("--first-frame", args.first_frame), ("--workers", args.workers)):
        if value is not None and value < 1:
            raise UserError(f"{flag} {value}: expected 1 or more.")
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: expected 0 or more.")
    if args.sigma_pixels is not None and not SHORTEST <= args.sigma_pixels <= LONGEST:
        raise UserError(f"--sigma-pixels {args.sigma_pixels}: expected more than 0, from {SHORTEST:g} to {LONGEST:g}.")
    if args.output.exists() and not args.output.is_dir():
        raise UserError(f"--output {args.output}: this is a file. Name a folder.")
    with locked_folder(args.output):  # so that its files are of one run
        _score(args)


def _score(args: argparse.Namespace) -> None:
    console = Console(stderr=True)
    settings = {
        "splits": _splits(args.splits),
        "databases": args.databases and [name for name in args.databases.split(",") if name],
        "first_frame": args.first_frame,
        "estimators": Estimators(args.estimators, args.seed),
        "workers": args.workers,
        "console": console,
    }
    baselines = _baselines(args.baselines)
    name = args.name or args.predictions.resolve().name
    if name in baselines:
        raise UserError(f"--name {name}: a baseline has this name. Give another one.")
    other = None
    if args.compare and (args.compare.is_file() or (args.compare / "results.json").is_file()):
        other = read_film_scores(args.compare, args.compare_method)
    elif args.compare:
        if not args.compare.is_dir():
            raise UserError(f"--compare {args.compare}: there is no such folder. Give other results or maps.")
        other = bootstrap.film_scores(evaluate(args.compare, args.data, **settings).videos)
    evaluation = evaluate_with_baselines(
        args.predictions, args.data, name, baselines=baselines, sigma_pixels=args.sigma_pixels, **settings
    )
    methods = evaluation.methods
    comparison = None if other is None else compare(bootstrap.film_scores(methods[name].videos), other)
    compared = f"{name} minus {args.compare.resolve().name}, film by film" if comparison else ""
    notes = [UNIFORM_NOTE] if UNIFORM in methods else []
    write_results(
        args.output,
        methods,
        {"estimators": {"kind": args.estimators, "seed": args.seed}, "splits": settings["splits"], "notes": notes},
    )
    _print_results(methods, name, notes)
    if comparison:
        write_comparison(args.output, comparison, {"ours": name, "other": str(args.compare)})
        print_comparison(comparison, compared)
        for what, count in (("only here", comparison.only_ours), ("only there", comparison.only_other)):
            if count:
                console.print(f"warning: {count} films are {what} and are not compared", style="yellow")
    facts = {
        "maps": args.predictions,
        "recorded gaze": args.data,
        "splits": args.splits,
        "first frame scored": args.first_frame,
        "AUCs": "exact" if args.estimators == "exact" else f"sampled, seed {args.seed}",
    }
    report = write_report(
        args.output,
        methods,
        title=f"Saliency scores of {name}",
        main=name,
        pictures=PictureSource(film_frames(args.data), evaluation.annotations, evaluation.videos),
        comparison=comparison,
        comparison_title=compared,
        facts=facts,
        notes=notes,
        warnings=evaluation.warnings,
    )
    print(f"Report: {report}")


def _print_results(methods: Mapping[str, Results], name: str, notes: Sequence[str]) -> None:
    results = methods[name]
    films = bootstrap.film_scores(results.videos)
    rows, intervals = dict(results.databases), bootstrap.database_intervals(films)
    if len(rows) > 1:
        rows[MEAN_OF_DATABASES] = results.overall
        intervals[MEAN_OF_DATABASES] = bootstrap.overall_intervals(films)
    print_table(rows, f"{name}: {len(results.videos)} videos", heading="database", intervals=intervals)
    if len(methods) > 1:
        print_table({method: of.overall for method, of in methods.items()}, "Beside the baselines", notes=notes)


if __name__ == "__main__":
    main()
