"""Writes many films with Apache Beam: on this machine, or on a cluster whose machines all see the same disk."""

from collections.abc import Sequence

from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.local_runner import FilmJob, finish_film


def finish_films(jobs: Sequence[FilmJob], runner: str, options: Sequence[str] = ()) -> list[tuple[FilmJob, str]]:
    """`film_workers.finish_film` for many; one element of the pipeline is one film.

    `runner`: a name that Beam knows, as DirectRunner; `options`: of the pipeline, as on a command line.
    Raises UserError if Beam is missing, does not know the runner or an option, or if its pipeline fails.
    """
    beam, pipeline_options = _beam(runner)
    if not jobs:
        return []
    jobs[0].unfinished.parts.mkdir(exist_ok=True)
    try:
        flags = pipeline_options([f"--runner={runner}", *options])
        with beam.Pipeline(options=flags) as pipeline:
            # Reshuffled, so that one machine does not keep all films to itself.
            _ = pipeline | beam.Create(jobs) | beam.Reshuffle() | beam.Map(_finish_and_note)
    except Exception as error:  # of the runner's own kinds
        reason = str(error).strip().splitlines()
        raise UserError(f"--runner {runner}: the pipeline failed ({reason[-1] if reason else error!r}).") from error
    return [(job, _noted(job)) for job in jobs]


def _finish_and_note(job: FilmJob) -> None:
    """Runs on any machine; a fault of the raw data goes to the disk, as the other results do."""
    fault = finish_film(job)
    if fault:
        _note(job).write_text(fault, encoding="utf-8")


def _noted(job: FilmJob) -> str:
    return _note(job).read_text(encoding="utf-8") if _note(job).exists() else ""


def _note(job: FilmJob):
    return job.unfinished.parts / f"{job.key}.fault"


def _beam(runner: str):
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError(
            f'--runner {runner}: Apache Beam cannot be imported ({error}). Install it: pip install ".[beam]".'
        ) from None
    return apache_beam, PipelineOptions
