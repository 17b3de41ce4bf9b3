"""Tests of the comparison with PyTorch need it as they are imported."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("torch") else ["test_run.py", "reference"]
