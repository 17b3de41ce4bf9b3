"""Gives damaged files to every reader of untrusted files, outside of the test suite:

    python tests/faults/fuzz_files.py [--files N] [--seed S] [--kinds NAME ...] [--keep FOLDER]
        [--write]

Each kind runs in a process of its own with at most --memory-gb of address space. A file passes if its reader returns or
raises UserError within ten seconds, and takes at most 500 MiB. The table counts both, and shows the slowest file and
the largest memory that one file has taken on top. Any other exception is counted as a traceback, also one that a
library prints from a thread. Such files, and those that hang, are kept in FOLDER. A reader that cannot be interrupted
ends its process after a minute. The exit code is 1 if there is any fault, or if a process died. The same seed makes the
same files. --write stores the results, and puts them into docs/reliability.md.
"""

import argparse
import contextlib
import faulthandler
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SLOWEST_S = 10  # for one file
MOST_MIB = 500  # for one file, which has a few kilobytes
NUMBERS = (0, 1, 127, 255, 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1)
WORDS = (
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"9" * 25,
    b"\xff\xfe",
    b"\0",
)

VALUES = (None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, -1e308, float("nan"), float("inf"), "", "x", "\0")
VALUES += ("../x", "a" * 5000, "\ud800", [], {}, [[]], [None], [0], {"": 0}, [[[[[[[[1]]]]]]]])


class HangError(BaseException):
    """A file takes too long. It is no Exception, so that no reader takes it for damage."""


def mutated(draw: random.Random, good: bytes) -> bytes:
    """Returns a good file with one to four changes, or with another value in its JSON."""
    if good[:1] == b"{" and draw.random() < 0.6:
        with contextlib.suppress(ValueError):
            lines = good.splitlines() if b'"epoch"' in good else [good]
            number = draw.randrange(len(lines))
            lines[number] = json.dumps(_changed_json(draw, json.loads(lines[number]))).encode()
            return b"\n".join(lines)
    content = bytearray(good)
    for _ in range(draw.randint(1, 4)):
        at, length = draw.randrange(len(content) + 1), draw.randint(1, 16)
        kind = draw.choice(("bit", "overwrite", "number", "word", "cut out", "repeat", "put in", "end", "digit"))
        if kind == "bit" and at < len(content):
            content[at] ^= 1 << draw.randrange(8)
        elif kind == "overwrite":
            content[at : at + length] = draw.randbytes(length)
        elif kind == "number":  # sizes and counts lie on boundaries
            content[at : at + 8] = draw.choice(NUMBERS).to_bytes(8, draw.choice(("little", "big")))
        elif kind == "word":
            content[at : at + length] = draw.choice(WORDS)
        elif kind == "digit":  # texts hold numbers
            digits = [place for place, char in enumerate(content[:100_000]) if chr(char).isdigit()]
            if digits:
                place = draw.choice(digits)
                content[place : place + 1] = draw.choice(WORDS)
        elif kind == "cut out":
            del content[at : at + length]
        elif kind == "repeat":
            content[at:at] = content[at : at + length] * draw.randint(1, 50)
        elif kind == "put in":
            content[at:at] = draw.randbytes(length)
        elif kind == "end":
            del content[at:]
    return bytes(content)


def _changed_json(draw: random.Random, value: object) -> object:
    """Returns a JSON value with one part replaced, removed or added."""
    if isinstance(value, dict | list) and value and draw.random() < 0.8:
        changed: dict | list = value.copy()
        key = draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if draw.random() < 0.1:
            del changed[key]
        elif isinstance(changed, dict) and draw.random() < 0.1:
            changed[draw.choice(("", "x", "\0", "a" * 999))] = draw.choice(VALUES)
        else:
            changed[key] = _changed_json(draw, value[key])
        return changed
    return draw.choice(VALUES)


