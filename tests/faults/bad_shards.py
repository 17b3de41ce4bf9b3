"""Shards, results and working directories of strangers."""

import json
import os
from pathlib import Path

import numpy as np
from bad_input import BadInput, Place, change
from supplies import DATABASE

ANNOTATIONS = "annotations/native_annotations-frames.array_record-00002-of-00003"  # of the test film
METHODS = "center-bias", "visual"  # of a visual part


def scored(what: str, spoil, says: str) -> BadInput:
    """Maps scored against shards that `spoil` changes."""

    def make(place: Place):
        shards = place.copy("shards")
        spoil(shards)
        flags = ["--predictions", place.supplies.maps, "--data", shards, "--output", place.output, "--workers", 1]
        return flags

    return BadInput(what, "evaluate", make, says)


def trained(what: str, spoil, says: str) -> BadInput:
    def make(place: Place):
        shards = place.copy("shards")
        spoil(shards)
        return training_flags(shards, place.output)

    return BadInput(what, "main", make, says)


def training_flags(shards: Path, workdir: Path, *more: str) -> list[str]:
    """One epoch of a network of depth 10, its visual stage alone."""
    stage = "--config.stages.visual"
    return [
        "--config=configs/visual.py",
        f"--config.data.path={shards}",
        f"--workdir={workdir}",
        "--config.model.depth=10",
        f"{stage}.epochs=1",
        f"{stage}.batch_size=1",
        f"{stage}.effective_batch=1",
        "--config.tensorboard=False",
        *more,
    ]


def metadata(what: str, changes, says: str = "metadata.json", by=scored) -> BadInput:
    def spoil(shards: Path) -> None:
        path = shards / "metadata.json"
        content = json.loads(path.read_text())
        new = changes(content) if callable(changes) else changes
        path.write_text(new if isinstance(new, str) else json.dumps(new))

    return by(what, spoil, says)


def film(**fields: object):
    """The metadata with these fields of the test film changed."""

    def change_film(content: dict) -> dict:
        content["films"][2] |= fields
        return content

    return change_film


def compared(what: str, content: object, says: str = "not a results.json") -> BadInput:
    def make(place: Place):
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        other = place.file("other/results.json", text).parent
        flags = ["--predictions", place.supplies.maps, "--data", place.supplies.raw, "--output", place.output]
        return [*flags, "--workers", 1, "--compare", other]

    return BadInput(what, "evaluate", make, says)


def row(**changes: object) -> dict:
    video = {"method": "a", "database": DATABASE, "split": 1, "video": "three", "frames": 9, "CC": 0.5}
    return {"videos": [video | changes]}


def in_workdir(what: str, files: dict[str, str], says: str) -> BadInput:
    """A training in a working directory that holds these files."""

    def make(place: Place):
        for name, text in files.items():
            place.file(f"run/{name}", text)
        return training_flags(place.supplies.shards, place.folder / "run")

    return BadInput(what, "main", make, says)


def tabled(what: str, files: dict[str, str], says: str) -> BadInput:
    """An ablation's table of what a working directory is said to hold."""

    def make(place: Place):
        for name, text in files.items():
            place.file(f"run/split1/visual/{name}", text)
        return ["--config=configs/ablation.py", f"--workdir={place.folder / 'run'}", "--mode=table"]

    return BadInput(what, "ablate", make, says)


def _longer(shards: Path) -> None:
    """The metadata say that the test film has more frames than its file."""
    path = shards / "metadata.json"
    content = json.loads(path.read_text())
    content["films"][2]["num_frames"] += 7
    path.write_text(json.dumps(content))


def flip(path: Path) -> None:
    """A bit in the picture of a record."""
    content = path.read_bytes()
    at = content.index(b"\xff\xd8\xff") + 40
    change(path, at, bytes([content[at] ^ 1]))


def _garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


