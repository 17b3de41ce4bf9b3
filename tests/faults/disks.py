"""Disks of the tests' own: small ones, and ones that cannot be written. They take a right to mount, which root has."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ALLOWED = not os.environ.get("FAULTS_WITHOUT_MOUNTS")


@contextlib.contextmanager
def disk(place: Path, kilobytes: int) -> Iterator[bool]:
    """Mounts a disk of that size on a folder, if that may be done here; says whether."""
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={kilobytes}k"
    mounted = ALLOWED and _run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place))
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    """Changes a disk's options: another size, "ro", "rw"."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
