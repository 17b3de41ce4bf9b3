"""Checks an installation without extras: starts every command, and takes small films through all of them.

python check_installed.py [PYTHON]

Run it with the Python of the environment, in an empty folder. Any warning that a user would see is an error. PYTHON is
that of an environment with PyTorch: it writes a .pth file, which this environment then reads.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
COMMANDS = ["ablate", "check", "compare", "convert", "demo", "evaluate", "export", "fetch", "ingest", "live"]
COMMANDS += ["predict", "prepare", "reframe", "status", "submission", "synthesize", "train"]
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


def main() -> None:
    if any(Path().iterdir()):
        sys.exit(f"{Path.cwd()}: is not empty.")
    Path("cache").mkdir()
    for command in COMMANDS:
        check(f"stavis-{command} " in run(command, "--help"), f"the help of stavis-{command} names it")
    run("synthesize", "--output=raw", "--films=2", "--frames=20")
    run("prepare", "--data=raw", "--output=shards")
    run("train", *TINY_DEMO, may_warn=("the sound hardly changes the maps",))  # after one epoch
    scores = json.loads(Path("run/results.json").read_text(encoding="utf-8"))["methods"]
    check({"center-bias", "visual", "l3mul-s3"} <= scores.keys(), f"results of {', '.join(scores)}")

    check("run: finished and scored" in run("status", "run"), "status tells that the run is finished")

    film = next(Path("raw/video_frames/Synthetic").iterdir())
    sound = next(Path("raw/video_audio/Synthetic", film.name).iterdir())
    prediction = (str(film), f"--sound={sound}", "--frame-rate=25", "--checkpoint=run", "--outputs=maps,overlay,track")
    first, second = (compiled("predict", *prediction, f"--output=predicted-{start}") for start in ("first", "second"))
    check(first > 0, "the first start of predict compiles")
    check(second == 0, f"the second start of predict compiles nothing, not {second} functions")
    overlay = Path("predicted-first", film.name, "overlay.mp4")
    said = run("predict", str(overlay), "--output=predicted-starter")
    check("starter: the package's own small network predicts" in said, f"predict names its network: {said}")
    check("20 frames, wrote maps, overlay.mp4" in said, f"predict needs a film and no other file: {said}")
    run("reframe", str(overlay), "--ratio=9:16", "--maps=predicted-starter/overlay", "--output=reframed")
    check(Path("reframed/overlay/9x16.mp4").exists(), "reframe writes a film")
    run("submission", "predicted-starter", f"--films={overlay}", "--benchmark=avimos", "--output=submitted")
    check(Path("submitted/overlay.mp4").exists(), "submission writes a film of maps")
    compared = run("compare", str(overlay), str(overlay), "--output=compared")
    check("Attention differs by 0%" in compared, f"compare finds a film equal to itself: {compared}")
    if sys.argv[1:]:
        write = [sys.argv[1], "-m", "stavis_jax.convert", "run", "--output=stavis.pth"]
        subprocess.run(write, check=True, stdout=subprocess.DEVNULL)
        run("convert", "stavis.pth", "--variant=l3mul-s3", "--output=converted")
        trained, read = (arrays_in(folder) for folder in ("run/l3mul-s3/last", "converted"))
        check(read == trained, "a .pth file, read without PyTorch, holds the arrays of its network")
        run("predict", *prediction, "--checkpoint=stavis.pth", "--variant=l3mul-s3", "--output=predicted-pth")
    maps = "--predictions=run/maps/l3mul-s3"
    expected = ("have no maps", "maps are black")  # of splits 2 and 3; of a network that is hardly trained
    run("evaluate", maps, "--data=run/data/raw", "--output=scores", may_warn=expected)

    check("damaged" not in run("check", "shards", "run"), "check finds everything whole")
    run("export", "run", "--output=stavis.stablehlo")
    check(Path("stavis.stablehlo").stat().st_size > 10_000_000, "the export holds the weights")

    check("need PyTorch" in failing("convert", "run", "--output=written.pth"), "convert asks for PyTorch")
    check("needs gradio" in failing("demo", "--checkpoint=run"), "demo asks for gradio")
    check(
        "apache" in failing("prepare", "--data=raw", "--output=beam", "--runner=DirectRunner"), "prepare asks for Beam"
    )
    print("installed commands: all checks passed")


def arrays_in(folder: str) -> str:
    """Returns the checksum of the arrays in a converted directory."""
    return json.loads(Path(folder, "stavis.json").read_text(encoding="utf-8"))["sha256"]


def run(command: str, *arguments: str, may_warn: tuple[str, ...] = ()) -> str:
    """Returns what a command prints. Ends this program if it fails, or warns without any text of `may_warn`."""
    begin = time.monotonic()
    done = start(command, *arguments)
    print(f"{time.monotonic() - begin:5.1f} s  stavis-{command} {' '.join(arguments)}", flush=True)
    check(done.returncode == 0, f"stavis-{command} ends with code {done.returncode}: {done.stderr}")
    warnings = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    check(all(any(text in line for text in may_warn) for line in warnings), f"stavis-{command} warns: {done.stderr}")
    return done.stdout + done.stderr


def failing(command: str, *arguments: str) -> str:
    """Returns the error of a command. Ends this program unless the error is one line."""
    done = start(command, *arguments)
    lines = done.stderr.strip().splitlines()
    check(done.returncode == 1 and len(lines) == 1, f"stavis-{command} ends with one line, not with {done.stderr}")
    return lines[0]


def compiled(command: str, *arguments: str) -> int:
    """Returns how many functions a command compiles: how many it adds to the cache of compiled functions."""
    before = len(list(Path("cache").rglob("*-cache")))
    run(command, *arguments)
    return len(list(Path("cache").rglob("*-cache"))) - before


def start(command: str, *arguments: str) -> subprocess.CompletedProcess:
    settings = {
        "XDG_CACHE_HOME": str(Path("cache").absolute()),  # of compiled functions
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # compiles in seconds
    }
    return subprocess.run(
        [SCRIPTS / f"stavis-{command}", *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"FAILED: {what}")


if __name__ == "__main__":
    main()
