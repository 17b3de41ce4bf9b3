"""Scores by the definitions of other benchmarks, from their own layouts, beside plain computations."""

import csv
import json

import made_benchmarks
import numpy as np
import pytest
from ingested import NUM_FRAMES, write_film
from PIL import Image

from data_pipelines.ingest import ingest
from data_pipelines.runtime.errors import UserError
from stavis_jax import evaluate
from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.benchmarks import BENCHMARKS
from stavis_jax.scoring.crowd_films import CrowdFilms
from stavis_jax.scoring.drawn_fixations import draw_fixations
from stavis_jax.scoring.published_maps import PublishedMaps
from stavis_jax.scoring.video_fixations import VideoFixations

SHAPE = (36, 64)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def run(tmp_path, protocol, *flags):
    folders = ("--predictions", tmp_path / "preds", "--data", tmp_path / "data", "--output", tmp_path / "scores")
    evaluate.main([*map(str, folders), "--protocol", protocol, "--name", "ours", "--workers", "1", *flags])
    with open(tmp_path / "scores/frames.csv", newline="") as file:
        frames = {(row["video"], int(row["frame"])): row for row in csv.DictReader(file)}
    return json.loads((tmp_path / "scores/results.json").read_text()), frames


def write_predictions(folder, maps, names):
    folder.mkdir(parents=True)
    for name, saliency in zip(names, maps, strict=True):
        Image.fromarray(saliency).save(folder / f"{name}.png")


def made_maps(rng, count, shape=SHAPE):
    return np.stack([made_benchmarks.density_map(rng, shape) for _ in range(count)])


def made_fixations(rng, count):
    fixations = np.zeros((count, *SHAPE), np.uint8)
    for of_frame in fixations:
        points = made_benchmarks.fixation_points(rng, SHAPE)
        of_frame[points[:, 0], points[:, 1]] = 1
    return fixations


def plain_auc(saliency, fixated):
    """Share of pairs (fixated, other) in the right order, and the last piece of the curve, without ties."""
    on, off = saliency[fixated > 0], saliency[fixated == 0]
    pairs = np.mean([(value > off).mean() + (value == off).mean() / 2 for value in on])
    return pairs + (off > on.min()).mean() / (2 * on.size)


def test_dhf1k_scores_agree_with_a_plain_computation(tmp_path, rng):
    densities, fixations, maps = made_maps(rng, 3), made_fixations(rng, 3), made_maps(rng, 3)
    names = ["0001", "0002", "0003"]
    made_benchmarks.write_map_folder(tmp_path / "data/annotation/0601", names, densities, fixations, mat=True)
    write_predictions(tmp_path / "preds/0601", maps, names)
    results, frames = run(tmp_path, "dhf1k")
    assert list(results["databases"]) == ["DHF1K"] and results["protocol"] == "dhf1k"
    for index in range(3):
        row = {metric: float(frames["0601", index + 1][metric]) for metric in ("CC", "NSS", "AUC-J", "sAUC", "SIM")}
        saliency, density = maps[index].astype(float), densities[index].astype(float)
        assert row["CC"] == pytest.approx(np.corrcoef(saliency.ravel(), density.ravel())[0, 1], abs=1e-9)
        expected = (saliency[fixations[index] > 0].mean() - saliency.mean()) / saliency.std(ddof=1)
        assert row["NSS"] == pytest.approx(expected, abs=1e-9)
        shares = [(of - of.min()) / (of - of.min()).sum() for of in (saliency, density)]
        assert row["SIM"] == pytest.approx(np.minimum(*shares).sum(), abs=1e-9)
        assert row["AUC-J"] == pytest.approx(plain_auc(saliency, fixations[index]), abs=2e-3)  # ties of 8-bit levels


def test_dhf1k_negatives_are_the_union_of_ten_drawn_frames(tmp_path, rng):
    # Three frames in all: ten are not there to draw, so that every draw is all three.
    densities, fixations, maps = made_maps(rng, 3), made_fixations(rng, 3), made_maps(rng, 3)
    names = ["0001", "0002", "0003"]
    made_benchmarks.write_map_folder(tmp_path / "data/0601", names[:2], densities[:2], fixations[:2], mat=False)
    made_benchmarks.write_map_folder(tmp_path / "data/0602", names[:1], densities[2:], fixations[2:], mat=False)
    write_predictions(tmp_path / "preds/0601", maps[:2], names[:2])
    write_predictions(tmp_path / "preds/0602", maps[2:], names[:1])
    _, frames = run(tmp_path, "dhf1k")
    saliency = maps[0].astype(float)
    stretched = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    levels = np.sum(stretched[..., None] >= np.arange(11) / 10, axis=-1)
    on, off = levels[fixations[0] > 0], levels[fixations.any(axis=0)]  # the frame's own pixels stay among them
    expected = np.mean([(value > off).mean() + (value == off).mean() / 2 for value in on])
    assert float(frames["0601", 1]["sAUC"]) == pytest.approx(expected, abs=1e-9)


