import io

import numpy as np
from rich.console import Console

from stavis_jax.reports.console import print_table
from stavis_jax.reports.score_tables import comparison_table, scores_table
from stavis_jax.reports.tables import Table
from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.comparison import compare
from stavis_jax.scoring.frame_scores import ALL_METRICS, METRICS

SCORES = {"CC": 0.56651, "NSS": 2.19, "AUC-J": 0.8792, "sAUC": float("nan"), "SIM": float("nan")}


def printed(table: Table, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(table, console)
    return console.file.getvalue()


def test_printed_table_shows_title_methods_and_values():
    text = printed(scores_table("Scores", {"visual": SCORES, "centre-bias": SCORES}))
    assert all(word in text for word in ("Scores", "visual", "centre-bias", "0.5665", "2.19", "n/a", *METRICS))


def test_names_are_text_and_never_markup():
    assert "[red]my[/red] net" in printed(scores_table("[b]Scores", {"[red]my[/red] net": SCORES}), 120)


def test_tables_say_where_lower_is_better():
    text = printed(scores_table("Scores", {"visual": {**SCORES, "KL": 1.25}}, notes=["a note"]), 120)
    assert "(lower is" in text and "better)" in text and "1.250" in text and "a note" in text


def test_all_metrics_and_the_name_fit_on_eighty_columns():
    text = printed(scores_table("Scores", {"mean of databases": {**dict.fromkeys(ALL_METRICS, 0.5), "CC": -0.5}}))
    assert "databases" in text and "…" not in text
    assert text.split().count("0.5000") == 4 and text.split().count("0.500") == 2 and "-0.5000" in text


def test_long_names_break_at_hyphens():
    table = scores_table("Scores", {"single-observer": dict.fromkeys(ALL_METRICS, 0.5)})
    assert [line.split()[0] for line in printed(table).splitlines()[-3:-1]] == ["single-", "observer"]
    assert "single-observer" in printed(table, 120)


def test_intervals_are_printed_below_their_row():
    lines = printed(scores_table("Scores", {"a": {"CC": 0.5}}, {"a": {"CC": (0.25, 0.75)}})).splitlines()
    assert [line.split() for line in lines[-4:-1]] == [["a", "0.5000"], ["95%", "from", "0.2500"], ["to", "0.7500"]]


def test_comparison_fits_on_eighty_columns_with_all_its_counts():
    values = {metric: np.array([0.5]) for metric in ALL_METRICS}
    videos = [VideoScores("Coutrot_db1", 1, name, np.array([9]), values) for name in "ab"]
    films = aggregate(videos).films
    text = printed(comparison_table(compare(films, films, names=("mine", "another"))))
    assert "mine minus another, film by film" in text and "Coutrot_db1" in text and "…" not in text
    (cc,) = [line.split() for line in text.splitlines() if line.split()[:1] == ["CC"]]
    assert cc == ["CC", "2", "+0.0000", "+0.0000", "+0.0000", "0", "0", "2", "1"]
