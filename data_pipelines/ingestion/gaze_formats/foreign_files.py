"""Files of eye trackers that are no text. They are refused with the way to convert them."""

from pathlib import Path

from data_pipelines.ingestion.gaze_formats.recording import Recording
from data_pipelines.runtime.errors import UserError

_WAYS = (  # first bytes of a file -> what it is, and what to do
    (b"SR_RESEARCH", "EyeLink's own format. Convert it to .asc with edf2asc"),
    (b"PK\x03\x04", "a workbook or an archive. Save the workbook's table as CSV, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "a workbook. Save its table as CSV"),
    (b"\x89HDF\r\n\x1a\n", "HDF5. Export its eye samples as CSV"),
    (b"\x1f\x8b", "compressed. Unpack it"),
)


def looks_like(path: Path, head: bytes) -> bool:
    return any(head.startswith(first) for first, _ in _WAYS)


def read(path: Path, film: str) -> Recording:
    with path.open("rb") as file:
        head = file.read(16)
    raise UserError(f"{path}: is {next(way for first, way in _WAYS if head.startswith(first))}.")
