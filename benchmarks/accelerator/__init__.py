"""Every measurement on an accelerator, in one command with a time budget: python -m benchmarks.accelerator.

__main__.py        the command: flags, which figures are there already, the table at the end
plan.py            the measurements, most valuable first, each with the seconds it is expected to take
supervisor.py      runs them in child processes within the budget, and keeps what a killed child has told
worker.py          such a child: runs measurements one after another, tells every figure as soon as it is there
figures.py         a figure as a line of text, a line of JSON, a row of the table
timing.py          seconds of a call on a device that works asynchronously
subjects.py        networks, weights and inputs, the same for both sides
device_facts.py, jax_training.py, jax_scoring.py, torch_side.py, feeding.py    the measurements
rewrites.py        other forms of the network's operations, put in place by name
trace.py           the operations with the most time in a profile
"""
