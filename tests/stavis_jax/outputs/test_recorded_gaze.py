from types import SimpleNamespace

import pytest

from data_pipelines.films.film import open_film
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.recorded_gaze import read_recorded_gaze


@pytest.fixture
def table(tmp_path):
    def write(text: str):
        path = tmp_path / "gaze.csv"
        path.write_text(text)
        return [path]

    return write


@pytest.fixture
def film(write_film, tmp_path):
    return write_film(tmp_path / "a film.mkv", [0, 40], (48, 64))


def test_gaze_is_found_by_the_names_that_tables_use(table, film):
    for name in ("a film", "a film.mkv", "A Film.avi"):
        gaze = read_recorded_gaze(table(f"video,time,x,y\n{name},0,5,6\nother,0,1,1\n"), [film])
        (found,) = gaze.of(open_film(film))
        assert (found.x.tolist(), found.conventions.units) == ([5], "pixels")


def test_flags_say_how_gaze_was_measured(table, film):
    paths = table("video,time,x,y\na film,0,0.5,0.5\n")
    (found,) = read_recorded_gaze(paths, [film], "pixels", Viewing(screen=(640, 480))).of(open_film(film))
    assert (found.conventions.units, found.conventions.viewing.screen) == ("pixels", (640, 480))
    (found,) = read_recorded_gaze(paths, [film]).of(open_film(film))
    assert found.conventions.units == "fraction"


def test_columns_may_have_other_names(table, film):
    paths = table("video,t,gx,gy\na film,0,5,6\n")
    (found,) = read_recorded_gaze(paths, [film], columns={"time": "t", "x": "gx", "y": "gy"}).of(open_film(film))
    assert (found.x.tolist(), found.y.tolist()) == ([5], [6])


def test_digest_changes_with_the_gaze_and_with_how_it_was_measured(table, film):
    def digest(x: int, screen=None) -> str:
        paths = table(f"video,time,x,y\na film,0,{x},9\n")
        return read_recorded_gaze(paths, [film], viewing=Viewing(screen=screen)).digest()

    assert digest(5) == digest(5) != digest(6)
    assert digest(5) != digest(5, (640, 480))


def test_film_without_gaze_is_one_line(table, film, tmp_path):
    gaze = read_recorded_gaze(table("video,time,x,y\na film,0,5,6\n"), [film])
    with pytest.raises(UserError, match="b.mp4: has no gaze in the files of --gaze"):
        gaze.of(SimpleNamespace(name="b", path=tmp_path / "b.mp4"))
    with pytest.raises(UserError, match="the tables name 'other'"):
        read_recorded_gaze(table("video,time,x,y\nother,0,5,6\n"), [film])
