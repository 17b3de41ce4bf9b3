"""Collects the scores of an ablation's parts in one table and a report."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from data_pipelines.runtime.errors import UserError
from stavis_jax.cli.versions import versions
from stavis_jax.experiments import cost
from stavis_jax.experiments.ablation_parts import SCORED, VISUAL, Part
from stavis_jax.experiments.ablation_tables import System, print_ablation, write_ablation
from stavis_jax.reports.report import Report, write_report
from stavis_jax.reports.results_reader import read_frame_scores
from stavis_jax.scoring.aggregation import VideoScores, aggregate, film_scores
from stavis_jax.scoring.baselines import CENTRE_BIAS
from stavis_jax.scoring.comparison import compare
from stavis_jax.training import sound_watch

MAIN = "l3mul-s3"  # the paper's proposal


def collect(workdir: Path, parts: Sequence[Part], console: Console) -> dict[str, System]:
    """Reads the scores of the parts, prints one table, and writes WORKDIR/ablation.{md,tex,csv,json} and report.html.

    Raises:
      UserError: no part is scored yet.
    """
    done = [part for part in parts if part.is_scored(workdir)]
    if not done:
        raise UserError(f"{workdir}: holds no scores of these variants and splits. Run without --mode=table first.")
    videos: dict[str, list[VideoScores]] = {}
    for part in done:
        scored = read_frame_scores(part.folder(workdir))
        for name in (CENTRE_BIAS, VISUAL) if part.is_visual else (part.variant,):
            videos.setdefault(name, []).extend(scored[name])
    systems = {name: _system(name, videos, done, workdir) for name in videos}
    missing = [part.name for part in parts if part not in done]
    notes = _notes(systems, missing) + _parts_without_sound(done, workdir)
    title = f"Held-out films, splits {', '.join(map(str, sorted({part.split for part in done})))}"
    write_ablation(workdir, systems, {"missing": missing, "versions": versions()}, notes)
    main = MAIN if MAIN in systems else list(systems)[-1]
    report = Report(
        {name: system.results for name, system in systems.items()},
        title=title,
        main=main,
        comparison=systems[main].gain,
        facts={"trained in": workdir, "all gains and costs": "ablation.md"},
        notes=notes,
    )
    write_report(workdir, report)
    print_ablation(systems, title, notes, console)
    return systems


def _system(name: str, videos: Mapping[str, Sequence[VideoScores]], done: Sequence[Part], workdir: Path) -> System:
    """Returns a system's row. Its gain is over the films of its own splits."""
    own = videos[name]
    splits = tuple(sorted({video.split for video in own}))
    part = next((part for part in done if part.variant == name), None)
    visual = [video for video in videos.get(VISUAL, ()) if video.split in splits]
    is_compared = part is not None and name != VISUAL and bool(visual)
    gain = compare(film_scores(own), film_scores(visual), names=(name, VISUAL)) if is_compared else None
    return System(aggregate(own), splits, _cost(part, workdir) if part else None, gain)


def _cost(part: Part, workdir: Path) -> cost.Cost:
    try:
        return cost.Cost(**part.score_record(workdir)["cost"])
    except (KeyError, TypeError) as error:
        path = part.folder(workdir) / SCORED
        raise UserError(f"{path}: holds no cost ({error}). Remove it and score again.") from None


def _parts_without_sound(parts: Sequence[Part], workdir: Path) -> list[str]:
    """Returns a note for each trained network whose sound has no effect."""
    warnings = [(part, sound_watch.warning_of(part.weights(workdir).parent)) for part in parts]
    return [f"split{part.split}/{warning}" for part, warning in warnings if warning]


def _notes(systems: Mapping[str, System], missing: Sequence[str]) -> list[str]:
    notes = []
    costs = [system.cost for system in systems.values() if system.cost]
    where = sorted({f"{of.batch_size} clips per batch on {of.device}" for of in costs})
    if where:
        notes.append(
            "Parameters: number of trained parameters. GFLOPs: XLA's count for one clip. "
            f"Clips/s: scoring speed, {'; '.join(where)}, without reading clips."
        )
    if missing:
        notes.append(f"Missing: {', '.join(missing)}. Rows with different splits are over different films.")
    return notes
