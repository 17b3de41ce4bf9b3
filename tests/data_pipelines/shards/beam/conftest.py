"""Skips the tests of Apache Beam where it is not installed."""

import importlib.util

if not importlib.util.find_spec("apache_beam"):
    collect_ignore = ["test_beam_runner.py"]
