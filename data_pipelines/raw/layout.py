"""The raw layout: which file holds which frame, map or sound, and functions that read one of each.

    video_frames/<database>/<video>/img_00001.jpg
    video_audio/<database>/<video>/<video>.wav
    annotations/<database>/<video>/maps/eyeMap_00001.jpg   density map, grey
    annotations/<database>/<video>/fixMap_00001.mat        fixation map, key eyeMap, 0 or 1
    annotations/<database>/<video>/observers.csv           gaze by observer, if known: observer, frame, x, y
    fold_lists/<database>_list_{train,test}_{1,2,3}_fps.txt

Frames are numbered from 1.
"""

import contextlib
import dataclasses
import io
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL
import soundfile

from data_pipelines.raw import databases
from data_pipelines.raw.matlab_files import NEEDS_H5PY, NoMatrixError, read_matrix
from data_pipelines.raw.pictures import open_picture
from data_pipelines.raw.sound_samples import checked_samples
from data_pipelines.raw.wav_header import open_sound_file
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import subfolders

FOLDERS = ("video_frames", "video_audio", "annotations", "fold_lists")
OBSERVER_COLUMNS = ("observer", "frame", "x", "y")  # frame from 1, pixels of the annotation from 0

SOUND_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU")  # uncompressed: others may hold days in a megabyte
_FRAME_NAME = re.compile(r"img_(\d{5,})\.jpg")


@dataclasses.dataclass(frozen=True)
class RawLayout:
    """Paths in a raw data folder.

    Raises:
      UserError: `root` has no folder video_frames.
    """

    root: Path

    def __post_init__(self):
        object.__setattr__(self, "root", Path(self.root))
        if not (self.root / "video_frames").is_dir():
            raise UserError(f"{self.root}: has no folder video_frames. Give the folder that holds the raw layout.")

    def databases(self) -> list[str]:
        """Returns the databases that have frames here, in reading order."""
        return databases.in_reading_order([folder.name for folder in subfolders(self.root / "video_frames")])

    def videos(self, database: str) -> list[str]:
        """Returns the videos of a database that have frames here, by name."""
        return [folder.name for folder in subfolders(self.root / "video_frames" / database)]

    def frame_folder(self, database: str, video: str) -> Path:
        return self.root / "video_frames" / database / video

    def annotation_folder(self, database: str, video: str) -> Path:
        return self.root / "annotations" / database / video

    def frame_path(self, database: str, video: str, number: int) -> Path:
        return self.frame_folder(database, video) / f"img_{number:05d}.jpg"

    def density_path(self, database: str, video: str, number: int) -> Path:
        return self.annotation_folder(database, video) / "maps" / f"eyeMap_{number:05d}.jpg"

    def fixation_path(self, database: str, video: str, number: int) -> Path:
        return self.annotation_folder(database, video) / f"fixMap_{number:05d}.mat"

    def observers_path(self, database: str, video: str) -> Path:
        return self.annotation_folder(database, video) / "observers.csv"

    def sound_path(self, database: str, video: str) -> Path:
        return self.root / "video_audio" / database / video / f"{video}.wav"

    def num_frames(self, database: str, video: str) -> int:
        """Returns the highest frame number, so that a gap is reported when the missing frame is read.

        Raises:
          UserError: there is a frame 0.
        """
        names = (_FRAME_NAME.fullmatch(path.name) for path in self.frame_folder(database, video).glob("img_*.jpg"))
        numbers = {int(name[1]) for name in names if name}
        if 0 in numbers:
            path = self.frame_path(database, video, 0)
            raise UserError(f"{path}: frames are numbered from 1. Add 1 to the numbers of frames and maps.")
        return max(numbers, default=0)


def read_frame(path: Path) -> np.ndarray:
    """Reads a frame, RGB uint8 [H, W, 3].

    Raises:
      UserError: the file is missing or damaged. All functions below raise it too.
    """
    return _decode(read_file(path), "RGB", path)


