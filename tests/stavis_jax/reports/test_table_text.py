import re

import pytest

from stavis_jax.reports.paper_tables import Cell, PaperTable, Row
from stavis_jax.reports.table_text import latex, latex_text, markdown, markdown_text

ROWS = (
    Row("$L_{3}^{mul}$-$S_{3}^{av}$", (Cell(0.5), Cell(2.0)), ours=False),
    Row("my_net|50%", (Cell(float("nan")), Cell(1.0)), group="ours"),
)
TABLE = PaperTable("films_of & mine", (("AVAD", "CC"), ("own", "KL")), ROWS, ("a_note",))


def test_markdown_has_dashes_bold_and_escaped_names():
    assert markdown(TABLE).splitlines() == [
        r"### films\_of \& mine",
        "",
        "| method | AVAD CC ↑ | own KL ↓ |",
        "|---|---:|---:|",
        "| L3mul-S3av | 0.5000 | 2.000 |",
        r"| my\_net\|50% (ours) | – | **1.000** |",
        "",
        r"a\_note",
    ]


def test_latex_has_the_same_rows_and_balanced_groups():
    text = latex(TABLE)
    assert r"\caption{films\_of \& mine}" in text
    assert r"Method & CC $\uparrow$ & KL $\downarrow$ \\" in text
    assert r"$L_{3}^{mul}$-$S_{3}^{av}$ & 0.5000 & 2.000 \\" in text
    assert r"my\_net\textbar{}50\% (ours) & -- & \textbf{1.000} \\" in text
    assert r" & \multicolumn{1}{c}{AVAD} & \multicolumn{1}{c}{own} \\" in text
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert [text.count(rf"\{word}{{tabular}}") for word in ("begin", "end")] == [1, 1]


def test_wide_tables_are_shrunk_to_the_page():
    columns = tuple(("AVAD", "CC") for _ in range(15))
    wide = latex(PaperTable("wide", columns, (Row("a", (Cell(0.5),) * 15),)))
    assert r"\resizebox{\textwidth}{!}{%" in wide and r"\end{tabular}}" in wide
    assert r"\resizebox" not in latex(TABLE)


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
    assert latex_text(name) == in_latex
    assert markdown_text(name) == in_markdown
