"""Measures speed and memory as ratios to PyTorch, side by side. docs/benchmarks.md holds the figures.

run.py           the command
jobs/            what is measured, one module per job
reference/       the network, its training step and its prediction in PyTorch, which tests use too
plan.py          sizes, numbers of rounds, settings of malloc
targets.py       goals
session.py       starts workers with what they share, compares both sides, lays out sections
paired_timing.py, worker.py    two processes that work in turn; ratios of their times
torch_side.py, jax_side.py     what the workers of each side share
inputs.py, films.py, shard_lists.py    what both sides are given
training_stage.py              settings of the train steps that are measured or compiled
feeding.py       a command of its own: clips a second from shards, also beside another version of the code
accelerator/                   a second command, which measures everything on one GPU or TPU in a few minutes
compile_ahead/                 a third command, which compiles for TPUs and GPUs that are not here
machine.py, report.py          cores and peaks of devices; the page
"""
