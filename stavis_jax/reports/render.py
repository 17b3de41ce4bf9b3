"""Renders the templates of `templates/` as HTML, Markdown and LaTeX.

Whatever a template prints is escaped for its format, so no name of a film or method can be markup.
"""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
from markupsafe import Markup, escape

from stavis_jax.reports.tables import NO_VALUE, Math, Table

# XML, and therefore a browser, has no representation of these. Lone surrogates cannot be written as UTF-8.
CONTROL_CHARACTERS = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LATEX_SPECIAL = {
    NO_VALUE: "--",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#&~$])")


def html(template: str, **values: Any) -> str:
    return _render(template, escape_html, values)


def markdown(tables: Sequence[Table]) -> str:
    """Returns tables as Markdown: a heading, the table, its notes."""
    return _render("tables.md.j2", escape_markdown, {"tables": tables})


def latex(tables: Sequence[Table]) -> str:
    """Returns tables as LaTeX for the package booktabs. Wide tables need the package graphicx too."""
    return _render("tables.tex.j2", escape_latex, {"tables": tables})


def escape_html(text: object) -> Markup:
    """Escapes text for HTML. `Math` gets sub and sup elements."""
    if not isinstance(text, Math):
        return escape(text)
    scripts = {"_": Markup("<sub>{}</sub>"), "^": Markup("<sup>{}</sup>")}
    parts = re.split(r"([_^]\{[^}]*\})", text.replace("$", ""))
    return Markup("").join(
        scripts[part[0]].format(part[2:-1]) if re.fullmatch(r"[_^]\{[^}]*\}", part) else part for part in parts
    )


def escape_markdown(text: object) -> Markup:
    """Escapes text for Markdown, on one line. `Math` becomes plain letters, such as L1-S1av."""
    if isinstance(text, Math):
        return Markup(re.sub(r"[$_^{}]", "", text))
    return Markup(MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(str(text).split())))


def escape_latex(text: object) -> Markup:
    """Escapes text for LaTeX, on one line. `Math` stays as it is."""
    if isinstance(text, Math):
        return Markup(text)
    return Markup("".join(LATEX_SPECIAL.get(character, character) for character in " ".join(str(text).split())))


def _render(template: str, escape_text: Callable[[object], Markup], values: dict[str, Any]) -> str:
    text = _environment(escape_text).get_template(template).render(values)
    return CONTROL_CHARACTERS.sub("\ufffd", text)


@functools.cache
def _environment(escape_text: Callable[[object], Markup]) -> jinja2.Environment:
    # LaTeX is full of braces, so its templates use other delimiters.
    delimiters: dict[str, Any] = {
        **{"block_start_string": "<%", "block_end_string": "%>"},
        **{"variable_start_string": "<<", "variable_end_string": ">>"},
        **{"comment_start_string": "<#", "comment_end_string": "#>"},
    }
    return jinja2.Environment(
        loader=jinja2.PackageLoader("stavis_jax.reports"),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else escape_text(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **(delimiters if escape_text is escape_latex else {}),
    )