def test_dhf1k_database_is_the_mean_over_frames_and_its_interval_covers_it(tmp_path, rng):
    names = [f"{number:04d}" for number in range(1, 7)]
    for film, count in (("0601", 6), ("0602", 1)):
        made_benchmarks.write_map_folder(
            tmp_path / "data" / film, names[:count], made_maps(rng, count), made_fixations(rng, count), mat=False
        )
        write_predictions(tmp_path / "preds" / film, made_maps(rng, count), names[:count])
    results, frames = run(tmp_path, "dhf1k")
    for metric in ("CC", "NSS", "AUC-J", "sAUC", "SIM"):
        value = results["databases"]["DHF1K"]["ours"][metric]
        assert value == pytest.approx(np.mean([float(row[metric]) for row in frames.values()]), abs=1e-12)
        low, high = results["intervals"]["databases"]["DHF1K"]["ours"][metric]
        assert low <= value <= high


def test_mean_over_frames_drops_the_nan_frames_of_a_metric():
    one = VideoScores("D", 1, "a", np.arange(1, 4), {"CC": np.array([0.0, np.nan, 0.3])})
    other = VideoScores("D", 1, "b", np.arange(1, 2), {"CC": np.array([0.9])})
    assert aggregate([one, other], weighs_frames=True).databases["D"]["CC"] == pytest.approx(0.4)
    assert aggregate([one, other]).databases["D"]["CC"] == pytest.approx((0.15 + 0.9) / 2)


def test_dhf1k_training_films_are_not_missed(tmp_path, rng, capsys):
    for film in ("0600", "0601"):
        made_benchmarks.write_map_folder(
            tmp_path / "data" / film, ["0001"], made_maps(rng, 1), made_fixations(rng, 1), mat=False
        )
    write_predictions(tmp_path / "preds/601", made_maps(rng, 1), ["000001"])  # as predict names a film 601.AVI
    results, _ = run(tmp_path, "dhf1k")
    assert [video["video"] for video in results["videos"]] == ["0601"]
    assert "have no maps" not in capsys.readouterr().err


@pytest.mark.parametrize("first", [41, 1])
def test_hollywood_shot_may_be_numbered_as_published_or_from_one(tmp_path, rng, first):
    film = "actionclipTest00001_2"
    published = [f"actionclipTest00001_{number:05d}" for number in (41, 42)]
    densities, maps = made_maps(rng, 2), made_maps(rng, 2)
    made_benchmarks.write_map_folder(tmp_path / "data" / film, published, densities, made_fixations(rng, 2), mat=False)
    write_predictions(tmp_path / "preds" / film, maps, [f"{number:05d}" for number in (first, first + 1)])
    _, frames = run(tmp_path, "hollywood2")
    expected = np.corrcoef(maps[1].ravel(), densities[1].ravel())[0, 1]
    assert float(frames[film, 2]["CC"]) == pytest.approx(expected, abs=1e-9)


