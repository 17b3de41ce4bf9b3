"""Raw data of strangers: pictures, fixation maps, sounds and lists that prepare and evaluate are to read."""

import io
import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import scipy.io
from bad_input import BadInput, Place, change
from PIL import Image
from supplies import DATABASE

FRAME = f"video_frames/{DATABASE}/one/img_00003.jpg"
DENSITY = f"annotations/{DATABASE}/one/maps/eyeMap_00003.jpg"
FIXATIONS = f"annotations/{DATABASE}/one/fixMap_00003.mat"
SOUND = f"video_audio/{DATABASE}/one/one.wav"
LIST = f"fold_lists/{DATABASE}_list_train_fps.txt"
TESTED_DENSITY = f"annotations/{DATABASE}/three/maps/eyeMap_00012.jpg"
MAP = f"maps/{DATABASE}/three/pred_sal_000010.png"
OBSERVERS = f"annotations/{DATABASE}/three/observers.csv"


def prepare(what: str, name: str, content, says: str, *flags: object) -> BadInput:
    """`content`: bytes of the file `name` of the raw data, or a function that changes the file."""

    def make(place: Place):
        raw = place.copy("raw")
        _put(raw / name, content)
        return ["--data", raw, "--output", place.output, "--size", 8, "--workers", 1, *flags]

    return BadInput(what, "prepare", make, says)


def evaluate(what: str, name: str, content, says: str, *flags: object) -> BadInput:
    """Likewise for scoring; a name that begins with "maps" is one of the maps."""

    def make(place: Place):
        raw, maps = place.copy("raw"), place.copy("maps")
        _put(place.folder / name if name.startswith("maps") else raw / name, content)
        return ["--predictions", maps, "--data", raw, "--output", place.output, "--workers", 1, *flags]

    return BadInput(what, "evaluate", make, says)


def _put(path: Path, content) -> None:
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)


# Pictures


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, data: bytes = b"") -> bytes:
    """A PNG whose header says this, whatever its data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    packed = [struct.pack(">I", len(of)) + kind + of + struct.pack(">I", zlib.crc32(kind + of)) for kind, of in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def jpeg(width: int, height: int) -> bytes:
    """A real JPEG with another size in its header."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, "JPEG")
    content = bytearray(file.getvalue())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def picture(kind: str, mode: str = "L", size: tuple[int, int] = (4, 4)) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


def zeros_png(side: int) -> bytes:
    """A whole PNG of zeros: a few hundred kilobytes that unpack to side * side bytes."""
    return png(side, side, data=bytes((side + 1) * side))


def pdf_bomb() -> bytes:
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60000 60000\n%%EndComments\nshowpage\n"


# Fixation maps: MATLAB 5 by hand

MI_INT8, MI_INT32, MI_UINT32, MI_DOUBLE, MI_MATRIX, MI_COMPRESSED = 1, 5, 6, 9, 14, 15


def mat(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49) + b"".join(elements)


def element(kind: int, data: bytes, length: int | None = None) -> bytes:
    return struct.pack("<II", kind, len(data) if length is None else length) + data + bytes(-len(data) % 8)


def matrix(dimensions: tuple[int, ...], data: bytes = b"", *, class_: int = 6, length: int | None = None) -> bytes:
    """A matrix named eyeMap whose header says these dimensions, whatever its data."""
    parts = (
        element(MI_UINT32, struct.pack("<II", class_, 0)),
        element(MI_INT32, struct.pack(f"<{len(dimensions)}i", *dimensions)),
        element(MI_INT8, b"eyeMap"),
        element(MI_DOUBLE, data, length),
    )
    return element(MI_MATRIX, b"".join(parts))


def saved(value: object, key: str = "eyeMap") -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, {key: value}, do_compression=True)
    return file.getvalue()


def cells() -> np.ndarray:
    array = np.empty((2, 2), object)
    array[:] = [["a", 1], [2.0, np.zeros(3)]]
    return array


