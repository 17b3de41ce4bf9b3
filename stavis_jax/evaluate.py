"""Command: scores saliency maps, of this or any other model, against recorded gaze.

Maps are in PREDICTIONS/split<n>_results/<database>/<video>/, in PREDICTIONS/<database>/<video>/ if one set serves all
splits, or in PREDICTIONS/<video>/ if a single database is scored. The file name of a map ends in its 1-based frame
number: pred_sal_000009.jpg, 000009.png. If no name ends in a number, the last number counts: frame000009_pred.png. The
map of a picture may lie in place of its folder: <database>/<picture>.png. So may a film of the maps: <video>.mp4.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from data_pipelines.ingestion.viewing_geometry import LONGEST, SHORTEST
from data_pipelines.raw.fold_lists import SPLITS
from data_pipelines.runtime.arguments import CommandParser, ListAction, positive_integer
from data_pipelines.runtime.atomic import locked_folder
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import UserError
from stavis_jax.reports.console import print_table
from stavis_jax.reports.example_frames import PictureSource, film_frames, no_film_frames
from stavis_jax.reports.report import Report, write_report
from stavis_jax.reports.results_files import write_comparison, write_results
from stavis_jax.reports.results_reader import read_film_scores
from stavis_jax.reports.score_tables import comparison_table, method_table, scores_table
from stavis_jax.scoring.baselines import UNIFORM, UNIFORM_NOTE
from stavis_jax.scoring.benchmarks import BENCHMARKS, PAPER
from stavis_jax.scoring.bootstrap import FilmScores
from stavis_jax.scoring.comparison import Comparison, compare
from stavis_jax.scoring.evaluation import BASELINES, Evaluation, EvaluationSettings, evaluate
from stavis_jax.scoring.frame_scores import ESTIMATORS, Estimators
from stavis_jax.scoring.published_source import PublishedSource


def _parser() -> CommandParser:
    parser = CommandParser("stavis_jax.evaluate", __doc__, "--predictions maps --data RAW --splits 1 2 --output scores")
    parser.add_argument("--predictions", type=Path, required=True, metavar="DIR", help="folder of the maps")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of raw data or of shards")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for report.html, results.json and the tables"
    )
    parser.add_argument(
        "--splits", action=ListAction, type=int, choices=SPLITS, default=SPLITS, metavar="N", help="splits to score"
    )
    parser.add_argument(
        "--databases", action=ListAction, metavar="NAME", help="databases to score (default: all that have maps)"
    )
    parser.add_argument("--name", help="name of the method in the results (default: the folder's name)")
    parser.add_argument(
        "--first-frame",
        type=positive_integer,
        metavar="N",
        help=f"first frame to score, from 1 (default: {PAPER.first_frame}, the first with a map of the original; with "
        "another --protocol 1)",
    )
    parser.add_argument(
        "--protocol",
        choices=BENCHMARKS,
        default="paper",
        metavar="NAME",
        help=f"benchmark whose definitions the scores follow: {', '.join(BENCHMARKS)}. --data may be in its own layout "
        "(docs/public_benchmarks.md)",
    )
    parser.add_argument(
        "--estimators",
        choices=ESTIMATORS,
        default="exact",
        help="AUCs: exact, the expectation over the original's random draws, or sampled, drawn as in the original",
    )
    parser.add_seed("the sampled AUCs and of infinite-observers")
    parser.add_argument(
        "--baselines",
        action=ListAction,
        choices=BASELINES,
        default=(),
        metavar="NAME",
        help=f"rows to add: {', '.join(BASELINES)}",
    )
    parser.add_argument(
        "--sigma-pixels",
        type=float,
        metavar="S",
        help="standard deviation of the Gaussian that makes observers' gaze a map, in pixels (default: width / 20)",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OTHER",
        help="other results (a folder with results.json, or that file) or other maps of the same films. They are "
        "compared film by film with a sign test: ours minus the other's",
    )
    parser.add_argument("--compare-method", metavar="NAME", help="method in OTHER's results.json if it holds several")
    parser.add_workers()
    return parser


@command
def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    args.splits = sorted(args.splits)
    args.name = args.name or args.predictions.resolve().name
    if args.sigma_pixels is not None and not SHORTEST <= args.sigma_pixels <= LONGEST:
        raise UserError(f"--sigma-pixels {args.sigma_pixels}: expected a number from {SHORTEST:g} to {LONGEST:g}.")
    if args.name in args.baselines:
        raise UserError(f"--name {args.name}: a baseline has this name. Give another one.")
    if args.output.exists() and not args.output.is_dir():
        raise UserError(f"--output {args.output}: this is a file. Name a folder.")
    with locked_folder(args.output):  # the files of two runs must not mix
        _score(args)


def _score(args: argparse.Namespace) -> None:
    console = Console(stderr=True)
    settings = EvaluationSettings(
        args.splits,
        args.databases,
        args.first_frame,
        BENCHMARKS[args.protocol],
        Estimators(args.estimators, args.seed),
        args.sigma_pixels,
        args.workers,
    )
    other = _other_scores(args, settings, console) if args.compare else None
    evaluation = evaluate(args.predictions, args.data, args.name, settings, baselines=args.baselines, console=console)
    films = evaluation.methods[args.name].films
    names = (args.name, args.compare.resolve().name) if args.compare else ("", "")
    comparison = None if other is None else compare(films, other, names=names)
    notes = [UNIFORM_NOTE] if UNIFORM in evaluation.methods and settings.benchmark is PAPER else []
    if settings.benchmark is not PAPER:
        notes.append(f"Scored by the definitions of {settings.benchmark.title}: {settings.benchmark.difference}")
    estimators = {"kind": args.estimators, "seed": args.seed}
    more = {"protocol": args.protocol, "estimators": estimators, "splits": args.splits, "notes": notes}
    write_results(args.output, evaluation.methods, more)
    if comparison:
        write_comparison(args.output, comparison, {"ours": args.name, "other": str(args.compare)})
    _print_tables(evaluation, args.name, notes, comparison)
    facts = {
        "maps": args.predictions,
        "recorded gaze": args.data,
        "protocol": args.protocol,
        "splits": ", ".join(map(str, args.splits)),
        **({} if all(video.is_still for video in evaluation.videos) else {"first frame scored": settings.first}),
        "AUCs": "exact" if args.estimators == "exact" else f"sampled, seed {args.seed}",
    }
    is_published = isinstance(evaluation.annotations, PublishedSource)  # its films are elsewhere
    frames = no_film_frames if is_published else film_frames(args.data)
    pictures = PictureSource(frames, evaluation.annotations, evaluation.videos)
    report = Report(
        evaluation.methods,
        f"Saliency scores of {args.name}",
        args.name,
        pictures,
        comparison,
        facts,
        notes,
        evaluation.warnings,
    )
    print(f"Report: {write_report(args.output, report)}")


def _other_scores(args: argparse.Namespace, settings: EvaluationSettings, console: Console) -> FilmScores:
    """Returns the scores to compare with. Reads them from results, or scores maps first."""
    if args.compare.is_file() or (args.compare / "results.json").is_file():
        return read_film_scores(args.compare, args.compare_method)
    if not args.compare.is_dir():
        raise UserError(f"--compare {args.compare}: no such folder. Give other results or maps.")
    return evaluate(args.compare, args.data, "other", settings, console=console).methods["other"].films


def _print_tables(evaluation: Evaluation, name: str, notes: Sequence[str], comparison: Comparison | None) -> None:
    results = evaluation.methods[name]
    print_table(method_table(f"{name}: {len(results.videos)} videos", results))
    if len(evaluation.methods) > 1:
        overall = {method: of.overall for method, of in evaluation.methods.items()}
        print_table(scores_table("Beside the baselines", overall, notes=notes))
    if comparison is None:
        return
    print_table(comparison_table(comparison))
    for where, count in (("these results", comparison.only_ours), ("the other results", comparison.only_other)):
        if count:
            warning = f"warning: {count} films are only in {where} and are not compared"
            Console(stderr=True).print(warning, style="yellow")


if __name__ == "__main__":
    main()
