import base64
import dataclasses
import html.parser
import io
import re

import numpy as np
import pytest
from PIL import Image

from stavis_jax.reports.example_frames import best_and_worst, draw_example
from stavis_jax.reports.report import Report, write_report
from stavis_jax.scoring.aggregation import VideoScores, aggregate
from stavis_jax.scoring.comparison import compare
from stavis_jax.scoring.frame_scores import METRICS


class Reader(html.parser.HTMLParser):
    """Tags with their attributes, text under the heading it stands below, tables as rows of cells."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.texts, self.tables, self.heading = [], {}, {}, ""
        self._in, self._cell = "", None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in = tag
        if tag in ("h2", "h3"):
            self.heading = ""
        elif tag == "tr":
            self.tables.setdefault(self.heading, []).append([])
        elif tag in ("td", "th"):
            self.tables[self.heading][-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._cell = None if tag in ("td", "th") else self._cell
        self._in = ""

    def handle_data(self, data):
        if self._in in ("h2", "h3"):
            self.heading += data
        elif self._in not in ("script", "style"):
            self.texts[self.heading] = self.texts.get(self.heading, "") + data
            if self._cell:
                self.tables[self.heading][-1][-1] += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def read(report):
    return Reader(report.read_text(encoding="utf-8"))


def test_every_section_is_there_and_linked(read):
    sections = [attributes["id"] for attributes in read.attributes("section")]
    assert [link["href"] for link in read.attributes("a")] == [f"#{name}" for name in sections]
    assert sections == [
        "what-was-scored",
        "beside-the-paper",
        "databases",
        "comparison",
        "best-and-worst-frames",
        "videos-over-time",
        "videos",
    ]


def test_table_of_the_paper_has_its_figures_and_ours(read, methods, names):
    rows = {row[0]: row[1:] for row in read.tables["Table 5 of the paper: AVAD, SumMe, ETMD"]}
    assert rows["TASED"][0] == "0.6006" and rows["L3mul-S3av (proposed)"][-1] == "0.4251"  # supplement, Table 5
    (ours,) = (row for name, row in rows.items() if name.startswith("a|b_c"))
    assert ours[:2] == [
        f"{methods[names.method].databases['AVAD'][metric]:.{n}f}" for metric, n in (("CC", 4), ("NSS", 2))
    ]
    assert ours[5:] == ["–"] * 10  # SumMe and ETMD were not scored
    assert not any(heading.startswith("Table 4") for heading in read.tables)


def test_users_own_database_has_a_plain_table_with_intervals_and_dashes_for_nan(read, methods, names):
    _, bias, ours = read.tables[names.database]
    assert bias[0] == "center-bias" and ours[0] == names.method
    mean = methods[names.method].databases[names.database]["CC"]
    assert re.fullmatch(rf"{mean:.4f}0\.\d{{4}} to 0\.\d{{4}}", ours[1])
    assert ours[4] == "–"
    assert "nan" not in "".join(read.texts.values()).lower()


def test_names_of_users_are_text_and_never_markup(read, names):
    assert names.method in read.texts["What was scored"] and names.warning in read.texts["What was scored"]
    assert f"{names.database}/{names.film}" in read.texts["Videos over time"]
    assert len(read.attributes("script")) == 1
    assert not read.attributes("b") and not read.attributes("u")


def test_nothing_is_fetched(report, read):
    text = report.read_text(encoding="utf-8")
    for _, attributes in read.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href", "style"):
            assert re.match(r"(data:|#|$)", attributes.get(name) or ""), attributes
    assert not re.search(r"@import|url\(", text) and not read.attributes("iframe")
    (policy,) = (meta["content"] for meta in read.attributes("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_pictures_are_whole_and_named_and_a_missing_one_is_said_to_be(read):
    images = read.attributes("img")
    for image in images:
        content = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.size == (int(image["width"]), int(image["height"])) == (320, 240)
        assert image["alt"].split(":")[0] in ("film frame", "fixations", "gaze density", "prediction")
    # Best and worst of four films each, of five; two of the films have no film frame.
    without_film = (read.texts["Best"] + read.texts["Worst"]).count("not there")
    assert without_film >= 2 and len(images) == 8 * 4 - without_film


def test_every_video_has_a_plot_a_metric_with_a_line_a_method(read, methods, names):
    plots = [a for a in read.attributes("div") if a.get("class") == "over-time"]
    videos = methods[names.method].videos
    assert [plot["aria-label"].split(" of ")[1].split(",")[0] for plot in plots] == [
        f"{video.database}/{video.video}" for video in videos
    ]
    lines = [a for a in read.attributes("path") if a["class"].startswith("line") and a["d"].startswith("M")]
    # One legend entry a method; the last video has no sAUC.
    assert len([line for line in lines if line["d"].count("L") > 10]) == 2 * (len(METRICS) * len(videos) - 1)


def test_comparison_is_shown_with_its_test(read, names):
    rows = read.tables["Comparison"]
    assert rows[0][2] == "mean difference"
    assert [row[0] for row in rows if len(row) == 1] == ["AVAD", names.database, "all films"]
    assert "KL (lower is better)" in {row[0] for row in rows}
    assert f"{names.method} minus another" in read.texts["Comparison"]


def test_rows_for_all_films_are_left_out_where_there_is_one_database(tmp_path):
    of_one = aggregate(
        VideoScores("own", 1, name, np.array([9]), {m: np.array([0.5]) for m in METRICS}) for name in "ab"
    )
    path = write_report(tmp_path, Report({"x": of_one}, comparison=compare(of_one.films, of_one.films)))
    rows = Reader(path.read_text()).tables["Comparison"]
    assert [row[0] for row in rows[1:]] == ["own", *METRICS]


def test_a_report_needs_no_pictures_no_comparison_and_no_database_of_the_paper(tmp_path, methods):
    path = write_report(tmp_path, Report({"x": dataclasses.replace(methods["center-bias"], databases={})}))
    read = Reader(path.read_text())
    assert not read.attributes("img") and "Comparison" not in read.texts and "Beside the paper" not in read.texts
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "tables.md", "tables.tex"]


def test_same_results_give_the_same_bytes(tmp_path, methods, pictures):
    pages = [write_report(tmp_path / name, Report(methods, pictures=pictures)).read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_main_method_must_be_one_of_the_methods(methods):
    with pytest.raises(ValueError, match="main: 'z' is none of"):
        Report(methods, main="z")
    with pytest.raises(ValueError, match="none of the methods"):
        Report({})


def test_best_and_worst_frames_are_one_of_a_film_in_order():
    def video(name, split, *values):
        return VideoScores("db", split, name, np.arange(9, 9 + len(values)), {"CC": np.array(values)})

    videos = [video("a", 1, 0.5, 0.9, 0.1), video("a", 2, 0.8, 0.0), video("b", 1, np.nan, 0.95), video("c", 1, np.nan)]
    best, worst = best_and_worst(aggregate(videos), "CC", 5)
    assert [(e.video.video, e.video.split, e.number) for e in best] == [("b", 1, 10), ("a", 1, 10)]
    assert [(e.video.video, e.video.split, e.number) for e in worst] == [("a", 2, 10), ("b", 1, 10)]


def test_fixations_are_marked_where_they_are(pictures, methods, names):
    (example, *_), _ = best_and_worst(methods[names.method], "CC", 5)
    drawn = draw_example(pictures, example)
    yellow = (drawn["fixations"][..., 0] > 240) & (drawn["fixations"][..., 2] < 20)
    rows, columns = np.nonzero(yellow)
    expected = np.nonzero(pictures.annotations.fixations("", "", example.number))
    assert np.allclose((rows.mean(), columns.mean()), [(e.mean() + 0.5) * 8 for e in expected], atol=4)


def test_characters_that_no_page_can_hold_are_replaced(tmp_path, methods):
    path = write_report(tmp_path, Report(methods, title="a\x00b\x1bc\udcff"))
    assert "<title>a\ufffdb\ufffdc\ufffd</title>" in path.read_text(encoding="utf-8")