def read_density(path: Path) -> np.ndarray:
    """Reads a density map, uint8 [H, W], 0 to 255."""
    return decode_density(read_file(path), path)


def decode_density(encoded: bytes, source: Path | str) -> np.ndarray:
    """Decodes the content of a density map's file, uint8 [H, W]. Errors name `source`.

    A map of more than 8 bits is scaled, so that its maximum is 255.
    """
    levels = _decode(encoded, "L", source)
    if levels.dtype == np.uint8:
        return levels
    return (levels.astype(np.int64) * 255 // max(255, levels.max(initial=0))).astype(np.uint8)


def read_levels(path: Path) -> np.ndarray:
    """Reads a grey picture of any depth: its levels from 0, [H, W]."""
    return _decode(read_file(path), "L", path)


def read_fixations(path: Path) -> np.ndarray:
    """Reads a fixation map, uint8 [H, W], 0 or 1."""
    content = read_file(path)
    advice = "Save the fixation map [H, W] of 0 and 1 as eyeMap."
    try:
        eye_map = read_matrix(content, "eyeMap")
    except NoMatrixError as error:
        raise UserError(f"{path}: eyeMap is not a matrix of numbers ({error}). {advice}") from None
    except ValueError as error:
        raise UserError(f"{path}: not a readable .mat file ({error}). Fetch it again.") from None
    except ImportError:
        raise UserError(f"{path}: {NEEDS_H5PY}") from None
    if eye_map is None:
        raise UserError(f"{path}: has no variable eyeMap. {advice}")
    return (eye_map > 0).astype(np.uint8)


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """Reads a whole sound file: float32 [S] in [-256, 256), mono, and the sample rate in Hz.

    A 16-bit sample becomes its value / 128, the range that the sound branch was trained with; other widths are scaled
    to the same range. Channels are averaged.
    """
    samples, rate_hz = read_channels(path)
    return samples.mean(axis=1, dtype=np.float32), rate_hz


def read_channels(path: Path) -> tuple[np.ndarray, int]:
    """Reads a whole sound file, float32 [S, channels] in [-256, 256), and the sample rate in Hz; see `read_sound`.

    If the header promises more samples than there are, or none, the existing ones are returned.
    """
    with _sound_errors(path), open_sound_file(path) as file:
        if file.format not in SOUND_FORMATS:
            raise UserError(f"{path}: is {file.format}, not WAV. Convert it to WAV.")
        samples, rate_hz = file.read(dtype="float32", always_2d=True), file.samplerate
    return checked_samples(samples, path) * np.float32(256), rate_hz


def sound_seconds(path: Path) -> float:
    """Returns the duration of a sound file in seconds, from its header."""
    with _sound_errors(path), open_sound_file(path) as file:
        return file.frames / file.samplerate


def read_file(path: Path) -> bytes:
    """Returns the content of a file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for its writer
            raise UserError(f"{path}: cannot be read (it is not a file). Fetch it again.")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{path}: the file is missing. Fetch the database again or remove the film from its lists."
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Fetch it again.") from None


def _decode(encoded: bytes, mode: str, source: Path | str) -> np.ndarray:
    """Returns uint8 [H, W, 3] for the mode RGB, and uint8 or int32 [H, W] for L."""
    try:
        with open_picture(io.BytesIO(encoded)) as image:
            if not image.mode.startswith("I"):
                return np.asarray(image.convert(mode))
            levels = np.asarray(image).astype(np.int32).clip(0)  # 16 bits of grey, which Pillow would cut off at 255
            return levels if mode == "L" else np.repeat(levels[..., None] >> 8, 3, axis=2).astype(np.uint8)
    except PIL.UnidentifiedImageError:  # its text names the buffer
        raise UserError(f"{source}: not a readable picture (of no known format). Fetch it again.") from None
    except Exception as error:  # Pillow raises several kinds for a damaged file
        raise UserError(f"{source}: not a readable picture ({error}). Fetch it again.") from None


@contextlib.contextmanager
def _sound_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise UserError(f"{path}: not a readable sound file ({error.error_string}). Fetch it again.") from None
