"""Speed as ratios, measured side by side; each job is the program that measured a section of docs/benchmarks.md.

run.py              the one command: which jobs, where the page is
workshop.py         how much is measured; weights, film and compiled functions that jobs share
targets.py          what each figure is to reach
speed.py, memory.py, startup.py, scaling.py, stages.py   the jobs
neighbours.py       and those that are commands of their own: input_pipeline.py, evaluation.py
paired.py           two processes that work in turn; ratios of their times
contestant.py       such a process: makes a job, runs it when told
jax_*.py, torch_*.py        jobs of both sides
reference/                  the network, its training step and its prediction in PyTorch
inputs.py, stage_inputs.py, films.py, checkpoints.py     what both sides are given
conv3d.py           forms of a 3D convolution side by side, a program of its own
work.py, machine.py GFLOP of a clip; cores, peaks of devices
report.py           the page
"""
