"""Limits of compiled programs."""

import json

from benchmarks.compile_ahead import limits
from benchmarks.compile_ahead.plan import all_jobs

RESULT = {
    "chip": "h100",
    "job": "train",
    "compiler": "jax 1",
    "error": "",
    "cycles": 100,
    "temporaries": 1000,
    "transposes": [2, 50],
    "scatters": 0,
    "collectives": {"all-reduce": [3, 70], "all-gather": [1, 5]},
    "convolutions": {"bf012_oi012->bf012": 4, "bf01_oi01->bf01": 1, "b012f_o012i->b012f": 2},
}


def test_limits_that_are_set_leave_room_for_small_changes_only(tmp_path):
    path = tmp_path / "limits.json"
    path.write_text('{"v5e": {"jax 1": {"other": {"cycles": 1}}}}')
    limits.set_limits([RESULT, {"chip": "h100", "job": "failed", "error": "no"}], path)
    written = json.loads(path.read_text())
    assert written["v5e"] == {"jax 1": {"other": {"cycles": 1}}} and list(written["h100"]["jax 1"]) == ["train"]
    assert limits.exceeded([RESULT], written) == []
    doubled = RESULT | {"temporaries": 2000, "transposes": [3, 50]}
    assert limits.exceeded([doubled], written) == [
        "train on h100: 2,000 temporaries, at most 1,150",
        "train on h100: 3 transposes, at most 2",
    ]


def test_measures_count_all_collectives_and_3d_convolutions_alone():
    found = limits.measures(RESULT)
    assert found["collectives"] == 4 and found["channels-first 3D convolutions"] == 4


def test_a_program_with_limits_must_compile():
    failed = {"chip": "h100", "job": "train", "compiler": "jax 1", "error": "Ran out of memory"}
    assert limits.exceeded([failed], {"h100": {"jax 1": {"train": {"cycles": 1}}}}) == [
        "train on h100: Ran out of memory"
    ]
    assert limits.exceeded([failed], {}) == []


def test_limits_name_jobs_that_exist():
    names = {job.name for job in all_jobs()}
    chips = json.loads(limits.PATH.read_text()).values()
    assert all(names.issuperset(jobs) for compilers in chips for jobs in compilers.values())


def test_limits_apply_to_the_compiler_they_were_set_with():
    set_with_another = {"h100": {"jax 2": {"train": {"temporaries": 1}}}}
    assert limits.exceeded([RESULT], set_with_another) == []
    assert limits.without_limits([RESULT]) == ["train"]
