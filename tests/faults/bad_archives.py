"""Archives of strangers, given to fetch as files on disk."""

import gzip
import json
import tarfile

import numpy as np
from archive_server import pack
from bad_input import BadInput, Place

PART = "video_frames/DIEM"


def special(kind: bytes, target: str = "", name: str = "DIEM/a/odd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


NAME = "DIEM/a/img_00001.jpg"
GOOD = {NAME: b"1"}


def fetch(what: str, content, says: str) -> BadInput:
    def make(place: Place):
        packed = content() if callable(content) else content
        archive = place.file(f"archives/{PART}.tar.gz", packed)
        flags = ["--databases", "DIEM", "--what", "video_frames", "--archives", archive.parents[1]]
        return ["--output", place.output, *flags]

    return BadInput(what, "fetch", make, says)


def announced(size: int) -> bytes:
    member = tarfile.TarInfo("DIEM/a/img_00001.jpg")
    member.size = size
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(2048), mtime=0)


def record(what: str, content: object, says: str) -> BadInput:
    """What an earlier run is said to have fetched."""

    def make(place: Place):
        text = content if isinstance(content, str) else json.dumps(content)
        folder = place.file("raw/fetched.json", text).parent
        archive = place.file(f"archives/{PART}.tar.gz", pack(GOOD))
        flags = ["--databases", "DIEM", "--what", "video_frames", "--archives", archive.parents[1]]
        return ["--output", folder, *flags]

    return BadInput(what, "fetch", make, says)


UNSAFE, DAMAGED, NO_RECORD = "not safe to unpack", "damaged or cut short", "fetched.json: damaged"
ROWS = [
    fetch("an archive path with ..", pack({"DIEM/../../../a/img_00001.jpg": b"1"}), UNSAFE),
    fetch("an absolute path in an archive", pack({"/etc/a/img_00001.jpg": b"1"}), UNSAFE),
    fetch("a symbolic link in an archive", pack(GOOD, special(tarfile.SYMTYPE, "/etc")), UNSAFE),
    fetch("a hard link in an archive", pack(GOOD, special(tarfile.LNKTYPE, "DIEM/a/img_00001.jpg")), UNSAFE),
    fetch("a device in an archive", pack(GOOD, special(tarfile.CHRTYPE)), UNSAFE),
    fetch("a pipe in an archive", pack(GOOD, special(tarfile.FIFOTYPE)), UNSAFE),
    fetch("an archive of 1 PB, announced", announced(10**15), "unpacks to 1000000.0 GB or more"),
    fetch("an archive with a negative size", announced(-512), DAMAGED),
    fetch("an archive that is no gzip", b"hello", DAMAGED),
    fetch("an empty archive", b"", DAMAGED),
    fetch("an archive of random bytes", gzip.compress(np.random.default_rng(0).bytes(10_000)), DAMAGED),
    fetch("an archive cut short", pack(GOOD)[:-20], DAMAGED),
    fetch("an archive of something else", pack({"readme.txt": b"hello"}), "no file in it matches"),
    fetch("an archive of names of 100,000 characters", pack({f"DIEM/{'a' * 100_000}/img_00001.jpg": b"1"}), "DIEM"),
    fetch("an archive in which a file is a folder too", pack({f"{NAME}/img_00002.jpg": b"", **GOOD}), "DIEM"),
    record("a record that is a list", [1], NO_RECORD),
    record("a record that is a number", 3, NO_RECORD),
    record("a record of words", {PART: "all"}, NO_RECORD),
    record("a record nested 100,000 deep", "[" * 100_000, NO_RECORD),
    record("a record whose entries are numbers", {PART: {"entries": [1, 2]}}, NO_RECORD),
]
