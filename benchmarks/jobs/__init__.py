"""What is measured, one module per job.

`measure(session)` returns the job's sections of docs/benchmarks.md: title -> text. `theirs` and `ours` run in workers
and return the job of PyTorch's side and of ours. They import their libraries themselves, so that no worker holds the
other side's. A new module is also named in JOBS of benchmarks/run.py.
"""
