"""Resumes the visual demo, made small, with other numbers of devices and of processes, and compares the losses.

  python -m benchmarks.resizing --work FOLDER

One training of EPOCHS epochs runs on eight CPU devices. Copies of its folder, as it was after epoch FIRST, go on with
1, 2, 4 and 8 devices, and with 1, then 2, then 1 processes. The table goes to standard output. It takes several minutes
on 2 CPU cores.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

EPOCHS, FIRST = 4, 2
SMALL = [
    "--config=visual:demo",
    *("--config.demo.train_films=24", "--config.demo.test_films=2", "--config.demo.frames=20", "--config.demo.size=32"),
    *("--config.stages.visual.save_every=1", "--config.stages.visual.keep_checkpoints=9", "--config.tensorboard=False"),
    *(f"--config.stages.visual.epochs={EPOCHS}", "--config.compute.dtype=float32", "--mode=train"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare losses of a training resumed on other devices.")
    parser.add_argument("--work", type=Path, required=True, help="folder for the trainings")
    work = parser.parse_args().work
    whole = work / "whole"
    train(whole, devices=8)
    names = [f"loss of epoch {epoch}" for epoch in range(FIRST + 1, EPOCHS + 1)]
    print("| devices | " + " | ".join(names) + " | largest difference |")
    print("|---" * (EPOCHS - FIRST + 2) + "|")
    for count in (1, 2, 4, 8):
        folder = copy_until(FIRST, whole, work / f"{count}")
        train(folder, devices=count)
        print_row(f"8, then {count}", folder, whole)
    two = copy_until(FIRST, whole, work / "two")
    train(two, devices=4, processes=2)
    print_row("8, then 2 processes of 4", two, whole)
    one = copy_until(FIRST + 1, two, work / "one")
    train(one, devices=8)
    print_row("8, then 2 processes of 4, then 8", one, whole)


def copy_until(epoch: int, folder: Path, target: Path) -> Path:
    """Copies a run as it was after an epoch."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    checkpoints = target / "visual" / "checkpoints"
    steps = sorted(int(path.name) for path in checkpoints.iterdir())
    for step in steps[epoch + 1 :]:  # the first is of step 0
        shutil.rmtree(checkpoints / str(step))
    return target


def train(folder: Path, devices: int, processes: int = 1) -> None:
    """Runs the training command, with CPU devices in each process."""
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, "-m", "stavis_jax.main", *SMALL, f"--workdir={folder}"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        together = [f"--coordinator=127.0.0.1:{free.getsockname()[1]}", f"--processes={processes}"]
    numbered = [[*together, f"--process={i}"] for i in range(processes)] if processes > 1 else [[]]
    log = Path(f"{folder}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        started = [
            subprocess.Popen(command + flags, env=environment, stdout=output, stderr=subprocess.STDOUT)
            for flags in numbered
        ]
        codes = [process.wait() for process in started]
        if any(codes):
            sys.exit(f"error: {log}: a training failed.")


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "visual" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == EPOCHS
    return [line["loss"] for line in lines[FIRST:]]


def print_row(name: str, folder: Path, whole: Path) -> None:
    ours, theirs = losses(folder), losses(whole)
    difference = max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True))
    print(f"| {name} | " + " | ".join(f"{loss:.6f}" for loss in ours) + f" | {difference:.1e} |", flush=True)


if __name__ == "__main__":
    main()