def compressed_zeros(num_bytes: int) -> bytes:
    """A compressed matrix of zeros."""
    side = int((num_bytes // 8) ** 0.5)
    return mat(element(MI_COMPRESSED, zlib.compress(matrix((side, side), bytes(side * side * 8)), 1)))


def nested(depth: int) -> bytes:
    content = matrix((1, 1), bytes(8))
    for _ in range(depth):
        header = (
            element(MI_UINT32, struct.pack("<II", 1, 0)),
            element(MI_INT32, struct.pack("<2i", 1, 1)),
            element(MI_INT8, b"eyeMap"),
        )
        content = element(MI_MATRIX, b"".join(header) + content)
    return mat(content)


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(600)
MATLAB_7_3 = b"MATLAB 7.3 MAT-file, written by a stranger".ljust(512) + HDF5
WORSE_THAN_MAT = pickle.dumps(np.array([{"a": 1}], object))


# Sounds


def wav(*, channels: int = 1, rate: int = 8000, bits: int = 16, coding: int = 1) -> bytes:
    """A WAV file whose header says this, whatever the data."""
    content = np.arange(100, dtype="<i2").tobytes()
    align = min(channels * bits // 8, 65535)
    fmt = struct.pack("<HHIIHH", coding, channels, rate, min(rate * align, 2**32 - 1), align, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


FLOATS = struct.pack("<4f", 0, float("nan"), float("inf"), 1)
NOT_A_SOUND = "not a readable sound file"


def float_wav(samples: bytes) -> bytes:
    fmt = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


# Lists


def lines(what: str, text: bytes | str, says: str = "line 1: expected 'name frames fps'") -> BadInput:
    return prepare(what, LIST, text if isinstance(text, bytes) else text.encode(), says)


def observers(what: str, text: bytes | str, says: str = "observers.csv") -> BadInput:
    content = text if isinstance(text, bytes) else text.encode()
    return evaluate(what, OBSERVERS, content, says, "--baselines", "single-observer")


def _link_to(target: str):
    def change_to_link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return change_to_link


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


UNREADABLE = "not a readable picture"
NO_MAT = "not a readable .mat file"
NO_MAP = "eyeMap is not a matrix of numbers"

ROWS = [
    prepare("a PNG header of 60000x60000 as a frame", FRAME, png(60000, 60000), UNREADABLE),
    prepare("a JPEG header of 65500x65500 as a frame", FRAME, jpeg(65500, 65500), UNREADABLE),
    prepare("a PNG header of 12000x12000, without data, as a frame", FRAME, png(12000, 12000), UNREADABLE),
    prepare("a whole PNG of 11000x11000 zeros as a frame", FRAME, zeros_png(11000), UNREADABLE),
    prepare("a PNG header of 2^31-1 pixels a side as a density map", DENSITY, png(2**31 - 1, 2**31 - 1), UNREADABLE),
    prepare("a PNG of size 0 as a density map", DENSITY, png(0, 0), UNREADABLE),
    prepare("a frame cut short", FRAME, lambda path: os.truncate(path, 300), UNREADABLE),
    prepare("an empty frame", FRAME, b"", UNREADABLE),
    prepare("a PostScript program as a frame", FRAME, pdf_bomb(), UNREADABLE),
    prepare("a folder in place of a frame", FRAME, _folder, "cannot be read"),
    prepare("a frame that is a link to itself", FRAME, _link_to("img_00003.jpg"), "img_00003.jpg"),
    prepare("a frame that is a link to nothing", FRAME, _link_to("/nowhere"), "img_00003.jpg"),
    prepare("a frame that is a pipe nobody writes to", FRAME, _fifo, "img_00003.jpg"),
    prepare("a MATLAB 7.3 file, damaged", FIXATIONS, MATLAB_7_3, "not a readable .mat file"),
    prepare("an HDF5 file as fixations", FIXATIONS, HDF5, "not a readable .mat file"),
    prepare("a pickle as fixations", FIXATIONS, WORSE_THAN_MAT, NO_MAT),
    prepare("fixations that are cells", FIXATIONS, saved(cells()), NO_MAP),
    prepare("fixations that are a struct", FIXATIONS, saved({"a": 1}), NO_MAP),
    prepare("fixations that are words", FIXATIONS, saved("look here"), NO_MAP),
    prepare("fixations of complex numbers", FIXATIONS, saved(np.ones((2, 2), complex)), NO_MAP),
    prepare("fixations of four dimensions", FIXATIONS, saved(np.ones((2, 2, 2, 2))), NO_MAP),
    prepare("fixations of no size", FIXATIONS, saved(np.zeros((0, 0))), NO_MAP),
    prepare("fixations under another name", FIXATIONS, saved(np.ones((2, 2)), "other"), "has no variable eyeMap"),
    prepare("fixations of 2^31-1 x 2^31-1", FIXATIONS, mat(matrix((2**31 - 1, 2**31 - 1))), NO_MAP),
    prepare("fixations of a negative size", FIXATIONS, mat(matrix((-4, -4), bytes(128))), NO_MAT),
    prepare("fixations with data of 4 GB announced", FIXATIONS, mat(matrix((4, 4), length=2**32 - 1)), NO_MAT),
    prepare("fixations of an unknown class", FIXATIONS, mat(matrix((1, 1), bytes(8), class_=77)), NO_MAP),
    prepare(
        "fixations that are a MATLAB function", FIXATIONS, mat(matrix((1, 1), bytes(8), class_=16)), "fixMap_00003"
    ),
    prepare("fixations that are an object", FIXATIONS, mat(matrix((1, 1), bytes(8), class_=3)), NO_MAP),
    prepare("fixations nested 2,000 deep", FIXATIONS, nested(2000), NO_MAP),
    prepare("fixations that unpack to 600 MB", FIXATIONS, compressed_zeros(600 << 20), "fixMap_00003"),
    prepare("a .mat file cut short", FIXATIONS, lambda path: os.truncate(path, 150), NO_MAT),
    prepare("a .mat file with flipped bits", FIXATIONS, lambda path: change(path, 140, b"\xff\xff\xff\xff"), NO_MAT),
    prepare("a sparse matrix of 2^31 rows", FIXATIONS, mat(matrix((2**31 - 1, 2**31 - 1), class_=5)), "fixMap_00003"),
    prepare("a sound that is a text", SOUND, b"hello", NOT_A_SOUND),
    prepare("an empty sound", SOUND, b"", NOT_A_SOUND),
    prepare("a sound of no channel", SOUND, wav(channels=0), NOT_A_SOUND),
    prepare("a sound of 65,535 channels", SOUND, wav(channels=65535), "one.wav"),
    prepare("a sound of 0 Hz", SOUND, wav(rate=0), "one.wav"),
    prepare("a sound of 4 GHz", SOUND, wav(rate=2**32 - 1), "one.wav"),
    prepare("a sound of an unknown coding", SOUND, wav(coding=0x7777), NOT_A_SOUND),
    prepare("a sound with NaN and infinity", SOUND, float_wav(FLOATS), "samples that are not numbers"),
    prepare("a sound cut within its header", SOUND, wav()[:30], NOT_A_SOUND),
    lines("a list with a negative number of frames", "one -18 10\n"),
    lines("a list with no frames", "one 0 10\n"),
    lines("a list with 10^18 frames", f"one {10**18} 10\n", "one"),
    lines("a list with 10^9 frames", f"one {10**9} 10\n", "one"),
    lines("a list with a number of 5,000 digits", f"one {'9' * 5000} 10\n"),
    lines("a list with a fraction of a frame", "one 18.5 10\n"),
    lines("a list with a rate of 0", "one 18 0\n"),
    lines("a list with a rate of NaN", "one 18 nan\n"),
    lines("a list with a rate of infinity", "one 18 inf\n"),
    lines("a list with a rate of 1e-300", "one 18 1e-300\n"),
    lines("a list with a rate of 1e308", "one 18 1e308\n"),
    lines("a list of nul bytes", bytes(1000)),
    lines("a list with a nul byte in a name", b"o\0ne 18 10\n"),
    lines("a list that is not UTF-8", b"\xff\xfa one 18 10\n", "is not text in UTF-8"),
    lines("a list with a line of a million characters", "x" * 1_000_000 + "\n"),
    lines("a list with a name of a million characters", "x" * 1_000_000 + " 18 10\n"),
    lines("a list with a name that leads out", "../../../etc 18 10\n"),
    lines("a list with an absolute name", "/etc 18 10\n"),
    lines("a list with the name ..", ".. 18 10\n"),
    lines("a list that is empty", "", "lists no film"),
    evaluate("a PNG header of 60000x60000 as a map", MAP, png(60000, 60000), UNREADABLE),
    evaluate("a map of 16 bits", MAP, picture("PNG", "I;16"), "8-bit"),
    evaluate("a map cut short", MAP, picture("PNG")[:40], UNREADABLE),
    evaluate("a map that is a text", MAP, b"hello", UNREADABLE),
    evaluate("two maps of one frame", f"maps/{DATABASE}/three/other_000010.png", picture("PNG"), "same frame"),
    evaluate("a map that is a folder", MAP, _folder, UNREADABLE),
    evaluate("a .mat file cut short, scored", FIXATIONS.replace("one", "three"), b"MATLAB", NO_MAT),
    evaluate("a density map of 12000x12000, scored", TESTED_DENSITY, png(12000, 12000), UNREADABLE),
    observers("observers without the columns", "a,b\n1,2\n", "has no column"),
    observers("observers with words for numbers", "observer,frame,x,y\na,one,2,3\n", "must be numbers"),
    observers("observers that are not UTF-8", b"observer,frame,x,y\n\xff,1,2,3\n", "not a readable table"),
    observers("observers with nul bytes", b"observer,frame,x,y\n\0,\0,\0,\0\n"),
    observers("an observer of a million characters", f"observer,frame,x,y\n{'a' * 1_000_000},1,2,3\n"),
    observers("a frame number of 5,000 digits", f"observer,frame,x,y\na,{'1' * 5000},2,3\n", "must be numbers"),
]