def run_kind(name: str, files: int, seed: int, folder: Path, keep: Path | None = None) -> dict:
    """Reads damaged files of a kind. Returns the numbers of a row of the table, and the tracebacks."""
    from fuzz_kinds import KINDS

    from data_pipelines.runtime.errors import UserError

    uncaught: list[str] = []
    _record_uncaught(uncaught)  # first, since readers may put hooks of theirs before this one
    make, spoil = KINDS[name](folder)
    draw = random.Random(f"{name} {seed}")
    with contextlib.suppress(UserError):
        make()  # imports and compiles before the clock runs
    row: dict = {"kind": name, "files": files, "read": 0, "refused": 0, "tracebacks": uncaught, "hangs": []}
    row |= {"slowest_s": 0.0, "mib": 0.0}
    for number in range(files):
        path = spoil(lambda good: mutated(draw, good), draw)
        faults = len(row["tracebacks"])
        before, begin = _reset_peak(), time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, SLOWEST_S)
        faulthandler.dump_traceback_later(6 * SLOWEST_S, exit=True)
        try:
            make()
            row["read"] += 1
        except UserError:
            row["refused"] += 1
        except HangError as error:
            row["hangs"].append("".join(traceback.format_exception(error)))
        except Exception as error:
            row["tracebacks"].append("".join(traceback.format_exception(error)))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
        seconds = time.monotonic() - begin
        if keep and (seconds >= SLOWEST_S or len(row["tracebacks"]) > faults):
            target = keep / f"{name}-{number}{path.suffix}"
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
        row["slowest_s"] = max(row["slowest_s"], seconds)
        row["mib"] = max(row["mib"], (_peak() - before) / 2**20)
    return row


def _record_uncaught(texts: list[str]) -> None:
    """Records exceptions that Python would print, since no code can catch them: of threads, and of callbacks."""

    def record(uncaught) -> None:
        texts.append("".join(traceback.format_exception(uncaught.exc_value)))

    sys.unraisablehook = threading.excepthook = record


def _peak() -> int:
    """Returns the most memory that this process has had since `_reset_peak`, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _reset_peak() -> int:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _hang(*_) -> None:
    raise HangError(f"more than {SLOWEST_S} seconds")


def _one_kind(arguments: argparse.Namespace) -> None:
    """Runs one kind in this process and prints its row as JSON."""
    import fuzz_kinds  # noqa: F401, before the limit: imports map files

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = mapped + int(arguments.memory_gb * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, _hang)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        print(json.dumps(run_kind(arguments.one, arguments.files, arguments.seed, Path(folder), arguments.keep)))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, metavar="N", help="files of each kind (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    parser.add_argument("--kinds", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--memory-gb", type=float, default=4, metavar="N", help="address space on top (default: 4)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep files that gave a traceback here")
    parser.add_argument("--write", action="store_true", help="put the results into docs/reliability.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    sys.path[:0] = [str(HERE), str(HERE.parent / "fixtures"), str(ROOT)]
    if arguments.one:
        _one_kind(arguments)
        return
    import fuzzed
    from fuzz_kinds import KINDS

    from benchmarks import report

    command = f"python tests/faults/fuzz_files.py --files {arguments.files} --seed {arguments.seed} --write"
    load, commit, bad = report.load(), _commit(), 0
    print("\n".join(fuzzed.table_head()), flush=True)
    for name in arguments.kinds or KINDS:
        again = [sys.executable, __file__, "--one", name, "--files", arguments.files, "--seed", arguments.seed]
        again += ["--memory-gb", arguments.memory_gb, *(["--keep", arguments.keep] if arguments.keep else [])]
        done = subprocess.run([str(word) for word in again], capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        if done.returncode or not lines:
            bad += 1
            print(f"| {name} | {arguments.files} | died with code {done.returncode} |", flush=True)
            print("\n".join(done.stderr.splitlines()[-5:]), file=sys.stderr, flush=True)
            continue
        found = json.loads(lines[-1])
        texts = found["tracebacks"] + found["hangs"]
        counts = {name: len(found[name]) for name in ("tracebacks", "hangs")}
        row = fuzzed.Row(**found | counts, commit=commit)
        bad += bool(texts) or row.slowest_s >= SLOWEST_S or row.mib > MOST_MIB
        print(row.line(), flush=True)
        if arguments.write:  # at once: the other kinds take minutes
            fuzzed.save(row, KINDS, command, report.machine("jax", "orbax-checkpoint", "av", load=load))
        for text in dict.fromkeys(texts):
            print(text, file=sys.stderr, flush=True)
    sys.exit(bool(bad))


def _commit() -> str:
    """Returns the commit that is tested, and whether files differ from it."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=7", "--dirty", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "not known"


Reader = Callable[[], None]
Spoiler = Callable[[Callable[[bytes], bytes], random.Random], Path]

if __name__ == "__main__":
    main()
