"""Results as tables: for the terminal, and as sections of docs/accelerators.md."""

from collections.abc import Sequence

from benchmarks import report
from benchmarks.accelerator.subjects import GFLOP_OF_CLIP
from benchmarks.compile_ahead.chips import Chip
from benchmarks.compile_ahead.plan import Job
from benchmarks.compile_ahead.results import Result

HEAD = (
    "program",
    "compiled",
    "est. ms",
    "clips/s a chip",
    "share of peak",
    "memory, GB",
    "moved, GB",
    "transposes, GB",
)
HEAD += ("channels first", "scatters", "collectives, MB", "compiling, s")


def milliseconds(result: Result, chip: Chip) -> float | None:
    """Returns the time of one call by the compiler's cycles, a lower bound; None if there are none."""
    return result["cycles"] / chip.clock_ghz / 1e6 if chip.clock_ghz and result.get("cycles") else None


def share_of_peak(job: Job, milliseconds: float, chip: Chip) -> float | None:
    """Returns the share of the chip's bfloat16 peak that the textbook network's operations would reach."""
    gflop = GFLOP_OF_CLIP.get(({"train": "training step", "score": "forward"}.get(job.program, ""), job.variant))
    return gflop * job.clips / milliseconds / chip.peak_tflops if gflop else None


def memory_gb(result: Result) -> float:
    """Returns the memory that a program needs on one chip: arguments, outputs, temporaries and code."""
    needs = sum(result[name] for name in ("arguments", "outputs", "temporaries", "code"))
    return (needs - result["aliases"]) / 1e9


def cells(result: Result, job: Job, chip: Chip) -> list[str]:
    """Returns the cells of a program's row under HEAD."""
    if result["error"]:
        return [job.words, f"no: {result['error']}", *["-"] * (len(HEAD) - 2)]
    time = milliseconds(result, chip)
    share = share_of_peak(job, time, chip) if time else None
    transposes, transposed = result["transposes"]
    count = sum(number for number, _ in result["collectives"].values())
    sent = sum(size for _, size in result["collectives"].values())
    first = sum(n for label, n in result["convolutions"].items() if label.startswith("bf012"))
    return [
        job.words,
        "yes",
        f"{time:.2f}" if time else "-",
        f"{1e3 * job.clips / time:,.0f}" if time and job.program in ("train", "score") else "-",
        f"{100 * share:.1f}%" if share else "-",
        f"{memory_gb(result):.2f} of {chip.memory_gb}",
        f"{result['bytes'] / 1e9:.1f}" if result["bytes"] else "-",
        f"{transposes}: {transposed / 1e9:.2f}",
        str(first),
        str(result["scatters"]),
        f"{count}: {sent / 1e6:.1f}" if count else "0",
        f"{result['seconds']:.0f}",
    ]


def page_section(results: Sequence[Result], jobs: Sequence[Job], chip: Chip) -> tuple[str, str]:
    """Returns the title and the text of a chip's section."""
    by_name = {job.name: job for job in jobs}
    known = [result for result in results if result["job"] in by_name]
    rows = [cells(result, by_name[result["job"]], chip) for result in known]
    columns = [column for column in zip(HEAD, *rows, strict=True) if set(column[1:]) != {"-"}]  # a GPU has no estimates
    head, *rows = zip(*columns, strict=True)
    text = report.table(head, rows)
    with_cycles = [result for result in known if result.get("top")]
    if with_cycles:
        first = with_cycles[0]
        text += f"\n\nThe ten operations of *{by_name[first['job']].words}* with the most cycles:\n\n{top_table(first)}"
    compilers = ", ".join(sorted({result["compiler"] for result in known if "compiler" in result}))
    return (
        f"Compiled for one {chip.title}",
        f"{text}\n\n`python -m benchmarks.compile_ahead --chip {chip.name}`; {compilers}.",
    )


def top_table(result: Result) -> str:
    """Returns a table of the operations with the most cycles."""
    rows = [
        [
            f"`{one['source'] or one['name']}`",
            f"`{one['shape']}`",
            f"{one['cycles']:,}",
            f"{one['cycles'] / result['cycles']:.1%}",
        ]
        for one in result["top"]
    ]
    return report.table(["operation", "makes", "cycles", "share"], rows)


def terminal_text(result: Result, job: Job, chip: Chip) -> str:
    """Returns a program's row as words, with the ten operations with the most cycles."""
    pairs = zip(HEAD[1:], cells(result, job, chip)[1:], strict=True)
    lines = [f"{job.name}: " + ", ".join(f"{name} {cell}" for name, cell in pairs if cell != "-")]
    for one in result.get("top", ()):
        lines.append(f"  {one['cycles']:>12,}  {one['name']}  {one['shape'][:60]}  {one['source']}")
    return "\n".join(lines)
