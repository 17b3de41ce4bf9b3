import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from stavis_jax.reports.tables import markdown_table, print_table, write_results
from stavis_jax.scoring.protocol import ALL_METRICS, METRICS, VideoScores, aggregate

SCORES = {"CC": 0.56651, "NSS": 2.19, "AUC-J": 0.8792, "sAUC": None, "SIM": float("nan")}


@pytest.fixture
def results():
    values = {metric: np.array([0.25, 0.75]) for metric in METRICS}
    values["sAUC"] = np.array([np.nan, np.nan])
    values["NSS"] = np.array([1.5, np.nan])
    return aggregate([VideoScores("AVAD", 2, "film, one", np.array([9, 10]), values)])


def test_markdown_has_a_row_a_method_and_a_column_a_metric():
    assert markdown_table({"visual": SCORES}).splitlines() == [
        "| method | CC | NSS | AUC-J | sAUC | SIM |",
        "|---|---:|---:|---:|---:|---:|",
        "| visual | 0.5665 | 2.19 | 0.8792 | n/a | n/a |",
    ]


def test_printed_table_shows_title_methods_and_values():
    console = Console(file=io.StringIO(), width=80)
    print_table({"visual": SCORES, "centre-bias": SCORES}, "Scores", console=console)
    text = console.file.getvalue()
    assert all(word in text for word in ("Scores", "visual", "centre-bias", "0.5665", "2.19", "n/a", *METRICS))


def test_json_holds_methods_databases_and_videos_with_null_for_nan(tmp_path, results):
    content = write_results(tmp_path / "new", {"ours": results}, {"seed": 7})
    assert json.loads((tmp_path / "new/results.json").read_text()) == content
    means = {"CC": 0.5, "NSS": 1.5, "AUC-J": 0.5, "sAUC": None, "SIM": 0.5}
    assert content["methods"] == {"ours": means}
    assert content["databases"] == {"AVAD": {"ours": means}}
    assert content["videos"] == [
        {"method": "ours", "database": "AVAD", "split": 2, "video": "film, one", "frames": 2, **means}
    ]
    assert content["seed"] == 7


def test_csv_files_have_a_line_a_video_and_a_line_a_frame(tmp_path, results):
    write_results(tmp_path, {"ours": results})
    with open(tmp_path / "results.csv", newline="") as file:
        (video,) = csv.DictReader(file)
    assert (video["method"], video["video"], video["frames"], video["CC"], video["sAUC"]) == (
        "ours",
        "film, one",
        "2",
        "0.5",
        "",
    )
    with open(tmp_path / "frames.csv", newline="") as file:
        frames = list(csv.DictReader(file))
    assert [(frame["frame"], frame["CC"], frame["NSS"]) for frame in frames] == [
        ("9", "0.25", "1.5"),
        ("10", "0.75", ""),
    ]


def test_tables_say_where_lower_is_better():
    console = Console(file=io.StringIO(), width=120)
    print_table({"visual": {**SCORES, "KL": 1.25}}, "Scores", notes=["a note"], console=console)
    text = console.file.getvalue()
    assert "(lower is" in text and "better)" in text and "1.250" in text and "a note" in text
    assert "| KL (lower is better) |" in markdown_table({"visual": {**SCORES, "KL": 1.25}})


def test_all_metrics_and_the_name_fit_on_eighty_columns():
    console = Console(file=io.StringIO(), width=80)
    print_table({"mean of databases": {**dict.fromkeys(ALL_METRICS, 0.5), "CC": -0.5}}, "Scores", console=console)
    text = console.file.getvalue()
    assert "databases" in text and "…" not in text
    assert text.split().count("0.5000") == 4 and text.split().count("0.500") == 2 and "-0.5000" in text


def test_intervals_over_films_are_written_and_printed(tmp_path):
    videos = [
        VideoScores("AVAD", 1, name, np.array([9]), {metric: np.array([value]) for metric in METRICS})
        for name, value in (("a", 0.2), ("b", 0.4), ("c", 0.9))
    ]
    content = write_results(tmp_path, {"ours": aggregate(videos)})
    low, high = content["intervals"]["databases"]["AVAD"]["ours"]["CC"]
    assert 0.2 <= low < 0.5 < high <= 0.9
    assert content["intervals"]["methods"]["ours"]["CC"] == [low, high]
    with open(tmp_path / "databases.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["database"] for row in rows] == ["AVAD", "mean of databases"]
    assert float(rows[0]["CC low"]) == low and float(rows[0]["CC high"]) == high
    console = Console(file=io.StringIO(), width=120)
    print_table({"AVAD": {"CC": 0.5}}, "Scores", intervals={"AVAD": {"CC": (0.25, 0.75)}}, console=console)
    assert "95% from" in console.file.getvalue() and "0.7500" in console.file.getvalue()


def test_no_partial_file_is_left(tmp_path, results):
    write_results(tmp_path, {"ours": results})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "databases.csv",
        "frames.csv",
        "results.csv",
        "results.json",
    ]
