"""Writes many films with processes on this machine and shows the progress in frames."""

import dataclasses
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.sharedctypes import Synchronized

import rich.console
import rich.progress

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.processes import in_parallel, workers_for
from data_pipelines.shards.film_to_records import Settings, write_film_records
from data_pipelines.shards.resume import Unfinished

_num_written: Synchronized  # frames that all processes have written; set by `_share_count`


@dataclasses.dataclass(frozen=True)
class PreparationJob:
    """One film to write, and where."""

    unfinished: Unfinished
    key: str
    layout: RawLayout
    film: ListedFilm
    settings: Settings


def finish_film(job: PreparationJob, on_frame: Callable[[], None] = lambda: None) -> str:
    """Writes a film. Returns the fault of its raw files as one line that names the file, or an empty string."""
    try:
        job.unfinished.finish(
            job.key, lambda folder: write_film_records(folder, job.layout, job.film, job.settings, on_frame)
        )
    except UserError as fault:
        return str(fault)
    return ""


def finish_films(jobs: Sequence[PreparationJob], workers: int | None) -> Iterator[tuple[PreparationJob, str]]:
    """Yields each job and the result of `finish_film`, in the order in which films are finished.

    Starts the longest films first, so that none runs alone at the end. If the caller stops early, the films that
    are being written are finished. Starts no process if one worker is enough; the default is one per core.
    """
    jobs = sorted(jobs, key=lambda job: -job.film.num_frames)
    num_written = multiprocessing.get_context("spawn").Value("q", 0)
    with (
        _FrameProgress(num_written, sum(job.film.num_frames for job in jobs)),
        workers_for(len(jobs), workers, _share_count, (num_written,)) as executor,
    ):
        for index, fault in in_parallel(executor, _finish_and_count, ((job,) for job in jobs)):
            yield jobs[index], fault


def _share_count(num_written: Synchronized) -> None:
    global _num_written
    _num_written = num_written


def _finish_and_count(job: PreparationJob) -> str:
    return finish_film(job, _count_frame)


def _count_frame() -> None:
    with _num_written.get_lock():
        _num_written.value += 1


class _FrameProgress(rich.progress.Progress):
    """A progress bar that reads the shared count each time it is drawn."""

    def __init__(self, num_written: Synchronized, total: int):
        self._num_written = num_written
        columns = (*self.get_default_columns(), rich.progress.MofNCompleteColumn())
        super().__init__(*columns, console=rich.console.Console(stderr=True))
        self.add_task("frames", total=total)

    def get_renderables(self):
        for task in self.task_ids:
            self.update(task, completed=self._num_written.value)
        return super().get_renderables()