def test_avimos_scores_agree_with_a_plain_computation(tmp_path, rng):
    densities, maps = made_maps(rng, 4), made_maps(rng, 4)
    points = [made_benchmarks.fixation_points(rng, SHAPE) for _ in range(4)]
    made_benchmarks.write_crowd_film(tmp_path / "data", "clip_1", densities, points)
    made_benchmarks.write_grey_film(tmp_path / "preds/clip_1.mp4", maps, "yuv420p")
    results, frames = run(tmp_path, "avimos")
    with_levels = CrowdFilms(tmp_path / "data", "AViMoS")
    for index in range(4):
        row = {metric: float(frames["clip_1", index + 1][metric]) for metric in ("CC", "NSS", "AUC-J", "SIM")}
        # The films hold what was written, but for the rounding to the video's levels.
        density = with_levels.density("AViMoS", "clip_1", index + 1)
        assert np.corrcoef(density.ravel(), densities[index].ravel())[0, 1] > 0.9999
        saliency = maps[index].astype(float)
        assert row["CC"] == pytest.approx(np.corrcoef(saliency.ravel(), density.ravel())[0, 1], abs=2e-3)
        at = saliency[points[index][:, 0], points[index][:, 1]]  # the doubled point counts twice
        assert row["NSS"] == pytest.approx((at.mean() - saliency.mean()) / saliency.std(), abs=1e-2)
        shares = [(of - of.min()) / (of - of.min()).sum() for of in (saliency, density)]
        assert row["SIM"] == pytest.approx(np.minimum(*shares).sum(), abs=5e-3)
        pairs = np.mean([(value > saliency).mean() + (value == saliency).mean() / 2 for value in at])
        assert row["AUC-J"] == pytest.approx(pairs + (saliency > at.min()).mean() / (2 * len(at)), abs=2e-2)
    assert "sAUC" not in results["databases"]["AViMoS"]["ours"]
    page = (tmp_path / "scores/report.html").read_text()
    assert "Scored by the definitions of AViMoS" in page and "pictures have none" not in page
    mean = np.mean([float(row["CC"]) for row in frames.values()])
    assert results["databases"]["AViMoS"]["ours"]["CC"] == pytest.approx(mean, abs=1e-12)


def test_worker_processes_give_the_same_scores(tmp_path, rng):
    for name in ("clip_1", "clip_2"):
        points = [made_benchmarks.fixation_points(rng, SHAPE) for _ in range(3)]
        made_benchmarks.write_crowd_film(tmp_path / "data", name, made_maps(rng, 3), points)
        made_benchmarks.write_grey_film(tmp_path / f"preds/{name}.mp4", made_maps(rng, 3), "yuv420p")
    alone, _ = run(tmp_path, "crowdsal")
    together, _ = run(tmp_path, "crowdsal", "--workers", "2")
    assert together["videos"] == alone["videos"] and len(alone["videos"]) == 2


def test_raw_data_can_be_scored_by_another_benchmark_and_give_nearly_its_scores(tmp_path, rng):
    densities, maps = made_maps(rng, NUM_FRAMES), made_maps(rng, NUM_FRAMES)
    points = [made_benchmarks.fixation_points(rng, SHAPE)[:-1] for _ in range(NUM_FRAMES)]  # none twice
    made_benchmarks.write_crowd_film(tmp_path / "data", "clip_1", densities, points)
    write_film(tmp_path / "films/clip_1.mkv")
    ingest([tmp_path / "films"], [tmp_path / "data/FixationsTest"], tmp_path / "raw", "Crowd", test_share=1, workers=1)
    write_predictions(tmp_path / "preds/clip_1", maps, [f"{number:06d}" for number in range(1, NUM_FRAMES + 1)])
    published, _ = run(tmp_path, "avimos")
    (tmp_path / "data").rename(tmp_path / "published")
    (tmp_path / "raw").rename(tmp_path / "data")
    raw, _ = run(tmp_path, "avimos", "--splits", "1")
    for metric, value in published["databases"]["AViMoS"]["ours"].items():
        assert raw["databases"]["Crowd"]["ours"][metric] == pytest.approx(value, abs=0.02), metric  # JPEG


def test_drawn_frames_depend_on_the_seed_and_the_frame_alone():
    shape = (4, 8)
    fixations = {
        ("D", name, 20): VideoFixations({number: np.array([number], np.int32) for number in range(1, 21)}, shape)
        for name in ("a", "b")
    }
    film = ("D", "a", 20)
    drawn = [draw_fixations(fixations, film, 10, seed) for seed in (0, 0, 1)]
    assert all(np.array_equal(drawn[0].pixels[number], drawn[1].pixels[number]) for number in range(1, 21))
    assert any(not np.array_equal(drawn[0].pixels[number], drawn[2].pixels[number]) for number in range(1, 21))
    assert len({drawn[0].pixels[number].tobytes() for number in range(1, 21)}) > 10  # each frame draws its own
    for pixels in drawn[0].pixels.values():
        assert 5 <= len(pixels) <= 10 and len(set(pixels.tolist())) == len(pixels)  # both films may hold a pixel


