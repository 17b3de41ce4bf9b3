"""Writes many films with Apache Beam: on this machine, or on a cluster whose machines share a disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.local_runner import PreparationJob, finish_film


def finish_films(
    jobs: Sequence[PreparationJob], runner: str, options: Sequence[str] = ()
) -> list[tuple[PreparationJob, str]]:
    """Returns each job and the result of `finish_film`. One element of the pipeline is one film.

    Args:
      jobs: films to write.
      runner: name that Beam knows, such as DirectRunner.
      options: options of the pipeline, as on a command line.

    Raises:
      UserError: Beam is missing, does not know the runner or an option, or the pipeline fails.
    """
    beam, pipeline_options = _beam(runner)
    if not jobs:
        return []
    jobs[0].unfinished.parts.mkdir(exist_ok=True)
    try:
        flags = pipeline_options([f"--runner={runner}", *options])
        with beam.Pipeline(options=flags) as pipeline:
            # Reshuffle distributes the films, which otherwise may all stay on one machine.
            _ = pipeline | beam.Create(jobs) | beam.Reshuffle() | beam.Map(_finish_and_note)
    except Exception as error:  # each runner has its own kinds
        reason = str(error).strip().splitlines()
        raise UserError(f"--runner {runner}: the pipeline failed ({reason[-1] if reason else error!r}).") from error
    return [(job, _note(job).read_text(encoding="utf-8") if _note(job).exists() else "") for job in jobs]


def _finish_and_note(job: PreparationJob) -> None:
    """Writes a film, on any machine. Faults of the raw data are written to the disk, like the other results."""
    if fault := finish_film(job):
        _note(job).write_text(fault, encoding="utf-8")


def _note(job: PreparationJob) -> Path:
    return job.unfinished.parts / f"{job.key}.fault"


def _beam(runner: str) -> tuple[Any, Any]:
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError(
            f'--runner {runner}: Apache Beam cannot be imported ({error}). Install it: pip install ".[beam]".'
        ) from None
    return apache_beam, PipelineOptions
