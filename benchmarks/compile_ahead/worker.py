"""The child process: compiles jobs one after another.

    python -m benchmarks.compile_ahead.worker CHIP RESULTS HLO JOB...

Every line of standard output is JSON: {"begin": job}, then the job's result. The output of libraries goes to standard
error. A program that RESULTS holds already is not compiled again. HLO is a folder for compiled HLO text, or "".
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compile_ahead import results
from benchmarks.compile_ahead.chips import CHIPS, Chip, compiler_version, devices
from benchmarks.compile_ahead.facts import compile_facts, digest_of, reason
from benchmarks.compile_ahead.plan import Job, chosen
from benchmarks.compile_ahead.programs import lowered
from stavis_jax.ops.compiler_options import compiler_options


def main(chip_name: str, path: str, hlo_folder: str, *names: str) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    chip = CHIPS[chip_name]
    known = {one["digest"]: one for one in results.read(Path(path)) if one.get("digest")}
    for job in chosen(names):
        print(json.dumps({"begin": job.name}), file=replies, flush=True)
        print(json.dumps(result_of(job, chip, known, hlo_folder)), file=replies, flush=True)


def result_of(job: Job, chip: Chip, known: dict[str, Any], hlo_folder: str) -> results.Result:
    version = compiler_version(chip)
    named = {"chip": chip.name, "job": job.name, "compiler": version}
    begin = time.perf_counter()
    try:
        program = lowered(job, devices(chip, job.chips), chip.platform)
    except Exception as error:
        return named | {"error": f"not lowered: {reason(error)}"}
    digest = digest_of(
        program, f"{chip.name} {version} {os.environ.get('XLA_FLAGS', '')} {compiler_options(chip.platform)}"
    )
    named |= {"digest": digest, "lowering_seconds": time.perf_counter() - begin}
    if digest in known and not hlo_folder:
        return known[digest] | named
    found, text = compile_facts(program)
    if hlo_folder:
        Path(hlo_folder, f"{job.name}-{chip.name}.txt").write_text(text, encoding="utf-8")
    return named | found


if __name__ == "__main__":
    arguments: Sequence[str] = sys.argv[1:]
    main(*arguments)
