"""Checks an installation without extras: starts every command, and takes a small film through all of them.

python check_installed.py

Run it with the Python of the environment, in an empty folder. Any warning is an error.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
COMMANDS = ["ablate", "convert", "demo", "evaluate", "fetch", "ingest", "predict", "prepare", "synthesize", "train"]
TINY_DEMO = (
    "--config=av:demo",
    "--workdir=run",
    "--config.demo.train_films=4",
    "--config.demo.test_films=2",
    "--config.demo.frames=20",
    "--config.demo.size=32",
    "--config.stages.visual.epochs=1",
    "--config.stages.audiovisual.epochs=1",
)
COMPILED = re.compile("Persistent compilation cache miss", re.IGNORECASE)


def main() -> None:
    if any(Path().iterdir()):
        sys.exit(f"{Path.cwd()}: is not empty.")
    Path("cache").mkdir()
    for command in COMMANDS:
        check(f"usage: stavis-{command}" in run(command, "--help") or command in ("ablate", "train"), command)
    run("synthesize", "--output=raw", "--films=2", "--frames=20")
    run("prepare", "--data=raw", "--output=shards")
    run("train", *TINY_DEMO)
    scores = json.loads(Path("run/results.json").read_text(encoding="utf-8"))["methods"]
    check({"center-bias", "visual", "l3mul-s3"} <= scores.keys(), f"results of {', '.join(scores)}")

    film = next(Path("raw/video_frames/Synthetic").iterdir())
    prediction = (str(film), "--checkpoint=run", "--outputs", "maps", "overlay", "track")
    first, second = (compiled(*prediction, f"--output=predicted-{start}") for start in ("first", "second"))
    check(first > 0, "the first start of predict compiles")
    check(second == 0, f"the second start of predict compiles nothing; it compiled {second} functions")
    run("evaluate", "--predictions=run/maps", "--data=run/raw", "--output=scores")

    check("need PyTorch" in failing("convert", "run", "--output=stavis.pth"), "convert asks for PyTorch")
    check("needs gradio" in failing("demo", "--checkpoint=run"), "demo asks for gradio")
    check(
        "apache" in failing("prepare", "--data=raw", "--output=beam", "--runner=DirectRunner"), "prepare asks for Beam"
    )
    print("installed commands: all checks passed")


def run(command: str, *arguments: str, **variables: str) -> str:
    """Returns what a command prints. Ends this program if it fails or warns."""
    begin = time.monotonic()
    done = start(command, *arguments, **variables)
    print(f"{time.monotonic() - begin:5.1f} s  stavis-{command} {' '.join(arguments)}", flush=True)
    check(done.returncode == 0, f"stavis-{command} ends with code {done.returncode}: {done.stderr}")
    check("warning" not in done.stderr.lower(), f"stavis-{command} warns: {done.stderr}")
    return done.stdout + done.stderr


def failing(command: str, *arguments: str) -> str:
    """Returns the error of a command. Ends this program unless the error is one line."""
    done = start(command, *arguments)
    lines = done.stderr.strip().splitlines()
    check(done.returncode == 1 and len(lines) == 1, f"stavis-{command} ends with one line, not with {done.stderr}")
    return lines[0]


def compiled(*arguments: str) -> int:
    """Returns how many functions `predict` compiles. The others come from the cache of compiled functions."""
    return len(COMPILED.findall(run("predict", *arguments, JAX_DEBUG_LOG_MODULES="jax._src.compiler")))


def start(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    settings = {"JAX_COMPILATION_CACHE_DIR": str(Path("cache").absolute()), "PYTHONWARNINGS": "default"}
    return subprocess.run(
        [SCRIPTS / f"stavis-{command}", *arguments],
        env=os.environ | settings | variables,
        capture_output=True,
        text=True,
    )


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"FAILED: {what}")


if __name__ == "__main__":
    main()
