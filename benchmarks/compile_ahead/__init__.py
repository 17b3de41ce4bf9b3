"""Compiles the network for TPUs and GPUs that this machine does not have, and reads the compilers' estimates.

__main__.py        the command: python -m benchmarks.compile_ahead --chip v5e
plan.py            the jobs: which programs, with which batches, on how many chips
chips.py           the chips, how their compilers are installed and started
programs.py        lowers the program of a job, the same that prediction and training run
facts.py           compiles it, and collects what the compiler says
hlo.py             reads compiled HLO text: cycles, collectives, transposes, layouts of convolutions, scatters
worker.py          the child process, which compiles
results.py         starts workers, and keeps each result as a line of JSON
limits.py          limits.json: the most that a compiled program may need
tables.py          results as tables, for the terminal and for docs/accelerators.md
h100.txtpb         properties of an H100, as XLA describes a GPU
"""
