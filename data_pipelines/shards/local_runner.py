"""Writes many films with a few processes of this machine, and shows how far they are."""

import concurrent.futures
import dataclasses
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence

import rich.console
import rich.progress

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime import processes
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.film_to_records import Settings, write_film
from data_pipelines.shards.resume import Unfinished

_REFRESH_SECONDS = 0.2

_frames_of_all = None  # in a worker process: the frames written, a count that all workers share


@dataclasses.dataclass(frozen=True)
class FilmJob:
    """One film to finish."""

    unfinished: Unfinished
    key: str
    layout: RawLayout
    film: ListedFilm
    settings: Settings


def finish_film(job: FilmJob, on_frame: Callable[[], None] = lambda: None) -> str:
    """Writes a film. Returns what is wrong with its raw files, a line that names one; empty if nothing is."""
    try:
        job.unfinished.finish(job.key, lambda folder: write_film(folder, job.layout, job.film, job.settings, on_frame))
    except UserError as fault:
        return str(fault)
    return ""


def finish_films(jobs: Sequence[FilmJob], workers: int) -> Iterator[tuple[FilmJob, str]]:
    """`finish_film` for many, as they get done; the films that are under way when the caller stops are finished.

    The longest films start first: none is left for the end alone. With 1 worker no process is started.
    """
    longest_first = sorted(jobs, key=lambda job: -job.film.num_frames)
    with _progress_bar() as progress:
        task = progress.add_task("frames", total=sum(job.film.num_frames for job in jobs))
        if min(workers, len(jobs)) <= 1:
            for job in longest_first:
                yield job, finish_film(job, lambda: progress.advance(task))
            return
        frames = multiprocessing.get_context("spawn").Value("q", 0)
        executor = processes.new_pool(min(workers, len(jobs)), _start_worker, (frames,))
        try:
            with processes.worker_death_as_user_error(executor):
                futures = {executor.submit(_finish_film_counted, job): job for job in longest_first}
                for future in _as_completed(futures, lambda: progress.update(task, completed=frames.value)):
                    yield futures[future], future.result()
        finally:
            executor.shutdown(cancel_futures=True)


def _as_completed(
    futures: Iterable[concurrent.futures.Future], on_refresh: Callable[[], None]
) -> Iterator[concurrent.futures.Future]:
    pending = set(futures)
    while pending:
        done, pending = concurrent.futures.wait(
            pending, timeout=_REFRESH_SECONDS, return_when=concurrent.futures.FIRST_COMPLETED
        )
        on_refresh()
        yield from done


def _start_worker(frames) -> None:
    global _frames_of_all
    _frames_of_all = frames
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word; the parent has one


def _finish_film_counted(job: FilmJob) -> str:
    return finish_film(job, _count_frame)


def _count_frame() -> None:
    with _frames_of_all.get_lock():
        _frames_of_all.value += 1


def _progress_bar() -> rich.progress.Progress:
    columns = (*rich.progress.Progress.get_default_columns(), rich.progress.MofNCompleteColumn())
    return rich.progress.Progress(*columns, console=rich.console.Console(stderr=True))
