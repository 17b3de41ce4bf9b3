import re

import pytest

from stavis_jax.reports.render import escape_html, escape_latex, escape_markdown, latex, markdown
from stavis_jax.reports.score_tables import metric_column
from stavis_jax.reports.tables import Cell, Math, Row, Table

ROWS = (
    Row(Math("$L_{3}^{mul}$-$S_{3}^{av}$"), (Cell(0.5, (0.25, 0.75)), Cell(2.0))),
    Row("my_net|50%", (Cell(float("nan")), Cell(1.0, note="a*b")), "ours"),
)
TABLE = Table("films_of & mine", (metric_column("CC", "AVAD"), metric_column("KL", "own")), ROWS, ("a_note",))


def test_markdown_has_dashes_bold_and_escaped_names():
    assert markdown([TABLE]).splitlines() == [
        r"### films\_of \& mine",
        "",
        "| method | AVAD CC ↑ | own KL ↓ |",
        "|---|---:|---:|",
        "| L3mul-S3av | 0.5000 (0.2500 to 0.7500) | 2.000 |",
        r"| my\_net\|50% (ours) | – | **1.000** a\*b |",
        "",
        r"a\_note",
    ]


def test_latex_has_the_same_rows_and_balanced_groups():
    text = latex([TABLE])
    assert r"\caption{films\_of \& mine}" in text
    assert r"Method & CC $\uparrow$ & KL $\downarrow$ \\" in text
    assert r"$L_{3}^{mul}$-$S_{3}^{av}$ & 0.5000 (0.2500 to 0.7500) & 2.000 \\" in text
    assert r"my\_net\textbar{}50\% (ours) & -- & \textbf{1.000} a*b \\" in text
    assert r" & \multicolumn{1}{c}{AVAD} & \multicolumn{1}{c}{own} \\" in text
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert [text.count(rf"\{word}{{tabular}}") for word in ("begin", "end")] == [1, 1]


def test_wide_tables_are_shrunk_to_the_page():
    columns = tuple(metric_column("CC") for _ in range(15))
    wide = latex([Table("wide", columns, (Row("a", (Cell(0.5),) * 15),))])
    assert r"\resizebox{\textwidth}{!}{%" in wide and r"\end{tabular}}" in wide
    assert r"\resizebox" not in latex([TABLE])


@pytest.mark.parametrize(
    ("name", "in_latex", "in_markdown"),
    [
        ("a_b", r"a\_b", r"a\_b"),
        ("50% & #1", r"50\% \& \#1", r"50% \& \#1"),
        (r"\input{x}", r"\textbackslash{}input\{x\}", r"\\input\{x\}"),
        ("<b>", r"\textless{}b\textgreater{}", r"\<b\>"),
        ("a|b\n# c", r"a\textbar{}b \# c", r"a\|b \# c"),
        ("~$^", r"\textasciitilde{}\$\textasciicircum{}", r"\~\$^"),
    ],
)
def test_names_are_text_in_both(name, in_latex, in_markdown):
    assert escape_latex(name) == in_latex
    assert escape_markdown(name) == in_markdown


def test_several_tables_stand_one_below_the_other():
    assert markdown([TABLE, TABLE]) == markdown([TABLE]) + "\n" + markdown([TABLE])
    assert latex([TABLE, TABLE]) == latex([TABLE]) + "\n" + latex([TABLE])


def test_latex_names_become_elements_on_a_page_and_other_names_are_escaped():
    assert escape_html(Math("$S_{1}^{av}$ <b>")) == "S<sub>1</sub><sup>av</sup> &lt;b&gt;"
    assert escape_html("$S_{1}$ & <b>") == "$S_{1}$ &amp; &lt;b&gt;"
