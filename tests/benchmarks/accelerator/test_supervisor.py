"""Tests that no reported figure is lost, whatever a measurement does, and that the budget is kept."""

import importlib.util
import inspect
import json
import subprocess
import sys
import time

import pytest

from benchmarks.accelerator import figures
from benchmarks.accelerator.__main__ import environment_of, main
from benchmarks.accelerator.jax_network import form_of
from benchmarks.accelerator.plan import FORMS, SMALL, Item, Scale, Section, sections
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.supervisor import Supervisor
from stavis_jax.ops.compiler_options import CHANNELS_LAST

MEASUREMENTS = """
import os, time
from benchmarks.accelerator.figures import figure

def works(tell, number):
    print("libraries print")
    tell(figure(f"number {number}", number, "clips/s", environment=os.environ.get("MADE_UP", "")))

def fails(tell):
    tell(figure("before it fails", 1))
    raise ValueError("not\\nhere")

def dies(tell):
    tell(figure("before it dies", 2))
    os._exit(3)

def sleeps(tell):
    tell(figure("before it sleeps", 3))
    time.sleep(60)
"""

IMPORT_ALL = """
import importlib, json, sys
sys.modules[sys.argv[1]] = None
failed = []
for module in sys.argv[2:]:
    try:
        importlib.import_module(module)
    except ImportError:
        failed.append(module)
print(json.dumps(failed))
"""


def item(function: str, expected: float = 1, **arguments) -> Item:
    return Item(f"made_up_measurements:{function}", expected, arguments)


@pytest.fixture
def supervise(tmp_path, monkeypatch):
    (tmp_path / "made_up_measurements.py").write_text(MEASUREMENTS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(*items: Item, budget: float = 60.0) -> Supervisor:
        supervisor = Supervisor(tmp_path / "work", tmp_path / "output", budget)
        supervisor.run(Section("made up", items), {"MADE_UP": "here"})
        return supervisor

    return run


def values(supervisor: Supervisor) -> dict:
    return {one["name"]: one["value"] for one in supervisor.figures}


def test_measurements_that_fail_or_die_leave_the_others_and_what_they_told(supervise, tmp_path, capsys):
    supervisor = supervise(item("works", number=1), item("fails"), item("dies"), item("works", number=2))
    table = supervisor.close()
    expected = {"number 1": 1, "before it fails": 1, "fails": None, "before it dies": 2, "dies": None, "number 2": 2}
    assert values(supervisor) == expected
    printed = capsys.readouterr().out
    assert "made up: number 1: 1 clips/s (environment here)" in printed
    assert "made up: fails: FAILED, ValueError: not here" in printed
    assert "FAILED, the process ended with 3" in printed
    assert "| made up | number 2 | 2 clips/s |" in table and "| made up | fails | failed |" in table
    written = [json.loads(line) for line in (tmp_path / "output" / "figures.jsonl").read_text().splitlines()]
    assert {one["name"]: one["value"] for one in written} == expected
    assert "libraries print" in (tmp_path / "output" / "log.txt").read_text()


@pytest.mark.slow
def test_the_budget_ends_a_measurement_and_a_later_run_goes_on(supervise):
    begin = time.monotonic()
    supervisor = supervise(item("works", number=1), item("sleeps", 2), item("works", number=2), budget=4)
    assert time.monotonic() - begin < 20
    assert values(supervisor) == {"number 1": 1, "before it sleeps": 3}
    later = supervise(item("works", number=1), item("works", number=2))
    assert values(later) == {"number 1": 1, "before it sleeps": 3, "number 2": 2}
    assert [one["name"] for one in later.figures].count("number 1") == 1


def test_what_does_not_fit_the_budget_is_not_begun(supervise):
    assert values(supervise(item("works", 1000, number=1), item("works", number=2), budget=30)) == {"number 2": 2}


def test_a_line_that_was_cut_short_is_no_figure(tmp_path):
    (tmp_path / "figures.jsonl").write_text(json.dumps(figures.figure("whole", 1)) + '\n{"name": "cu')
    assert [one["name"] for one in figures.read(tmp_path / "figures.jsonl")] == ["whole"]


@pytest.mark.parametrize("scale", [Scale(), SMALL])
def test_items_of_a_section_have_names_of_their_own(scale):
    for section in sections(scale, "work", "output"):
        names = [item.name for item in section.items]
        assert len(names) == len(set(names))


def test_the_plan_names_functions_that_take_its_arguments():
    for item in (item for section in sections(Scale(), "work", "output") for item in section.items):
        module, _, function = item.call.partition(":")
        if not module.endswith("torch_side") or importlib.util.find_spec("torch"):
            inspect.signature(getattr(importlib.import_module(module), function)).bind(print, **item.arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "needed_by"),
    [("av", {"jax_dense"}), ("tensorflow_datasets", {"feeding"}), ("grain", {"feeding"})],
)
def test_a_missing_package_costs_only_the_figures_that_need_it(missing, needed_by):
    planned = {item.call.partition(":")[0] for section in sections(Scale(), "work", "output") for item in section.items}
    modules = sorted(module for module in planned if not module.endswith("torch_side"))
    found = subprocess.run([sys.executable, "-c", IMPORT_ALL, missing, *modules], stdout=subprocess.PIPE, check=True)
    assert set(json.loads(found.stdout)) == {f"benchmarks.accelerator.{module}" for module in needed_by}


def test_only_the_section_that_compares_layouts_changes_the_flags_of_our_commands(tmp_path):
    flags = {
        section.name: environment_of(section, tmp_path).get("XLA_FLAGS")
        for section in sections(SMALL, "work", "output")
    }
    assert flags.pop("jax, channels first") == f"--{CHANNELS_LAST}=false"
    assert set(flags.values()) == {None}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_that_is_measured_differs_from_the_usual_one(form):
    assert form_of(Setting(form=form)) != form_of(Setting())


def test_a_section_that_does_not_exist_is_refused_with_the_names_of_all(tmp_path):
    with pytest.raises(SystemExit, match=r"error: --sections foo: no section .*; jax, forms; input pipeline; "):
        main(["--output", str(tmp_path / "figures"), "--sections", "foo"])
    assert not (tmp_path / "figures").exists()
