"""Settings nobody can mean, behind flags that are right."""

from bad_input import BadInput, Place
from bad_shards import training_flags


def _prepare(place: Place) -> list[object]:
    return ["--data", place.supplies.raw, "--output", place.output, "--workers", 1]


def _evaluate(place: Place) -> list[object]:
    return ["--predictions", place.supplies.maps, "--data", place.supplies.raw, "--output", place.output]


def _predict(place: Place) -> list[object]:
    return [place.supplies.film, "--checkpoint", place.supplies.weights, "--output", place.output]


def _ingest(place: Place) -> list[object]:
    films = ["--films", place.supplies.films, "--gaze", place.supplies.gaze, "--workers", 1]
    return [*films, "--database", "Own", "--output", place.output]


FLAGS = {
    "synthesize": lambda place: ["--output", place.output, "--workers", 1],
    "ingest": _ingest,
    "prepare": _prepare,
    "convert": lambda place: [place.supplies.pth, "--output", place.output],
    "predict": _predict,
    "reframe": lambda place: [*_predict(place), "--ratio", "9:16"],
    "compare": lambda place: [place.supplies.film, *_predict(place)],
    "evaluate": _evaluate,
    "main": lambda place: training_flags(place.supplies.shards, place.output),
}


def given(command: str, what: str, *arguments: object, says: str) -> BadInput:
    """Of a flag given twice, the last one counts. A function among the arguments makes one of the place."""

    def make(place: Place):
        last = [argument(place) if callable(argument) else argument for argument in arguments]
        return [*FLAGS[command](place), *last]

    return BadInput(what, command, make, says)


def _long(place: Place):
    return place.folder / ("a" * 5000)


def _regions(place: Place):
    return place.file("boxes.json", '{"unit": "share", "regions": {"a": {"box": [0.9, 0, 0.2, 1]}}}')


def _boxes(text: str):
    return lambda place: place.file("boxes.json", f'{{"unit": "pixels", "regions": {{{text}}}}}')


ROWS = [
    given("synthesize", "-1 films", "--films", -1, says="films"),
    given("synthesize", "a film of 0 frames", "--frames", 0, says="frames"),
    given("synthesize", "a rate of NaN", "--fps", "nan", says="fps"),
    given("synthesize", "a rate of infinity", "--fps", "inf", says="fps"),
    given("synthesize", "a length of NaN", "--seconds", "nan", says="seconds"),
    given("synthesize", "a length of infinity", "--seconds", "inf", says="seconds"),
    given("synthesize", "a length of 1e300 s", "--seconds", "1e300", says="frames"),
    given("synthesize", "a picture of 10^6 pixels a side", "--frame-size", "1000000x1000000", says="frame width"),
    given("synthesize", "0 worker processes", "--workers", 0, says="workers"),
    given("ingest", "a database name that leads out", "--database", "../x", says="--database"),
    given("ingest", "a seed of -1", "--seed", -1, says="--seed"),
    given("ingest", "a screen of 0x0", "--screen", "0x0", says="--screen"),
    given("ingest", "a blur of NaN", "--sigma", "nan", says="--sigma"),
    given("ingest", "a blur of 1e-320 pixels", "--sigma", "1e-320", says="--sigma"),
    given("ingest", "a test share of NaN", "--test-share", "nan", says="--test-share"),
    given("prepare", "0 pixels", "--size", 0, says="size"),
    given("prepare", "10^9 pixels", "--size", 10**9, says="size"),
    given("prepare", "-1 worker processes", "--workers", -1, says="workers"),
    given("prepare", "a database there is not", "--databases", "../etc", says="has no frames"),
    given("prepare", "an output that is a file", "--output", lambda place: place.file("a", b"1"), says="a: exists"),
    given("prepare", "an output below a file", "--output", lambda place: place.file("a", b"") / "b", says="Not a dir"),
    given("evaluate", "a split 4", "--splits", "4", says="--splits"),
    given("evaluate", "a first frame of 0", "--first-frame", 0, says="--first-frame"),
    given("evaluate", "a blur of infinity", "--sigma-pixels", "inf", says="--sigma-pixels"),
    given("evaluate", "a database there is not", "--databases", "../../x", says="has no frames"),
    given("predict", "regions without their output", "--regions", _regions, says="--regions: has no effect"),
    given("predict", "an output without its regions", "--outputs", "regions", says="needs --regions"),
    given("predict", "regions in no film", "--outputs", "regions", "--regions", _regions, says="not within the film"),
    given("predict", "a screen without gaze", "--screen", "9x9", says="--screen: has no effect without --gaze"),
    given("predict", "a variant there is not", "--variant", "l9", says="l9"),
    given("main", "a batch of 0 clips", "--config.stages.visual.batch_size=0", says="batch_size=0"),
    given("main", "a learning rate of NaN", "--config.stages.visual.learning_rate=nan", says="learning_rate=nan"),
    given("main", "a split 9", "--config.data.split=9", says="split 9"),
    given("main", "-1 reading processes", "--config.data.workers=-1", says="--config.data.workers"),
    given("main", "a depth of 7", "--config.model.depth=7", says="depth"),
    *(
        given(command, "an output name of 5,000 characters", "--output", _long, says="File name too long")
        for command in FLAGS
        if command != "main"
    ),
    given("reframe", "a ratio of 0:1", "--ratio", "0:1", says="expected WIDTH:HEIGHT"),
    given("reframe", "a ratio of 1:100", "--ratio", "1:100", says="at most 10:1 or 1:10"),
    given("reframe", "a ratio in two forms", "--ratio", "9:16", "18:32", says="--ratio 18:32: is given twice"),
    given("reframe", "a camera that does not move", "--max-speed", 0, says="--max-speed 0: is out of range"),
    given("reframe", "a jerk of NaN", "--max-jerk", "nan", says="--max-jerk nan: is out of range"),
    given("reframe", "a share of 2 to pad below", "--pad-below", 2, says="--pad-below 2: is out of range"),
    given("reframe", "maps beside a checkpoint", "--maps", ".", says="--checkpoint: has no effect with --maps"),
    given(
        "compare", "two regions of one name", "--regions", _boxes('"a": {"box": [0, 0, 9, 9]}, "a": {}'), says="twice"
    ),
    given(
        "compare",
        "a region of no characters",
        "--regions",
        _boxes('"\\ud800": {"box": [0, 0, 9, 9]}'),
        says="printable",
    ),
    given(
        "compare",
        "shares in place of pixels",
        "--regions",
        _boxes('"a": {"box": [0, 0, 1, 1]}'),
        says="within one pixel",
    ),
    given("compare", "an output of others", "--output", lambda place: place.file("a/b", b"").parent, says="holds b"),
]
