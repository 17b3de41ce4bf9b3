"""Hooks of mkdocs: pages from outside docs/, links to them, and diagrams drawn when the site is built."""

import json
import re
from pathlib import Path

import mermaidx
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
INCLUDED = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md", "configs/av.py")
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK_OUT = re.compile(r"\]\((?:\.\./|docs/)")  # from docs/ to the repository, or from the repository to docs/


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds files from outside docs/ under their paths in the repository, and notebooks as pages."""
    for path in INCLUDED:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=_page(notebook)))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Points links at the pages of the site, and draws the diagrams."""
    return DIAGRAM.sub(_drawn, LINK_OUT.sub("](", markdown))


def _page(notebook: Path) -> str:
    """Returns a notebook as Markdown. The notebooks hold no output."""
    texts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        texts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(texts)


def _drawn(diagram: re.Match) -> str:
    return f'<div class="diagram">{mermaidx.render(diagram[1]).svg()}</div>'