ROWS = [
    scored("annotations cut short", lambda shards: os.truncate(shards / ANNOTATIONS, 5000), ANNOTATIONS),
    scored("annotations with a flipped bit", lambda shards: flip(shards / ANNOTATIONS), ANNOTATIONS),
    scored("annotations of random bytes", lambda shards: _garbage(shards / ANNOTATIONS), ANNOTATIONS),
    scored("annotations that are empty", lambda shards: os.truncate(shards / ANNOTATIONS, 0), ANNOTATIONS),
    scored("annotations that are missing", lambda shards: (shards / ANNOTATIONS).unlink(), "the file is missing"),
    scored("annotations of fewer frames than the film has", _longer, "array_record"),
    metadata("metadata that are no JSON", "{ half"),
    metadata("metadata that are a list", [1, 2]),
    metadata("metadata nested 100,000 deep", "[" * 100_000),
    metadata("metadata without films", lambda content: content | {"films": None}),
    metadata("metadata whose films are words", lambda content: content | {"films": ["one", "two"]}),
    metadata("metadata whose lists are numbers", lambda content: content | {"lists": 3}),
    metadata("metadata whose lists name film 99", lambda content: content | {"lists": {"test": {"1": [99]}}}),
    metadata("metadata whose lists name film -1", lambda content: content | {"lists": {"test": {"1": [-1]}}}),
    metadata("metadata with a size that is a word", lambda content: content | {"size": "big"}),
    metadata("metadata with a size of 10^9", lambda content: content | {"size": 10**9}, by=trained),
    metadata("metadata with an unknown field of a film", film(colour="red")),
    metadata("metadata with 10^12 frames", film(num_frames=10**12)),
    metadata("metadata with -5 frames", film(num_frames=-5)),
    metadata("metadata with a rate of 0", film(fps=0)),
    metadata("metadata with a rate that is a word", film(fps="fast")),
    metadata("metadata with a name that leads out", film(name="../../../escaped")),
    metadata("metadata with a name that is a number", film(name=3)),
    metadata("metadata with a database that leads out", film(database="../up")),
    compared("results that are no JSON", "{ half"),
    compared("results that are a list", [1, 2]),
    compared("results that are a number", 5),
    compared("results whose videos are numbers", {"videos": [1, 2]}),
    compared("results whose videos are a word", {"videos": "all"}),
    compared("results nested 100,000 deep", "[" * 100_000),
    compared("results that are not UTF-8", b"\xff\xfe\xfa"),
    compared("results with a score that is a word", row(CC="good")),
    compared("results with a score that is a list", row(CC=[1])),
    compared("results with a method that is a list", row(method=["a"])),
    compared("results with a database that is a list", row(database=["a"])),
    compared("results with a score of infinity", json.dumps(row()).replace("0.5", "1e999")),
    compared("results without videos", {"videos": []}),
    in_workdir("settings that are no JSON", {"config.json": "{ half"}, "config.json"),
    in_workdir("settings that are a list", {"config.json": "[1]"}, "config.json"),
    in_workdir("settings nested 100,000 deep", {"config.json": "[" * 100_000}, "config.json"),
    tabled("an ablation's mark that is no JSON", {"scored.json": "{ half"}, "scored.json"),
    tabled("an ablation's mark that is a list", {"scored.json": "[1]"}, "scored.json"),
    tabled("an ablation's scores that are missing", {"scored.json": '{"weights": "last"}'}, "no scores"),
    tabled(
        "an ablation's scores that are words",
        {
            "scored.json": '{"weights": "last", "cost": {}}',
            "results.json": json.dumps(row()),
            "frames.csv": f"method,database,split,video,frame,CC\na,{DATABASE},1,three,nine,good\n",
        },
        "no scores",
    ),
    tabled(
        "an ablation's cost of words",
        {
            "scored.json": '{"weights": "last", "cost": "much"}',
            "results.json": json.dumps(
                {"videos": row(method="center-bias")["videos"] + row(method="visual")["videos"]}
            ),
            "frames.csv": "method,database,split,video,frame,CC\n"
            + "".join(f"{name},{DATABASE},1,three,9,0.5\n" for name in ("center-bias", "visual")),
        },
        "scored.json",
    ),
]
