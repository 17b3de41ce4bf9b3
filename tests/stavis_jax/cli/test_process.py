"""Settings of a command's process."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from stavis_jax.cli.process import keep_big_buffers
if sys.argv[1] == "keep":
    keep_big_buffers()
def faults_of_a_buffer():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.full(100 * 2**20, 1, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(max(faults_of_a_buffer() for _ in range(3) if faults_of_a_buffer() >= 0))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_a_big_buffers_memory_is_used_again_without_page_faults():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < 100
    assert faults["leave"] >= 50  # 100 MiB in huge pages of 2 MiB at the most
