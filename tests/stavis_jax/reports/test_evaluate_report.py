"""The command on the films that the original's scripts scored: its report, and what it says of wrong maps and data."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stavis_jax import evaluate

GOLDEN_METRICS = Path(__file__).parents[2] / "golden_metrics"


@pytest.fixture
def tree(tmp_path):
    """data and preds of one database. The films' pictures play no part."""
    with zipfile.ZipFile(GOLDEN_METRICS / "video_tree.zip") as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if "diem" not in name.lower()])
    for video in (tmp_path / "data/annotations/Coutrot_db1").iterdir():
        (tmp_path / "data/video_frames/Coutrot_db1" / video.name).mkdir(parents=True)
    return tmp_path


def run(root, *flags):
    folders = ["--predictions", root / "preds", "--data", root / "data", "--output", root / "scores"]
    evaluate.main([*map(str, folders), "--workers", "1", *flags])


def test_the_command_ends_in_a_report_beside_the_papers_results(tree):
    golden = json.loads((GOLDEN_METRICS / "video.json").read_text())
    run(tree)
    page, markdown, latex = (
        (tree / "scores" / name).read_text() for name in ("report.html", "tables.md", "tables.tex")
    )
    expected = f"{golden['databases']['Coutrot_db1']['final']['CC']:.4f}"
    for text in (page, markdown, latex):
        assert "Table 4 of the paper: DIEM, Coutrot1, Coutrot2" in text and "Table 5 of" not in text
        assert "TASED" in text and "0.4799" in text  # supplement, Table 4
        assert expected in text
    assert 'src="data:image/jpeg;base64,' in page


def test_path_of_the_report_is_printed_and_a_comparison_is_in_it(tree, capsys):
    flags = ["--splits", "3", "--name", "mine", "--compare", str(tree / "preds")]
    run(tree, *flags)
    assert f"Report: {tree / 'scores/report.html'}" in capsys.readouterr().out
    assert (
        "mine minus preds, film by film, with the 95% bootstrap interval" in (tree / "scores/report.html").read_text()
    )


def test_map_of_another_shape_and_maps_after_the_films_end_are_counted_there_and_in_the_report(tree, capsys):
    maps = tree / "preds/split3_results/coutrot1/cvid_4"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 200)).astype(np.uint8)
    for number in (10, 19, 20):  # of 11 frames; up to 18 there are maps of the original
        Image.fromarray(pixels).save(maps / f"pred_sal_{number:06d}.jpg")
    run(tree, "--splits", "3")
    warnings = capsys.readouterr().err
    for warning in (
        "1 maps differ in aspect ratio from their frame by more than a tenth and are stretched: Coutrot_db1",
        "2 maps are of frames after the end of their film and are left out: Coutrot_db1/cvid_4 (split 3)",
    ):
        assert f"warning: {warning}" in warnings and warning in (tree / "scores/report.html").read_text()


def test_data_without_any_annotation_end_with_one_line(tree):
    shutil.rmtree(tree / "data/annotations/Coutrot_db1/cvid_4")
    with pytest.raises(SystemExit, match="error: .* has none of the films listed for test, split 3"):
        run(tree, "--splits", "3")
    assert not (tree / "scores").exists()


def test_film_without_an_annotation_folder_is_counted_and_its_maps_are_named(tree, capsys, caplog):
    names = tree / "data/fold_lists/Coutrot_db1_list_test_3_fps.txt"
    names.write_text(names.read_text() + "blind 11 25\n")
    shutil.copytree(tree / "preds/split3_results/coutrot1/cvid_4", tree / "preds/split3_results/coutrot1/blind")
    (tree / "data/video_frames/Coutrot_db1/blind").mkdir()
    run(tree, "--splits", "3")
    assert "1 of 2 listed films are skipped; first: Coutrot_db1/blind has no folder" in caplog.text
    assert "split3_results/coutrot1/blind" in capsys.readouterr().err
    assert "left out: split3_results/coutrot1/blind<" in (tree / "scores/report.html").read_text()
