"""Measures everything on an accelerator, with one command and within a time budget: python -m benchmarks.accelerator.

__main__.py        the command: flags, XLA's flags for each section, the table at the end
plan.py            the measurements, the most valuable first, with the seconds that each is expected to take
supervisor.py      runs them in child processes within the budget, and keeps the figures of a child that dies
worker.py          the child process: runs measurements one after another and reports every figure immediately
figures.py         a figure as a line of text, a line of JSON and a row of the table
timing.py          seconds of a call on a device that works asynchronously
subjects.py        settings, weights and inputs, the same for PyTorch and for our network
jax_network.py     our network in the form for accelerators, and in others to compare with
trace.py           the operations of a profile that take the most time

The measurements: device_facts.py, jax_training.py, jax_scoring.py, jax_dense.py, torch_side.py, feeding.py,
device_films.py. Each is imported when its first figure is measured, so a package that is missing costs only the figures
of the module that needs it. Only jax_dense.py needs PyAV, and only feeding.py needs tensorflow_datasets and Grain.
"""
