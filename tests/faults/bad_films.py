"""Films and gaze tables of strangers, given to ingest and predict."""

import os

import numpy as np
from bad_input import BadInput, Place, change
from bad_raw_data import picture, png
from supplies import gaze_table, write_film

HEADER = "video,observer,time,x,y\n"


def gaze(what: str, text: bytes | str, says: str = "gaze.csv", *flags: object) -> BadInput:
    def make(place: Place):
        return [*_films(place), "--gaze", place.file("gaze.csv", text), *_to(place), *flags]

    return BadInput(what, "ingest", make, says)


def still(what: str, content, says: str) -> BadInput:
    def make(place: Place):
        path = place.file("still.png", content(place) if callable(content) else content)
        table = place.file("gaze.csv", "picture,x,y\nstill,1,1\n")
        return ["--stills", "--films", path, "--gaze", table, *_to(place)]

    return BadInput(f"{what}, ingested as a still", "ingest", make, says)


def annotations(what: str, text: str, says: str) -> BadInput:
    def make(place: Place):
        path = place.file("still.png", picture("PNG"))
        return ["--stills", "--films", path, "--gaze", place.file("annotations.json", text), *_to(place)]

    return BadInput(what, "ingest", make, says)


def _films(place: Place) -> list[object]:
    return ["--films", place.supplies.films]


def _to(place: Place) -> list[object]:
    return ["--database", "Own", "--output", place.output, "--workers", 1]


def ingest_film(what: str, name: str, content, says: str) -> BadInput:
    """`content`: bytes, or a function that writes a path."""

    def make(place: Place):
        path = _film(place, name, content)
        table = place.file("gaze.csv", gaze_table((path.stem,)))
        return ["--films", path, "--gaze", table, *_to(place)]

    return BadInput(f"{what}, ingested", "ingest", make, says)


def predict_film(what: str, name: str, content, says: str) -> BadInput:
    def make(place: Place):
        path = _film(place, name, content)
        return [path, "--checkpoint", place.supplies.weights, "--output", place.output]

    return BadInput(f"{what}, predicted", "predict", make, says)


def both(what: str, name: str, content, says: str) -> list[BadInput]:
    return [make(what, name, content, says) for make in (ingest_film, predict_film)]


def _film(place: Place, name: str, content):
    if callable(content):
        path = place.folder / name
        content(path)
        return path
    return place.file(name, content)


# Films whose headers lie


def spoiled(kind: str, spoil, **film):
    """A film as `write_film` makes it, changed afterwards."""

    def write(path) -> None:
        write_film(path, kind=kind, **film)
        spoil(path)

    return write


def replace_after(mark: bytes, offset: int, new: bytes):
    """Overwrites what lies `offset` behind the first `mark`."""

    def spoil(path) -> None:
        change(path, path.read_bytes().index(mark) + offset, new)

    return spoil


def cut(share: float):
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def still_only(path) -> None:
    """A sound with a cover picture, as music files have."""
    import av

    with av.open(str(path), "w", format="wav") as container:
        audio = container.add_stream("pcm_s16le", 8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))


def y4m(width: int, height: int, rate: str = "25:1", frames: int = 1, data: bytes = b"") -> bytes:
    return f"YUV4MPEG2 W{width} H{height} F{rate} Ip A1:1 C420jpeg\n".encode() + b"FRAME\n" * frames + data


def avi_header(offset: int, new: bytes):
    return spoiled("avi", replace_after(b"avih", 8 + offset, new))


