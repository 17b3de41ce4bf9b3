"""Opens WAV files whose header was never completed, such as those of a recording that was cut off."""

import io
import re
import struct
from pathlib import Path

import soundfile

_WAV_FORMATS = ("WAV", "WAVEX", "RF64")
_NAME = re.compile(rb"[A-Za-z0-9 ]{4}")
_UNKNOWN_SIZE = 2**32 - 1  # libsndfile then reads to the end


def open_sound_file(path: Path) -> soundfile.SoundFile:
    """Opens a sound file. A WAV file that states a size of 0, and holds samples, is read to its end.

    Raises:
      soundfile.LibsndfileError: the file is missing or cannot be read.
    """
    file = soundfile.SoundFile(path)
    if file.frames or file.format not in _WAV_FORMATS:
        return file
    completed = _with_size(Path(path).read_bytes())
    if completed is None:
        return file
    file.close()
    return soundfile.SoundFile(io.BytesIO(completed))


def _with_size(content: bytes) -> bytes | None:
    """Returns a WAV file that states no size for its samples, or None if it holds none."""
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        if name == b"data":
            if _is_chunks(content, place + 8):
                return None
            head = (
                b"RIFF" + struct.pack("<I", _UNKNOWN_SIZE) + content[8:12] + content[12:place].replace(b"ds64", b"JUNK")
            )
            return head + struct.pack("<4sI", name, _UNKNOWN_SIZE) + content[place + 8 :]
        place += 8 + size + size % 2
    return None


def _is_chunks(content: bytes, place: int) -> bool:
    """Returns whether nothing but other chunks follows, such as a list of titles."""
    while place + 8 <= len(content) and _NAME.fullmatch(content, place, place + 4):
        place += 8 + sum(struct.unpack_from("<I", content, place + 4))
        place += place % 2
    return len(content) <= place <= len(content) + 1
