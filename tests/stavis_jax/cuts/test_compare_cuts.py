import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import write_film
from made_models import Brightness
from PIL import Image

from data_pipelines.runtime.errors import UserError
from stavis_jax.cuts.compare_cuts import compare_cuts
from stavis_jax.cuts.comparison import comparison_table
from stavis_jax.maps.regions import read_regions


def folder(path: Path, columns, film_size=(160, 80)) -> Path:
    """A prediction whose attention is in one column of an 8x8 map in each second of two frames."""
    saliency = np.zeros((2 * len(columns), 8, 8), np.float16)
    for second, column in enumerate(columns):
        saliency[2 * second : 2 * second + 2, 4, column] = 1
    path.mkdir()
    np.savez(path / "maps.npz", saliency=saliency, seconds=np.arange(len(saliency)) / 2, frame_rate_hz=2.0)
    (path / "prediction.json").write_text(json.dumps({"settings": {"a": 1}, "film size in pixels": film_size}))
    return path


def regions(path: Path, unit: str = "pixels"):
    box = [0, 0, 80, 80] if unit == "pixels" else [0, 0, 0.5, 1]
    path.write_text(json.dumps({"unit": unit, "regions": {"left": {"box": box}}}))
    return read_regions(path)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def compared(tmp_path, columns_a, columns_b, **how):
    cuts = folder(tmp_path / "one", columns_a), folder(tmp_path / "other", columns_b)
    return compare_cuts(*cuts, tmp_path / "out", lambda: None, **how)


def test_second_that_was_cut_differently_is_found(tmp_path):
    comparison, names = compared(tmp_path, [1, 1, 1, 6], [1, 6, 1])
    assert names == ["seconds.csv", "summary.csv", "compare.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*names, "compare.json"])
    rows = rows_of(tmp_path / "out" / "seconds.csv")
    assert [row["difference"] for row in rows] == ["0", "1", "0", ""]  # B has three seconds
    assert (rows[1]["a_center_x"], rows[1]["b_center_x"]) == (str(1.5 / 8), str(6.5 / 8))
    assert rows[3]["b_concentration"] == "" != rows[3]["a_concentration"]
    notes = comparison_table(comparison).notes
    assert notes[0] == "Attention differs by 33% on average, in the 3 seconds of both cuts."
    assert notes[1] == "Second 1: 100% is elsewhere; centre (19%, 56%) -> (81%, 56%)."
    with Image.open(tmp_path / "out" / "compare.png") as picture:
        picture.load()


def test_regions_are_compared_in_each_second_and_over_the_film(tmp_path):
    comparison, names = compared(tmp_path, [1, 1, 6, 6], [6, 1], regions=regions(tmp_path / "boxes.json"))
    assert "regions.csv" in names
    rows = rows_of(tmp_path / "out" / "regions.csv")
    assert [(row["a_share"], row["b_share"]) for row in rows] == [("1", "0"), ("1", "1"), ("0", ""), ("0", "")]
    summary = {(row["region"], row["measure"]): row for row in rows_of(tmp_path / "out" / "summary.csv")}
    assert summary["", "frames"]["b_minus_a"] == "-4"
    first = summary["left", "first look seconds"]
    assert (first["a"], first["b"], first["b_minus_a"]) == ("0", "1", "1")
    assert summary["left", "fixation share"]["a"] == "0.5" == summary["left", "mean share"]["b"]
    assert [row.group for row in comparison_table(comparison).rows][-1] == "left"


def test_boxes_in_pixels_need_the_size_of_the_film(tmp_path):
    boxes, shares = regions(tmp_path / "boxes.json"), regions(tmp_path / "shares.json", "share")
    cuts = folder(tmp_path / "one", [1], None), folder(tmp_path / "other", [1])
    with pytest.raises(UserError, match=r"one: does not tell the size of its film in pixels. .*boxes.json in shares"):
        compare_cuts(*cuts, tmp_path / "out", lambda: None, regions=boxes)
    assert not (tmp_path / "out").exists()
    compare_cuts(*cuts, tmp_path / "out", lambda: None, regions=shares)


def test_one_second_is_one_second(tmp_path):
    comparison, _ = compared(tmp_path, [1], [1, 1])
    assert comparison_table(comparison).notes[0] == "Attention differs by 0% on average, in the 1 second of both cuts."


def test_a_later_comparison_replaces_the_whole_earlier_one_and_nothing_else(tmp_path):
    cuts = folder(tmp_path / "one", [1]), folder(tmp_path / "other", [2])
    output = tmp_path / "out"
    compare_cuts(*cuts, output, lambda: None, regions=regions(tmp_path / "boxes.json"))
    assert (output / "regions.csv").exists()
    compare_cuts(*cuts, output, lambda: None)
    assert not (output / "regions.csv").exists() and (output / "seconds.csv").exists()
    (output / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds notes.txt, which is not part of a comparison"):
        compare_cuts(*cuts, output, lambda: None)
    own = tmp_path / "own"
    own.mkdir()
    (own / "summary.csv").write_text("mine")
    for place, says in ((own, "own: is not a comparison"), (cuts[0], "one: holds maps.npz")):
        with pytest.raises(UserError, match=says):
            compare_cuts(*cuts, place, lambda: None)
    assert (own / "summary.csv").read_text() == "mine"


def test_cuts_that_other_networks_predicted_are_a_warning(tmp_path, caplog):
    cuts = folder(tmp_path / "one", [1]), folder(tmp_path / "other", [1])
    for cut, checkpoint in zip(cuts, ("1e0e0a05", "b00c0de5"), strict=True):
        settings = {"variant": "visual", "checkpoint": checkpoint, "film": cut.name}
        (cut / "prediction.json").write_text(json.dumps({"settings": settings}))
    compare_cuts(*cuts, tmp_path / "out", lambda: None)
    (line,) = caplog.messages
    assert "not predicted alike (checkpoint: 1e0e0a05 and b00c0de5)" in line
    caplog.clear()
    compare_cuts(cuts[0], cuts[0], tmp_path / "out", lambda: None)
    assert caplog.messages == []


def test_films_are_also_written_side_by_side(tmp_path):
    films = [
        write_film(tmp_path / f"{name}.mkv", np.full((count, 32, 48, 3), 90, np.uint8), frame_rate_hz=25)
        for name, count in (("one", 30), ("other", 20))
    ]
    _, names = compare_cuts(*films, tmp_path / "out", Brightness)
    assert names[-1] == "compare.mp4"
    with av.open(str(tmp_path / "out" / "compare.mp4")) as written:
        assert sum(1 for _ in written.decode(video=0)) == 30
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["networks"] == [{"stride": 1}] * 2
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name[0] == "."] == []


def test_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match=r"--output .*out: this is a file"):
        compared(tmp_path, [1], [1])


def test_the_current_folder_is_refused_before_anything_is_predicted(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match=r"--output \.: is the current folder"):
        compare_cuts(Path("a.mp4"), Path("b.mp4"), Path("."), lambda: None)


def test_a_cut_that_cannot_be_read_leaves_nothing(tmp_path):
    cuts = folder(tmp_path / "one", [1]), folder(tmp_path / "other", [1])
    np.savez(cuts[1] / "maps.npz", saliency=np.full((2, 8, 8), np.inf, np.float16), seconds=np.arange(2.0))
    with pytest.raises(UserError, match="other/maps.npz: damaged"):
        compare_cuts(*cuts, tmp_path / "out", lambda: None)
    assert not (tmp_path / "out").exists()
