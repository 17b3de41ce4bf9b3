"""The quick loop, `python -m pytest -m quick`, runs tests of every folder of the code."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGES = ("benchmarks", "data_pipelines", "stavis_jax")
FOLDERS = sorted(
    folder.relative_to(ROOT)
    for package in PACKAGES
    for folder in (ROOT / package, *(ROOT / package).rglob("*/"))
    if any(folder.glob("*.py"))
)


def quick_tests(path: Path) -> list[str]:
    """Returns the tests of a file that are not marked slow, one by one or as a whole."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assigned = [ast.unparse(node) for node in body if isinstance(node, ast.Assign)]
    if any(line.startswith("pytestmark") and "pytest.mark.slow" in line for line in assigned):
        return []
    tests = (node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))
    return [test.name for test in tests if "pytest.mark.slow" not in map(ast.unparse, test.decorator_list)]


def quick_tests_of(folder: Path) -> list[str]:
    """Returns the quick tests of a folder of the code: those in the test folder or test file of the same name."""
    files = [TESTS / folder.parent / f"test_{folder.name}.py", *(TESTS / folder).rglob("test_*.py")]
    return [name for file in files if file.is_file() for name in quick_tests(file)]


@pytest.mark.parametrize("folder", [*FOLDERS, Path("faults"), Path("notebooks")], ids=str)
def test_every_folder_has_a_quick_test(folder):
    assert quick_tests_of(folder)


def test_every_test_is_either_slow_or_quick(request):
    for item in request.session.items:
        marks = {mark.name for mark in item.iter_markers()}
        assert len(marks & {"slow", "quick"}) == 1, item.nodeid