def test_drawn_positions_are_scaled_to_the_size_of_the_film():
    fixations = {
        ("D", "a", 1): VideoFixations({1: np.array([0], np.int32)}, (2, 2)),
        ("D", "b", 1): VideoFixations({1: np.array([7], np.int32)}, (2, 4)),  # the lower right pixel
    }
    assert draw_fixations(fixations, ("D", "a", 1), 10, 0).map_of(1).tolist() == [[1, 0], [0, 1]]


def test_sampled_estimators_scatter_around_the_exact_ones(tmp_path, rng):
    names = [f"{number:04d}" for number in range(1, 4)]
    made_benchmarks.write_map_folder(
        tmp_path / "data/0601", names, made_maps(rng, 3), made_fixations(rng, 3), mat=False
    )
    write_predictions(tmp_path / "preds/0601", made_maps(rng, 3), names)
    exact, _ = run(tmp_path, "dhf1k")
    sampled, _ = run(tmp_path, "dhf1k", "--estimators", "sampled")
    for metric in ("AUC-J", "sAUC"):
        ours = [of["databases"]["DHF1K"]["ours"][metric] for of in (exact, sampled)]
        assert ours[0] != ours[1] and ours[0] == pytest.approx(ours[1], abs=0.03)


def test_avimos_gives_a_constant_map_a_score(tmp_path, rng):
    points = [made_benchmarks.fixation_points(rng, SHAPE)]
    made_benchmarks.write_crowd_film(tmp_path / "data", "clip_1", made_maps(rng, 1), points)
    write_predictions(tmp_path / "preds/clip_1", np.zeros((1, *SHAPE), np.uint8), ["000001"])
    results, _ = run(tmp_path, "avimos")
    assert results["databases"]["AViMoS"]["ours"]["CC"] == 0


def test_crowdsal_layout_and_training_films(tmp_path, rng):
    maps = made_maps(rng, 2)
    for part, name in (("Train", "0001"), ("Test", "3001")):
        made_benchmarks.write_grey_film(tmp_path / part / "Saliency" / f"{name}.mp4", maps)
        (tmp_path / part / "Fixations").mkdir()
        (tmp_path / part / "Fixations" / f"{name}.json").write_text("[[[3, 60]], []]")
    source = CrowdFilms(tmp_path, "CrowdSAL")
    assert [film.name for film in source.films("test", 1)] == ["3001"]
    assert [(film.name, film.num_frames) for film in source.films("train", 1)] == [("0001", 2)]
    assert np.argwhere(source.fixations("CrowdSAL", "3001", 1)).tolist() == [[3, 60]]
    assert not source.fixations("CrowdSAL", "3001", 2).any()


def test_split_list_names_the_training_films_with_or_without_suffix(tmp_path, rng):
    for name in ("one", "two", "three"):
        made_benchmarks.write_crowd_film(tmp_path, name, made_maps(rng, 1), [np.zeros((0, 2), int)])
    (tmp_path / "TrainTestSplit.json").write_text('{"train": ["one.mp4", "two"], "public_test": ["three.mp4"]}')
    assert [film.name for film in CrowdFilms(tmp_path, "AViMoS").films("test", 1)] == ["three"]


def test_fixation_outside_the_frame_names_file_frame_and_point(tmp_path, rng):
    made_benchmarks.write_crowd_film(tmp_path, "one", made_maps(rng, 1), [np.array([[60, 3]])])  # column first
    with pytest.raises(UserError, match=r"fixations.json, frame 1: row 60, column 3 is outside .* 64x36"):
        CrowdFilms(tmp_path, "AViMoS").video_fixations("AViMoS", "one")


def test_folder_without_the_layout_is_one_clear_error(tmp_path):
    with pytest.raises(UserError, match="holds no film with a saliency film"):
        CrowdFilms(tmp_path, "AViMoS")
    with pytest.raises(UserError, match=r"holds no folders <film>/maps"):
        PublishedMaps(tmp_path, "DHF1K")


def test_observers_have_no_score_by_another_benchmark(tmp_path):
    (tmp_path / "preds").mkdir()
    flags = ["--predictions", tmp_path / "preds", "--data", tmp_path, "--output", tmp_path / "scores"]
    with pytest.raises(SystemExit, match="--baselines all-others: is not defined by DHF1K"):
        evaluate.main([*map(str, flags), "--protocol", "dhf1k", "--baselines", "all-others"])


def test_every_other_benchmark_says_how_it_differs():
    for name, benchmark in BENCHMARKS.items():
        assert bool(benchmark.difference) == (name != "paper")
        assert benchmark.first_frame == (9 if name == "paper" else 1)
