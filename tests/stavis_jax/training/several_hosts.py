"""Command: runs one of several processes of a small training.

Arguments: COORDINATOR PROCESSES PROCESS SHARDS DIRECTORY SETTINGS (JSON).
"""

import json
import sys
from pathlib import Path

import jax
from small_training import train_small

from data_pipelines.runtime.command import command
from stavis_jax.training import devices


@command
def main(coordinator: str, processes: str, process: str, shards: str, directory: str, changes: str) -> None:
    if int(processes) > 1:
        devices.connect(coordinator, int(processes), int(process))
    print(len(jax.devices()), "devices")
    train_small(Path(shards), Path(directory), **json.loads(changes))


if __name__ == "__main__":
    main(*sys.argv[1:])
