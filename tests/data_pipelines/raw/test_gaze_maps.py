"""Gaze on the film: maps, how far a point spreads, where a screen's point lies on the film."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.io import loadmat

from data_pipelines.ingestion.gaze import GazeTable, find_units
from data_pipelines.ingestion.gaze_on_frames import frames_of
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.raw.gaze_maps import density_map, fixation_map, save_fixations
from data_pipelines.runtime.errors import UserError

NO_POINTS = np.zeros((0, 2), int)
TIMES = np.array([0, 0.1, 0.2, 0.5, 0.6])  # four frames, the third of them stays for three


def gaze(starts, durations=0.0, x=1.0, y=1.0, counts_frames=False) -> GazeTable:
    starts = np.atleast_1d(np.asarray(starts, float))
    rest = (np.broadcast_to(np.asarray(value, float), starts.shape) for value in (durations, x, y))
    return GazeTable(starts, *rest, counts_frames, np.zeros(len(starts), int), ("",))


def test_fixation_map_is_one_where_somebody_looks():
    fixations = fixation_map(np.array([[3, 1], [3, 1], [0, 4]]), (8, 5))
    assert fixations.dtype == np.uint8
    assert fixations.shape == (5, 8)
    assert fixations[1, 3] == fixations[4, 0] == 1
    assert fixations.sum() == 2


def test_density_map_is_the_blurred_count_of_the_points():
    points = np.array([[3, 1], [3, 1], [20, 30], [47, 35]])
    counts = np.zeros((36, 48))
    np.add.at(counts, (points[:, 1], points[:, 0]), 1)
    blurred = ndimage.gaussian_filter(counts, 2.5, mode="constant", truncate=20)
    density = density_map(points, (48, 36), 2.5)
    assert density.dtype == np.uint8
    assert density.max() == 255
    np.testing.assert_allclose(density, 255 * blurred / blurred.max(), atol=0.51)  # rounded to whole numbers


def test_the_density_of_pixels_that_are_not_square_is_round_as_players_show_it():
    density = density_map(np.array([[24, 18]]), (48, 36), 4, pixel_aspect=2)
    assert density[18, 24 + 2] == density[18 + 4, 24] == density_map(np.array([[24, 18]]), (48, 36), 4)[18, 24 + 4]


def test_truncated_density_is_what_scipy_blurs():
    points = np.array([[3, 1], [3, 1], [20, 30], [47, 35]])
    counts = np.zeros((36, 48))
    np.add.at(counts, (points[:, 1], points[:, 0]), 1)
    blurred = ndimage.gaussian_filter(counts, 2.5, mode="constant", truncate=3)
    np.testing.assert_array_equal(
        density_map(points, (48, 36), 2.5, truncate=3), np.round(255 * blurred / blurred.max())
    )


def test_the_same_fixations_give_the_same_bytes(tmp_path, monkeypatch):
    fixations = fixation_map(np.array([[3, 1]]), (8, 5))
    save_fixations(tmp_path / "one.mat", fixations)
    monkeypatch.setattr("time.asctime", lambda: "another day")
    save_fixations(tmp_path / "other.mat", fixations)
    assert (tmp_path / "one.mat").read_bytes() == (tmp_path / "other.mat").read_bytes()
    np.testing.assert_array_equal(loadmat(tmp_path / "one.mat")["eyeMap"], fixations)


def test_a_frame_without_gaze_is_black():
    assert not fixation_map(NO_POINTS, (8, 5)).any()
    assert not density_map(NO_POINTS, (8, 5), 2).any()
    assert density_map(NO_POINTS, (8, 5), 2).shape == (5, 8)


def test_a_sample_belongs_to_the_frame_on_the_screen_at_its_time():
    first, last = frames_of(gaze([0, 0.05, 0.1, 0.3, 0.4999, 0.59, 0.6, -0.01]), TIMES)
    np.testing.assert_array_equal(first[:6], [0, 0, 1, 2, 3, 3])  # 0.4999: written in whole ms it is the next frame's
    np.testing.assert_array_equal(first[:6], last[:6])
    assert (first[6:] > last[6:]).all()  # after the film, before it


def test_a_fixation_covers_the_frames_that_are_there_while_it_lasts():
    first, last = frames_of(gaze([0.05, 0.1, -0.2, 0.55, -0.2], [0.1, 0.1, 0.25, 9, 0.1]), TIMES)
    np.testing.assert_array_equal(first[:4], [0, 1, 0, 3])
    np.testing.assert_array_equal(last[:4], [1, 1, 0, 3])  # one that ends as a frame comes is not on it
    assert first[4] > last[4]


def test_frame_numbers_name_the_frames_themselves():
    first, last = frames_of(gaze([1, 3, 4, 5], [0, 0.35, 0, 0], counts_frames=True), TIMES)
    np.testing.assert_array_equal(first[:3], [0, 2, 3])
    np.testing.assert_array_equal(last[:3], [0, 3, 3])
    assert first[3] > last[3]


def test_units_are_found_from_the_numbers_and_doubt_is_told():
    spread = np.linspace(-0.1, 1.2, 100)
    assert find_units([gaze(spread, x=spread, y=spread)]) == "fraction"
    assert find_units([gaze(spread, x=640 * spread, y=360 * spread)]) == "pixels"
    with pytest.raises(UserError, match="--units: 150 of 200 gaze points"):
        find_units([gaze(spread, x=spread), gaze(spread, x=np.r_[spread[:50], 99 + spread[:50]])])


def test_one_degree_is_as_wide_as_the_geometry_says():
    # 2 x 60 cm x tan(0.5 degrees) = 1.0472 cm on a screen of 1920 pixels on 53 cm: 37.94 screen pixels.
    seen = {"distance_cm": 60, "screen_width_cm": 53}
    assert Viewing(**seen, screen=(1920, 1080)).film_sigma((1920, 1080)) == pytest.approx(37.937, abs=1e-3)
    # A film of 960 x 540 is enlarged twice on it, or not at all, or fills a screen of which no more is known.
    assert Viewing(**seen, screen=(1920, 1080)).film_sigma((960, 540)) == pytest.approx(18.969, abs=1e-3)
    assert Viewing(**seen, screen=(1920, 1080), shown="native").film_sigma((960, 540)) == pytest.approx(
        37.937, abs=1e-3
    )
    assert Viewing(**seen, screen_pixels=1920).film_sigma((960, 540)) == pytest.approx(37.937, abs=1e-3)
    assert Viewing(**seen).film_sigma((960, 540)) == pytest.approx(18.969, abs=1e-3)
    # 2 x 60 cm x tan(1 degree) = 2.0946 cm.
    assert Viewing(**seen, sigma_degrees=2).film_sigma((1920, 1080)) == pytest.approx(75.880, abs=1e-3)


def test_sigma_is_as_given_or_a_fortieth_of_the_width():
    assert Viewing(sigma=12.5).film_sigma((1920, 1080)) == 12.5
    assert Viewing().film_sigma((1920, 1080)) == 48


@pytest.mark.parametrize(
    ("viewing", "units", "point", "expected"),
    [
        (Viewing(), "pixels", (100, 50), (100, 50)),
        (Viewing(), "fraction", (0.5, 0.25), (320, 90)),
        (Viewing(screen=(1280, 1024)), "pixels", (640, 512), (320, 180)),  # 152 black lines above and below
        (Viewing(screen=(1280, 1024)), "pixels", (0, 152), (0, 0)),
        (Viewing(screen=(1280, 1024)), "pixels", (1280, 872), (640, 360)),
        (Viewing(screen=(1280, 1024)), "fraction", (0.25, 0.5), (160, 180)),
        (Viewing(screen=(1000, 360)), "pixels", (180, 0), (0, 0)),  # as high as the screen
        (Viewing(screen=(1280, 960), shown="native"), "pixels", (320, 300), (0, 0)),
        (Viewing(screen=(1280, 960), shown="native"), "fraction", (0.5, 0.5), (320, 180)),
        (Viewing(screen=(1280, 1024), measured_on_film=True), "fraction", (0.5, 0.25), (320, 90)),
        (Viewing(shown="fit").over(Viewing(screen=(1280, 720), shown="native")), "pixels", (0, 0), (0, 0)),
        (Viewing().over(Viewing(screen=(1280, 720), shown="native")), "pixels", (320, 180), (0, 0)),
        (Viewing(screen=(1280, 1024)).over(Viewing(measured_on_film=True)), "pixels", (100, 50), (100, 50)),
    ],
)
def test_a_point_of_the_screen_is_found_on_the_film(viewing, units, point, expected):
    x, y = viewing.on_film(np.array([point[0]], float), np.array([point[1]], float), units, (640, 360))
    np.testing.assert_allclose([x[0], y[0]], expected)


@pytest.mark.parametrize(
    ("viewing", "units", "point", "expected"),
    [
        (
            Viewing(screen=(1920, 1080)),
            "pixels",
            (960, 270),
            (360, 144),
        ),  # shown as 1024x576
        (Viewing(screen=(1920, 1080)), "fraction", (0.25, 0.5), (180, 288)),
        (Viewing(screen=(1024, 768)), "pixels", (0, 96), (0, 0)),
        (Viewing(screen=(1224, 776), shown="native"), "pixels", (100 + 512, 100), (360, 0)),
        (Viewing(), "pixels", (360, 144), (360, 144)),
        (Viewing(screen=(1024, 768), measured_on_film=True), "fraction", (0.5, 0.25), (360, 144)),
    ],
)
def test_films_whose_pixels_are_not_square_are_as_wide_on_the_screen_as_players_show_them(
    viewing, units, point, expected
):
    x, y = viewing.on_film(np.array([point[0]], float), np.array([point[1]], float), units, (720, 576), 64 / 45)
    np.testing.assert_allclose([x[0], y[0]], expected)
    seen = Viewing(screen=(1920, 1080), distance_cm=60, screen_width_cm=52)
    for viewing in (seen, Viewing(), Viewing(distance_cm=60, screen_width_cm=52)):
        assert viewing.film_sigma((720, 576), 64 / 45) == pytest.approx(viewing.film_sigma((1024, 576)))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"sigma": 0}, "--sigma 0: is not a length"),
        ({"sigma": float("nan")}, "--sigma nan"),
        ({"screen": (0, 100)}, "--screen 0"),
        ({"distance_cm": 60}, "only one is given"),
        ({"distance_cm": 60, "screen_width_cm": -1}, "--screen-width -1"),
        ({"sigma": 3, "distance_cm": 60, "screen_width_cm": 50}, "--sigma: is given together with"),
        ({"screen_pixels": 1920}, "--screen-pixels: is used only with"),
        ({"shown": "stretched"}, "--shown stretched"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, fault):
    with pytest.raises(UserError, match=fault):
        Viewing(**settings)


@pytest.mark.parametrize(
    ("flags", "known", "fault"),
    [
        (Viewing(sigma_degrees=2), Viewing(), "--sigma-degrees: the size of a degree is unknown"),
        (Viewing(sigma_degrees=2), Viewing(sigma=12.74), "--sigma-degrees: the size of a degree is unknown"),
        (Viewing(sigma_degrees=2, sigma=5), Viewing(distance_cm=60, screen_width_cm=50), "no --sigma"),
        (Viewing(shown="native"), Viewing(), "--shown native: the size of the screen is unknown"),
    ],
)
def test_flags_without_effect_are_refused(flags, known, fault):
    with pytest.raises(UserError, match=fault):
        flags.over(known)


def test_flags_take_effect_on_what_a_recording_states():
    stated = Viewing(screen=(1280, 960), distance_cm=60, screen_width_cm=50)
    assert Viewing(sigma_degrees=2).over(stated).film_sigma((640, 480)) == pytest.approx(
        2 * stated.film_sigma((640, 480)), rel=1e-3
    )
    assert Viewing(shown="native").over(stated).shown == "native"
