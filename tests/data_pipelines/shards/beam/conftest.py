"""Tests that run where Apache Beam is. It needs older libraries than requirements.txt has: docs/data.md says how."""

import importlib.util

if not importlib.util.find_spec("apache_beam"):
    collect_ignore = ["test_beam_runner.py"]
