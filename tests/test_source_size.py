"""Source files stay short, and functions take few parameters."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "data_pipelines", "stavis_jax")
MOST_LINES = 300
MOST_MEDIAN_LINES = 110
MOST_PARAMETERS = 8
PUBLIC_API = {"evaluation_batches", "ingest", "prepare", "training_batches"}  # functions that users call


def source_files() -> dict[str, str]:
    """Returns path -> content."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def wide_functions(name: str, content: str) -> set[str]:
    """Returns "file:function" for each function with too many parameters; self and cls do not count."""
    wide = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = sum(parameter.arg not in ("self", "cls") for parameter in parameters)
            if count > MOST_PARAMETERS:
                wide.add(f"{name}:{node.name}")
    return wide


def test_no_source_file_is_longer_than_the_limit():
    lengths = {name: len(content.splitlines()) for name, content in source_files().items()}
    assert {name for name, length in lengths.items() if length > MOST_LINES} == set()
    assert sorted(lengths.values())[len(lengths) // 2] < MOST_MEDIAN_LINES


def test_only_public_functions_take_many_parameters():
    found = set().union(*(wide_functions(name, content) for name, content in source_files().items()))
    assert {place for place in found if place.rpartition(":")[2] not in PUBLIC_API} == set()
