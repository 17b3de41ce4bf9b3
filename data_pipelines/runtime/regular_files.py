"""Refuses to read what may never end or fill the memory: pipes, devices, and files that are too large."""

import errno
import stat
from pathlib import Path


def require_regular(path: Path, most_bytes: int | None = None) -> None:
    """Raises OSError if a path is missing, is a pipe or a device, or is a file of more than `most_bytes`.

    A folder passes: to open it raises a clear error.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))
    if most_bytes is not None and stat.S_ISREG(status.st_mode) and status.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes >> 20} MiB", str(path))
