"""The package's files agree: versions, locks, links, commands and pages of the documentation."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import data_pipelines
import stavis_jax

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, SETUPTOOLS = SETTINGS["project"], SETTINGS["tool"]["setuptools"]
MOST_STARTER_BYTES = 12_000_000  # a package that is quick to install
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")])
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def locked(name: str) -> dict[str, set[str]]:
    """Returns package -> versions of a requirements file; there may be one for each version of Python."""
    versions = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith("#"):
            package, _, version = line.partition(" ;")[0].strip().partition("==")
            versions.setdefault(package, set()).add(version)
    return versions


def test_version_is_the_same_everywhere():
    assert stavis_jax.__version__ == PROJECT["version"]
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_requirements_are_a_part_of_the_constraints():
    requirements, constraints = locked("requirements.txt"), locked("constraints.txt")
    assert requirements.items() <= constraints.items()
    assert len(requirements) < len(constraints)


def test_lock_holds_every_dependency_and_no_cuda_package():
    named = [*PROJECT["dependencies"], *(name for extra in PROJECT["optional-dependencies"].values() for name in extra)]
    packages = {re.match(r"[\w.-]+", name)[0].lower().replace("_", "-") for name in named} - {"stavis-jax"}
    constraints = locked("constraints.txt").keys()
    assert packages <= constraints
    assert not {name for name in constraints if name.startswith(("nvidia", "triton"))}


def test_each_command_has_a_console_script():
    commands = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for package in ("stavis_jax", "data_pipelines")
        for file in (ROOT / package).glob("*.py")
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in ast.parse(file.read_text()).body)
    }
    assert sorted(PROJECT["scripts"].values()) == sorted(f"{command}:main" for command in commands)
    for script, entry in PROJECT["scripts"].items():
        name = entry.partition(":")[0].rpartition(".")[2]
        assert script == f"stavis-{'train' if name == 'main' else name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    """External links are not followed; links to sections are checked when the site is built."""
    links = LINK.findall(CODE.sub("", document.read_text(encoding="utf-8")))
    targets = {link.partition("#")[0] for link in links if not re.match(r"https?:|mailto:", link)} - {""}
    assert {target for target in targets if not (document.parent / target).exists()} == set()


def test_every_guide_is_in_the_navigation_and_in_the_list_of_guides():
    guides = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    index, navigation = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/index.md", "mkdocs.yml"))
    assert {guide for guide in guides if f"]({guide})" not in index} == set()
    assert {guide for guide in guides if f"- {guide}\n" not in navigation} == set()


def test_the_starter_network_is_installed_with_its_licence_and_is_small():
    room = ROOT / "stavis_jax/weights"
    patterns = SETUPTOOLS["package-data"]["stavis_jax.weights"]
    installed = {path.relative_to(room).as_posix() for pattern in patterns for path in room.glob(pattern)}
    assert {f"packaged/starter/{name}" for name in ("stavis.json", "weights.safetensors")} <= installed
    assert "packaged/starter.md" in installed
    card = (room / "packaged/starter.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: mit\n")
    assert "Copyright (c) 2014 NUS VIP" in card  # OSIE's licence asks for its notice
    assert (room / "packaged/starter/weights.safetensors").stat().st_size < MOST_STARTER_BYTES


def test_every_public_name_is_in_the_reference():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/api").glob("*.md"))
    names = {f"stavis_jax.{name}" for name in stavis_jax.__all__} | {
        f"data_pipelines.{n}" for n in data_pipelines.__all__
    }
    assert names <= set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
