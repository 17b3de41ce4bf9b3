"""Mounts small and read-only disks for tests. Mounting needs root."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ALLOWED = not os.environ.get("FAULTS_WITHOUT_MOUNTS")


@contextlib.contextmanager
def disk(place: Path, kilobytes: int) -> Iterator[bool]:
    """Mounts a disk of `kilobytes` on a folder. Yields False if mounting is not allowed."""
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={kilobytes}k"
    mounted = ALLOWED and _run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place))
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    """Remounts a disk with other options, such as another size, "ro" or "rw"."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
