"""Made-up scores of a database of the paper and of a user's own, with names that are no plain text anywhere.

And films: made ones, real ones, and what is predicted of them.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.raw.fold_lists import ListedFilm
from stavis_jax.reports.example_frames import PictureSource
from stavis_jax.reports.report import Report, write_report
from stavis_jax.scoring.aggregation import Results, VideoScores, aggregate
from stavis_jax.scoring.comparison import compare
from stavis_jax.scoring.frame_scores import ALL_METRICS
from stavis_jax.scoring.protocol import PredictedVideo

OWN_DATABASE = 'my_films & <b>"50%"</b>'
FILM = "<script>document.title = 'taken over'</script>"
METHOD = "a|b_c*<img src=https://example.org/x.png>"
WARNING = "3 maps are <u>black</u>"
NUM_FRAMES = 24
HEIGHT, WIDTH = 30, 40


def scored(seed: int, shift: float = 0.0, sizes: tuple[int, int] = (3, 2)) -> Results:
    rng = np.random.default_rng(seed)
    frames = np.arange(9, NUM_FRAMES + 1)
    videos = []
    for database, count in zip(("AVAD", OWN_DATABASE), sizes, strict=True):
        for number in range(count):
            values = {metric: rng.uniform(0.1, 0.9, frames.size) + shift for metric in ALL_METRICS}
            values["IG"][4:7] = np.nan
            name = FILM if database == OWN_DATABASE and number == 0 else f"film_{number}"
            videos.append(VideoScores(database, 1, name, frames, values))
    videos[-1].values["sAUC"][:] = np.nan
    return aggregate(videos)


@dataclasses.dataclass(frozen=True)
class Names:
    database: str = OWN_DATABASE
    film: str = FILM
    method: str = METHOD
    warning: str = WARNING


class MovingSpot:
    """Annotations: a spot that moves. No database and no list is asked for."""

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        return (255 * np.exp(-((rows - number) ** 2 + (columns - 20) ** 2) / 30)).astype(np.uint8)

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        return (self.density(database, video, number) > 250).astype(np.uint8)

    def databases(self) -> list[str]:
        raise AssertionError

    def films(self, subset: str, split: int, databases: object = None) -> list[ListedFilm]:
        raise AssertionError


@pytest.fixture(scope="session")
def names() -> Names:
    return Names()


@pytest.fixture(scope="session")
def methods() -> dict[str, Results]:
    return {"center-bias": scored(1), METHOD: scored(2, 0.05)}


@pytest.fixture(scope="session")
def pictures(methods) -> PictureSource:
    """No film frame of film_1 is there."""
    rng = np.random.default_rng(5)
    maps = {number: rng.integers(0, 256, (28, 28)).astype(np.uint8) for number in range(1, NUM_FRAMES + 1)}
    videos = [PredictedVideo(v.database, v.split, v.video, NUM_FRAMES, maps) for v in methods[METHOD].videos]
    frame = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return PictureSource(lambda database, video, number: None if video == "film_1" else frame, MovingSpot(), videos)


@pytest.fixture(scope="session")
def report(methods, pictures, tmp_path_factory) -> Path:
    """report.html, with its tables beside it."""
    report = Report(
        methods,
        title=f"Scores of {METHOD}",
        pictures=pictures,
        comparison=compare(methods[METHOD].films, scored(3).films, names=(METHOD, "another")),
        facts={"maps": "folder/<maps>"},
        notes=["a <note>"],
        warnings=[WARNING],
    )
    return write_report(tmp_path_factory.mktemp("report"), report)