def playlist(target: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n".encode()


def concat_script(target: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{target}'\n".encode()


def svg() -> bytes:
    return b"<svg xmlns='http://www.w3.org/2000/svg' width='60000' height='60000'></svg>"


NO_FILM = "film"
ROWS = [
    *both("a text called .mp4", "film.mp4", b"hello, this is a text\n" * 40, NO_FILM),
    *both("an empty film", "film.mp4", b"", NO_FILM),
    *both("random bytes called .mp4", "film.mp4", np.random.default_rng(0).bytes(20_000), NO_FILM),
    *both("an MP4 cut before its index", "film.mp4", spoiled("mp4", cut(0.3)), NO_FILM),
    *both("a sound without a picture", "film.wav", still_only, "no video stream"),
    *both("a still of 60000x60000 called .mp4", "film.mp4", png(60000, 60000), NO_FILM),
    *both("a raw film of 60000x60000", "film.y4m", y4m(60000, 60000, data=bytes(1000)), NO_FILM),
    *both("a raw film of 12000x12000, without data", "film.y4m", y4m(12000, 12000, data=bytes(1000)), NO_FILM),
    *both("a raw film of 0x0", "film.y4m", y4m(0, 0), NO_FILM),
    *both("a raw film of 2^31-1 pixels a side", "film.y4m", y4m(2**31 - 1, 2**31 - 1), NO_FILM),
    *both("a playlist of other files", "film.mp4", playlist("/etc/passwd"), NO_FILM),
    *both("a script of other files", "film.mp4", concat_script("/etc/passwd"), NO_FILM),
    *both("a drawing of 60000x60000", "film.svg", svg(), NO_FILM),
    *both("a film that is a link to itself", "film.mp4", lambda path: path.symlink_to("film.mp4"), "film.mp4"),
    *both("a film that is a pipe nobody writes to", "film.mp4", os.mkfifo, "film.mp4"),
    predict_film("a folder of no pictures", "film.mp4", lambda path: path.mkdir(), "film.mp4"),
    ingest_film("a folder in place of a film", "film.mp4", lambda path: path.mkdir(), "holds no film"),
    ingest_film("a film of a single frame", "film.avi", lambda path: write_film(path, 1, kind="avi"), "or --stills"),
    gaze("an empty gaze table", "", "is empty"),
    gaze("a gaze table of nul bytes", bytes(1000)),
    gaze("a gaze table that is not UTF-8", b"\xff\xfa\xfb,x,y\n"),
    gaze("a gaze table cut within UTF-16", b"\xff\xfea", "UTF-8"),
    gaze("a gaze table without columns", "a,b,c\n1,2,3\n", "has no column"),
    gaze("a gaze table of 20,000 columns", ",".join(f"c{i}" for i in range(20_000)) + "\n", "has no column"),
    gaze("a gaze table with a line of a million characters", HEADER + "x" * 1_000_000 + "\n"),
    gaze("a header of a million characters", "x" * 1_000_000 + "\n1\n", "gaze.csv"),
    gaze("two columns of one name", "video,time,x,x,y\none,0,1,2,3\n", "two columns"),
    gaze("words for gaze", HEADER + "one,a,0,left,up\n", "is not a number"),
    gaze("gaze at infinity", HEADER + "one,a,0,inf,1\n", "is not a finite number"),
    gaze("gaze that is NaN everywhere", HEADER + "one,a,nan,nan,nan\n" * 5, "no usable row"),
    gaze("gaze at 1e308", HEADER + "one,a,0,1e308,1e308\n" * 5, "no film can be used"),
    gaze("gaze at the time 1e308", HEADER + "one,a,1e308,20,20\n" * 5, "no film can be used"),
    gaze("gaze at the time -1e308", HEADER + "one,a,-1e308,20,20\n" * 5, "no film can be used"),
    gaze("gaze in the frame 1e300", "video,frame,x,y\n" + "one,1e300,20,20\n" * 5, "no film can be used"),
    gaze("gaze in the frame 0", "video,frame,x,y\none,0,20,20\n", "numbered from 1"),
    gaze("gaze in half a frame", "video,frame,x,y\none,1.5,20,20\n", "not a whole number"),
    gaze("a fixation of negative length", "video,time,x,y,duration\none,0,20,20,-1\n", "is negative"),
    gaze("a number of 100,000 digits", HEADER + f"one,a,0,{'9' * 100_000},1\n", "is not a finite number"),
    gaze("a quote that does not end", HEADER + '"one,a,0,1,2\n' * 3),
    gaze("a row that is too short", HEADER + "one,a\n", "has 2 fields"),
    gaze("a row that is too long", HEADER + "one,a,0,1,2,3,4,5\n", "has 8 fields"),
    gaze("gaze of films there are not", HEADER + "nobody,a,0,20,20\n", "the tables name 'nobody'"),
    gaze("gaze of a film whose name leads out", HEADER + "../../none,a,0,20,20\n", "the tables name '../../none'"),
    gaze("gaze half in pixels, half in fractions", HEADER + "one,a,0,0.5,0.5\none,a,0,30,30\n" * 3, "--units"),
    gaze("a column that is not there", HEADER, "has no column 'gx'", "--columns", "x=gx"),
    gaze("a column nobody knows", HEADER, "--columns colour", "--columns", "colour=red"),
    still("a picture of 60000x60000", png(60000, 60000), "cannot be read as a picture"),
    still("a text called .png", b"hello", "cannot be read as a picture"),
    still("a picture cut in half", lambda place: png(64, 48)[:40], "cannot be read as a picture"),
    annotations("annotations that are nested 100,000 times", '{"images": ' + "[" * 100_000, "damaged"),
    annotations("annotations of no known form", '{"images": 3, "annotations": {}}', "is not of SALICON's form"),
    annotations(
        "a fixation of three numbers",
        '{"images": [{"id": 1, "file_name": "x"}], "annotations": [{"image_id": 1, "fixations": [[1, 2, 3]]}]}',
        "is not of SALICON's form",
    ),
    BadInput(
        "a gaze table that is a link to itself",
        "ingest",
        lambda place: [*_films(place), "--gaze", _loop(place.folder / "gaze.csv"), *_to(place)],
        "gaze.csv",
    ),
    BadInput(
        "a gaze table that is a pipe",
        "ingest",
        lambda place: [*_films(place), "--gaze", _pipe(place.folder / "gaze.csv"), *_to(place)],
        "gaze.csv",
    ),
]


def _loop(path):
    path.symlink_to(path.name)
    return path


def _pipe(path):
    os.mkfifo(path)
    return path
