"""Scores the networks that were trained in a working directory: maps of the test films, scores, a table, a report."""

from pathlib import Path
from typing import Any

import ml_collections
from rich.console import Console

from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import open_annotations
from stavis_jax.cli.versions import versions
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.settings import ScoringSettings, network_config
from stavis_jax.experiments.test_maps import predict_test_films
from stavis_jax.experiments.workdir import check_same_settings
from stavis_jax.ops.number_format import number_format
from stavis_jax.reports.comparison_picture import save_comparison
from stavis_jax.reports.console import print_table
from stavis_jax.reports.example_frames import PictureSource, film_frames, middle_frames
from stavis_jax.reports.report import Report, write_report
from stavis_jax.reports.results_files import write_results
from stavis_jax.reports.score_tables import notes_on_stills, scores_table
from stavis_jax.scoring import baselines, protocol
from stavis_jax.scoring.aggregation import aggregate
from stavis_jax.scoring.comparison import compare
from stavis_jax.scoring.score_warnings import print_warnings, warnings_of
from stavis_jax.training import sound_watch


def score_workdir(
    config: ml_collections.ConfigDict, data: ExperimentData, workdir: Path, console: Console
) -> dict[str, Any]:
    """Scores the centre bias and every trained variant on the test films of the split.

    Writes WORKDIR/maps/, results.json and the other tables, comparison.png and report.html.

    Returns:
      The content of results.json.

    Raises:
      UserError: the training of the variant is not complete, or WORKDIR holds a training with other settings.
    """
    check_same_settings(config, workdir, started=None)
    settings, main = ScoringSettings(**config.evaluation), network_config(config).variant
    dtype = number_format(settings.dtype).name
    trained = [name for name in dict.fromkeys(("visual", main)) if (workdir / name / "last").is_dir()]
    if main not in trained:
        raise UserError(f"{workdir}: the training of {main} is not complete. Run with --mode=train_and_evaluate.")
    annotations, films = open_annotations(data.annotations), data.films("test")
    bias = baselines.centre_bias(annotations, data.films("train"))
    predictions = {baselines.CENTRE_BIAS: baselines.same_map_predictions(bias, films, data.split)}
    for variant in trained:
        weights, maps = workdir / variant / settings.weights, workdir / "maps" / variant
        predictions[variant] = predict_test_films(weights, data, films, maps, settings, console)
    scores = {
        name: protocol.score_videos(annotations, videos, baselines={data.split: bias}, console=console)
        for name, videos in predictions.items()
    }
    results = {name: aggregate(videos) for name, videos in scores.items()}
    content = write_results(workdir, results, {"split": data.split, "dtype": dtype, "versions": versions()})
    title = f"Held-out films of split {data.split}"
    notes = notes_on_stills(results[main].videos)
    print_table(scores_table(title, {name: of.overall for name, of in results.items()}, notes=notes), console)
    unused_sound = sound_watch.warning_of(workdir / main)
    warnings = [*warnings_of(scores[main]), *([unused_sound] if unused_sound else [])]
    print_warnings(warnings, console)
    read_frame = film_frames(data.annotations)
    pictures = middle_frames(read_frame, annotations, predictions, settings.pictures)
    if pictures["frame"]:
        save_comparison(workdir / "comparison.png", pictures)
    names = main, "visual"
    is_compared = main != "visual" and "visual" in trained
    report = Report(
        results,
        title=title,
        main=main,
        pictures=PictureSource(read_frame, annotations, predictions[main]),
        comparison=compare(*(results[name].films for name in names), names=names) if is_compared else None,
        facts={"trained in": workdir, "data": data.shards, "preset": config.preset, "number format": dtype},
        warnings=warnings,
    )
    path = write_report(workdir, report)
    console.print(f"Report: {path}", markup=False, highlight=False, soft_wrap=True)
    return content
