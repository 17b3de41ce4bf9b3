"""Scores of pictures, which are films of one frame: every picture once, and no sAUC but the textbook's."""

import json

import numpy as np
import pytest
import scipy.io
from PIL import Image

from data_pipelines.raw.layout import OBSERVER_COLUMNS, RawLayout
from data_pipelines.runtime.atomic import write_csv
from stavis_jax import evaluate
from stavis_jax.scoring.frame_scores import METRICS, STILL_METRICS
from stavis_jax.scoring.protocol import PredictedVideo, score_video

SHAPE = (24, 32)


@pytest.fixture
def stills(tmp_path, rng):
    """The database Own of six pictures, four of them for testing; and the folder of their maps."""
    layout_root, maps = tmp_path / "raw", tmp_path / "maps"
    maps.mkdir()
    (layout_root / "video_frames").mkdir(parents=True)
    layout = RawLayout(layout_root)
    for number in range(6):
        name = f"p{number}"
        points = [(observer, 1, int(rng.integers(32)), int(rng.integers(24))) for observer in "abcd" for _ in range(3)]
        fixations = np.zeros(SHAPE, np.uint8)
        fixations[[y for *_, y in points], [x for *_, x, _ in points]] = 1
        density = layout.density_path("Own", name, 1)
        for folder in (density.parent, layout.frame_folder("Own", name)):
            folder.mkdir(parents=True)
        scipy.io.savemat(layout.fixation_path("Own", name, 1), {"eyeMap": fixations})
        Image.fromarray(rng.integers(0, 256, SHAPE, np.uint8)).save(density)
        Image.fromarray(rng.integers(0, 256, (*SHAPE, 3), np.uint8)).save(layout.frame_path("Own", name, 1))
        write_csv(layout.observers_path("Own", name), OBSERVER_COLUMNS, points)
        if number < 4:
            Image.fromarray(rng.integers(0, 256, (12, 16), np.uint8)).save(maps / f"{name}.png")
    (layout_root / "fold_lists").mkdir()
    for subset, numbers in (("test", range(4)), ("train", range(4, 6))):
        text = "".join(f"p{number} 1 25\n" for number in numbers)
        (layout_root / "fold_lists" / f"Own_list_{subset}_fps.txt").write_text(text)
    return layout


def test_the_only_frame_is_scored_without_the_originals_shuffled_auc(stills, rng):
    video = PredictedVideo("Own", 1, "p0", 1, {1: rng.integers(0, 256, SHAPE).astype(np.uint8)})
    scores = score_video(stills, video, fixations_of_others=np.ones(SHAPE))
    assert scores.frames.tolist() == [1]
    assert list(scores.values) == ["CC", "NSS", "AUC-J", "SIM", "sAUC-others", "KL"]
    assert all(np.isfinite(values).all() for values in scores.values.values())


def test_the_command_scores_a_map_for_each_picture_with_intervals_and_says_once_why_there_is_no_sauc(stills, capsys):
    root = stills.root.parent
    arguments = ["--predictions", root / "maps", "--data", stills.root, "--output", root / "scores", "--splits", "1"]
    baselines = ["--baselines", "center-bias", "single-observer", "all-others", "infinite-observers"]
    evaluate.main([str(argument) for argument in (*arguments, *baselines, "--workers", 1)])
    printed = capsys.readouterr()
    assert "warning" not in printed.err
    assert printed.out.count("pictures have none") + printed.out.count("pictures\nhave none") == 1
    results = json.loads((root / "scores" / "results.json").read_text())
    assert list(results["methods"]) == ["center-bias", "single-observer", "all-others", "infinite-observers", "maps"]
    assert list(results["methods"]["maps"]) == [*STILL_METRICS]
    assert set(METRICS) - set(results["methods"]["all-others"]) == {"sAUC"}
    videos = [video for video in results["videos"] if video["method"] == "maps"]
    assert [(video["video"], video["frames"]) for video in videos] == [(f"p{number}", 1) for number in range(4)]
    page = (root / "scores" / "report.html").read_text()
    assert "Videos over time" not in page and "pictures have none" in page and "95%" in page
    lines = (root / "scores" / "databases.csv").read_text().splitlines()
    assert any(line.startswith("maps,Own,") for line in lines)


def test_maps_may_lie_in_folders_as_predict_writes_them(stills, capsys):
    root = stills.root.parent
    for number in range(4):
        folder = root / "predicted" / f"p{number}" / "maps"
        folder.mkdir(parents=True)
        (root / "maps" / f"p{number}.png").rename(folder / "000001.png")
    arguments = ["--predictions", root / "predicted", "--data", stills.root, "--output", root / "scores"]
    evaluate.main([str(argument) for argument in (*arguments, "--splits", 1, "--workers", 1)])
    assert "4 videos" in capsys.readouterr().out


def test_two_maps_of_a_picture_are_an_error(stills):
    root = stills.root.parent
    Image.new("L", (16, 12)).save(root / "maps" / "p1.jpg")
    arguments = ["--predictions", root / "maps", "--data", stills.root, "--output", root / "scores", "--splits", "1"]
    with pytest.raises(SystemExit, match="is a map of the same picture"):
        evaluate.main([str(argument) for argument in arguments])
