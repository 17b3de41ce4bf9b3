"""Tables as Markdown and as LaTeX (booktabs)."""

import itertools
import re

from stavis_jax.reports.paper_tables import FACTS, NO_VALUE, PaperTable, Row, printed
from stavis_jax.scoring.frame_scores import LOWER_IS_BETTER

LATEX_SPECIAL = {
    NO_VALUE: "--",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
WIDEST_AS_IT_IS = 8  # columns of a table that is not shrunk to the page's width
LATEX_ARROWS = {"↑": r" $\uparrow$", "↓": r" $\downarrow$", "": ""}
MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#&~$])")


def markdown(table: PaperTable) -> str:
    """A heading, the table, its notes. A column is headed by its database and metric."""
    groups = dict.fromkeys(group for group, _ in table.columns)
    headings = [
        f"{markdown_text(group) + ' ' if len(groups) > 1 else ''}{metric} {arrow(metric)}".rstrip()
        for group, metric in table.columns
    ]
    lines = [f"### {markdown_text(table.title)}", ""]
    lines += [f"| method | {' | '.join(headings)} |", "|---|" + "---:|" * len(headings)]
    best = table.best()
    for row in table.rows:
        name = markdown_text(row.name) + " (ours)" * (row.group == "ours") if row.ours else plain_name(row.name)
        cells = [
            _with_note(f"**{text}**" if bold else text, markdown_text(note))
            for text, bold, note in _marked(row, table, best)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [line for note in table.notes for line in ("", markdown_text(note))]
    return "\n".join(lines) + "\n"


def latex(table: PaperTable) -> str:
    """A table environment for the package booktabs; wide ones fit with the package graphicx."""
    groups = [(group, len(list(of))) for group, of in itertools.groupby(group for group, _ in table.columns)]
    lines = [r"\begin{table*}", r"\centering", rf"\caption{{{latex_text(table.title)}}}"]
    wide = len(table.columns) > WIDEST_AS_IT_IS
    lines += [r"\resizebox{\textwidth}{!}{%"] * wide
    lines += [rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\toprule"]
    if len(groups) > 1:
        spans = [rf"\multicolumn{{{count}}}{{c}}{{{latex_text(group)}}}" for group, count in groups]
        ends = list(itertools.accumulate((count for _, count in groups), initial=1))
        lines.append(f" & {' & '.join(spans)} " + r"\\")
        lines.append("".join(rf"\cmidrule(lr){{{a + 1}-{b}}}" for a, b in itertools.pairwise(ends)))
    metrics = [f"{latex_text(metric)}{LATEX_ARROWS[arrow(metric)]}" for _, metric in table.columns]
    lines.append(f"Method & {' & '.join(metrics)} " + r"\\")
    best = table.best()
    for _, rows in itertools.groupby(table.rows, key=lambda row: row.group):
        lines.append(r"\midrule")
        for row in rows:
            name = latex_text(row.name) + " (ours)" * (row.group == "ours") if row.ours else row.name
            cells = [
                _with_note(rf"\textbf{{{text}}}" if bold else latex_text(text), latex_text(note))
                for text, bold, note in _marked(row, table, best)
            ]
            lines.append(f"{name} & {' & '.join(cells)} " + r"\\")
    lines += [
        r"\bottomrule",
        r"\end{tabular}" + "}" * wide,
        *(rf"\par\small {latex_text(note)}" for note in table.notes),
    ]
    lines.append(r"\end{table*}")
    return "\n".join(lines) + "\n"


def arrow(metric: str) -> str:
    """Which way is better; nothing for what is no score."""
    if metric in FACTS:
        return ""
    return "↓" if metric in LOWER_IS_BETTER else "↑"


def plain_name(name: str) -> str:
    """`$L_{1}$-$S_{1}^{av}$` -> L1-S1av."""
    return re.sub(r"[$_^{}]", "", name)


def latex_text(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in " ".join(text.split()))


def markdown_text(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _with_note(text: str, note: str) -> str:
    return f"{text} {note}" if note else text


def _marked(row: Row, table: PaperTable, best: tuple[str | None, ...]) -> list[tuple[str, bool, str]]:
    """Each cell's text, whether it is the best of its column, and its note."""
    texts = [printed(cell.value, metric) for cell, (_, metric) in zip(row.cells, table.columns, strict=True)]
    return [
        (text, text == of_column and not row.reference, cell.note)
        for text, of_column, cell in zip(texts, best, row.cells, strict=True)
    ]
